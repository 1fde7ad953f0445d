/** A cast says why the compiler cannot know: half a line beside it, or a comment above. */

import assert from "node:assert/strict";
import ts from "typescript";
import { ROOT } from "../docs/pages.ts";
import { files } from "./files.ts";

/** Lines, from 1, of casts without a comment; `as const` casts nothing. */
function bareCasts(text: string): readonly number[] {
  const source = ts.createSourceFile("module.ts", text, ts.ScriptTarget.Latest, true);
  const lines = text.split("\n");
  const found: number[] = [];
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const isTold = (first: number, last: number) =>
    lines.slice(first, last + 1).some((line) => /(?<!:)\/\/ |\/\*/.test(line)) ||
    /^\s*(\/\/|\*|\/\*)/.test(lines[first - 1] ?? "");
  const visit = (node: ts.Node, statement: ts.Node) => {
    const inner = ts.isStatement(node) && !ts.isBlock(node) ? node : statement;
    if (ts.isAsExpression(node) && node.type.getText() !== "const") {
      const [begin, end] = [lineAt(node.getStart()), lineAt(node.end)];
      if (!isTold(begin, end) && !isTold(lineAt(inner.getStart()), begin)) found.push(end + 1);
    }
    ts.forEachChild(node, (child) => visit(child, inner));
  };
  visit(source, source);
  return found;
}

Deno.test("bareCasts() finds casts without a comment beside or above them", () => {
  const text = `
    const a = b as C;
    const d = b as C; // since e
    // since e
    const f = b as unknown as C;
    const g = [1, 2] as const;
    const h = "// " + ("https://x" as C);
    const i = {
      a: b as C,
      d: b as C, // since e
    };
  `;
  assert.deepEqual(bareCasts(text), [2, 9]);
});

Deno.test("each cast has its reason beside it", async () => {
  const found: string[] = [];
  for (const top of ["src", "streams", "scripts", "fixtures/simulator"]) {
    for await (const path of files(top)) {
      if (path.includes("/assembly/")) continue; // AssemblyScript converts numbers so
      for (const line of bareCasts(await Deno.readTextFile(new URL(path, ROOT)))) {
        found.push(`${path}:${line}`);
      }
    }
  }
  assert.deepEqual(found, []);
});
