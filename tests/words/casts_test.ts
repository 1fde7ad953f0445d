/** A cast says why the compiler cannot know the type: a few words beside it, or a comment above. */

import assert from "node:assert/strict";
import ts from "typescript";
import { ROOT } from "../docs/pages.ts";
import { files } from "./files.ts";

type Cast = ts.AsExpression | ts.TypeAssertion;

/** Lines, from 1, of casts without a comment on their line or directly above; a cast under a docstring needs one, too. */
function bareCasts(text: string): readonly number[] {
  const source = ts.createSourceFile("module.ts", text, ts.ScriptTarget.Latest, true);
  const casts: Cast[] = [];
  const find = (node: ts.Node) => {
    const isCast = ts.isAsExpression(node) || ts.isTypeAssertionExpression(node);
    if (isCast && node.type.getText() !== "const") casts.push(node);
    ts.forEachChild(node, find);
  };
  find(source);
  if (casts.length === 0) return [];
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const { on, above } = comments(source, lineAt);
  return casts.filter((cast) => {
    const [begin, end] = ts.isAsExpression(cast)
      ? [cast.expression.end, cast.end]
      : [cast.getStart(), cast.type.end];
    const lines = Array.from({ length: lineAt(end) - lineAt(begin) + 1 }, (_, n) => lineAt(begin) + n);
    return !lines.some((line) => on.has(line)) && !above.has(lineAt(cast.getStart()));
  }).map((cast) => lineAt(cast.end) + 1);
}

/** Lines, from 0, with comments, and those directly below one; docstrings do not count. */
function comments(source: ts.SourceFile, lineAt: (position: number) => number) {
  const { text } = source;
  const on = new Set<number>();
  const above = new Set<number>();
  const visit = (node: ts.Node) => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren();
    children.forEach(visit);
    if (children.length > 0) return;
    for (const ranges of [ts.getTrailingCommentRanges, ts.getLeadingCommentRanges]) {
      for (const { pos, end } of ranges(text, node.pos) ?? []) {
        if (text.startsWith("/**", pos)) continue;
        on.add(lineAt(pos)).add(lineAt(end));
        if (text.slice(source.getPositionOfLineAndCharacter(lineAt(pos), 0), pos).trim() === "") {
          above.add(lineAt(end) + 1);
        }
      }
    }
  };
  visit(source);
  return { on, above };
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
      f: b as C,
      // since e
      g: b as C,
      h: "/*" + (b as C),
      j: <C> b,
      k: <C> b, // since e
    };
    /** What it is. */
    export const l = b as C;
    class M {
      // since e
      #n = b as C;
      #o = b as C;
      p() {
        return q(/x\\/*y/, b as C);
      }
      r = \`\${b as C} // \`;
    }
  `;
  assert.deepEqual(bareCasts(text), [2, 7, 9, 11, 14, 15, 19, 23, 25, 27]);
});

Deno.test("each cast has a comment that gives its reason", async () => {
  const found: string[] = [];
  for (const top of ["src", "streams", "scripts", "fixtures/simulator"]) {
    for await (const path of files(top)) {
      if (path.includes("/assembly/")) continue; // AssemblyScript converts numbers by casts
      for (const line of bareCasts(await Deno.readTextFile(new URL(path, ROOT)))) {
        found.push(`${path}:${line}`);
      }
    }
  }
  assert.deepEqual(found, []);
});
