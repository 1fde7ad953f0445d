/** Fields and elements stand by themselves: a spread literal, which only packs some of them into a line, has no use. */

import assert from "node:assert/strict";
import ts from "typescript";
import { ROOT } from "../docs/pages.ts";
import { files } from "./files.ts";

Deno.test("nothing spreads a literal, and no object does in an example", async () => {
  const found: string[] = [];
  for (const top of ["src", "streams", "scripts", "fixtures/simulator", "tests"]) {
    for await (const path of files(top)) {
      const text = await Deno.readTextFile(new URL(path, ROOT));
      if (/\.\.\.\(?\{/.test(text) || spreadsArray(text)) found.push(path);
    }
  }
  assert.deepEqual(found, []);
});

Deno.test("spreadsArray() finds spread literals in arrays and calls, not what is made of a literal", () => {
  for (const text of ["[...[1]]", "f(1, ...[2, ...x])"]) assert.ok(spreadsArray(text), text);
  for (const text of ["[...[1].map(f)]", "[...x[1]]", "[...(x ? [1] : [])]"]) {
    assert.ok(!spreadsArray(text), text);
  }
});

function spreadsArray(text: string): boolean {
  if (!text.includes("...[")) return false;
  const spreads = (node: ts.Node): boolean =>
    (ts.isSpreadElement(node) && ts.isArrayLiteralExpression(node.expression)) ||
    (ts.forEachChild(node, spreads) ?? false);
  return spreads(ts.createSourceFile("module.ts", text, ts.ScriptTarget.Latest));
}
