/** Tests that share a broker name their topics by `ownPrefix`, so that none sees the records of another. */

import assert from "node:assert/strict";
import ts from "typescript";
import { ROOT } from "../docs/pages.ts";
import { files } from "../words/files.ts";

/** A module that uses the shared broker. */
const SHARING = /\btestBroker\(\)|: TestBroker\b/;

/** Lines, from 1, of topics and prefixes that a module spells out. */
function speltNames(text: string): readonly number[] {
  const source = ts.createSourceFile("module.ts", text, ts.ScriptTarget.Latest, true);
  const found: ts.Node[] = [];
  const find = (node: ts.Node) => {
    if (isSpelt(node) && isName(node)) found.push(node);
    ts.forEachChild(node, find);
  };
  find(source);
  return found.map((node) => source.getLineAndCharacterOfPosition(node.getStart()).line + 1);
}

/** Whether it is a string that begins with literal letters. */
function isSpelt(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node)
    ? node.text !== ""
    : ts.isTemplateExpression(node) && node.head.text !== "";
}

/** Whether it is the value of a topic, a prefix, or a flag for one. */
function isName(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isCallExpression(parent)) return parent.expression.getText() === "topicNames";
  if (ts.isArrayLiteralExpression(parent)) {
    const before = parent.elements[parent.elements.findIndex((element) => element === node) - 1];
    return before !== undefined && ts.isStringLiteral(before) && before.text === "--prefix";
  }
  if (!ts.isPropertyAssignment(parent) && !ts.isVariableDeclaration(parent)) return false;
  const name = parent.name.getText(), object = parent.parent;
  if (name === "name") {
    return ts.isObjectLiteralExpression(object) &&
      object.properties.some((property) => property.name?.getText() === "cleanup");
  }
  const isFolder = ts.isObjectLiteralExpression(object) && ts.isCallExpression(object.parent) &&
    object.parent.expression.getText().startsWith("Deno.");
  return /^topic$|prefix$/i.test(name) && !isFolder;
}

Deno.test("speltNames() finds literal topics and prefixes, and no folders", () => {
  const text = `
    const PREFIX = "mine.";
    const topic = \`mine-\${1}\`, other = \`\${PREFIX}clicks\`;
    const folder = Deno.makeTempDir({ prefix: "meander-" });
    run({ restoredPrefix: "again.", name: "who" }, ["--prefix", "flag.", "other"], topicNames("names."));
    log.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }, { name: topic, cleanup: "delete" }]);
    append({ topic: "clicks" }, { prefix: "", topic: \`\${PREFIX}clicks\` }, topicNames(PREFIX));
  `;
  assert.deepEqual(speltNames(text), [2, 3, 5, 5, 5, 6, 7]);
});

Deno.test("no test on the shared broker spells out a topic or a prefix", async () => {
  const found: string[] = [];
  for await (const path of files("tests")) {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    if (path.startsWith("tests/layers/") || !SHARING.test(text)) continue;
    for (const line of speltNames(text)) found.push(`${path}:${line}`);
  }
  assert.deepEqual(found, []);
});
