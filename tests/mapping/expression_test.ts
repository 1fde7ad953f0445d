import assert from "node:assert/strict";
import { compileExpression } from "../../streams/mapping/expression.ts";

Deno.test("compileExpression() evaluates what paths cannot express", () => {
  const record = {
    price: 3,
    quantity: 2,
    contexts: [{ kind: "page", id: "p" }, { kind: "product", id: "A" }],
  };
  const of = (text: string) => compileExpression(text)(record);
  assert.equal(of("price * quantity"), 6);
  assert.equal(of("contexts[?kind == 'product'] | [0].id"), "A");
  assert.deepEqual(of("contexts[*].not_null(sku, id)"), ["p", "A"]);
  assert.equal(of("join('-', [to_string(price), 'x'])"), "3-x");
  assert.equal(of("nothing.at.all") ?? undefined, undefined);
  assert.equal(of("length(price)"), undefined, "a function applied to the wrong type has no value");
  assert.equal(of("toString.x") ?? undefined, undefined);
});

Deno.test("compileExpression() refuses expressions that could take long or reach a prototype", () => {
  const many = Array(40).fill("[@,@]").join("|");
  for (
    const [text, why] of [
      ["pad_left(a, `1000000000`)", /pad_left/],
      ["replace(a, 'b', c)", /replace here, only .*join.*split/],
      [`${many}|to_string(@)`, /times as large/],
      [`${Array(12).fill("to_string(").join("")}@${")".repeat(12)}`, /times as large/],
      ["a[*].($.a[*].b)", /./],
      ["$.a", /many times/],
      ["let $x = a in a[*].[$x]", /many times/],
      ["join(a, b)", /join takes/],
      ["a.constructor", /no record may have/],
      ['a."__proto__"', /no record may have/],
      ["a[", /as an expression/],
      ["", /as an expression/],
      [`a${".a".repeat(600)}`, /characters/],
    ] as const
  ) assert.throws(() => compileExpression(text), why, text);
});

Deno.test("compileExpression() evaluates filters, sorting and grouping over a list of 20,000 entries", () => {
  const entries = Array.from(
    { length: 20_000 },
    (_, i) => ({ kind: i % 2 === 0 ? "a" : "b", id: String(i) }),
  );
  for (
    const text of ["e[?kind == 'a'].id", "sort_by(e, &id)[*].id", "group_by(e, &kind)", "e[*].[kind, id][]"]
  ) {
    assert.ok(compileExpression(text)({ e: entries }) !== undefined, text);
  }
});
