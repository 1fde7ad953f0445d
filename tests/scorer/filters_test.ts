import assert from "node:assert/strict";
import type { Condition } from "../../src/events/event.ts";
import { filterOf, meets } from "../../src/scorer/filters.ts";

const TENT = {
  categories: ["camping", "sale"],
  attributes: { price: 30, brand: "b", tags: ["red"], used: false },
};

Deno.test("meets() compares attributes only with values of their own type", () => {
  const cases: [string, Condition["is"], Condition["value"], boolean][] = [
    ["price", "=", 30, true],
    ["price", "!=", 30, false],
    ["price", "<", 30, false],
    ["price", "<=", 30, true],
    ["price", ">", 29.5, true],
    ["price", ">=", 31, false],
    ["price", "<", "50", false],
    ["price", "=", "30", false],
    ["brand", ">", "a", true],
    ["brand", "=", "b", true],
    ["used", "=", false, true],
    ["tags", "has", "red", true],
    ["tags", "has", "blue", false],
    ["tags", "=", "red", false],
    ["brand", "has", "b", false],
    ["missing", "=", 1, false],
    ["missing", "<", 1, false],
    ["missing", "!=", 1, true],
    ["toString", "=", "x", false],
  ];
  for (const [attribute, is, value, want] of cases) {
    assert.equal(meets(TENT, { attribute, is, value }), want, `${attribute} ${is} ${value}`);
  }
});

Deno.test("filterOf() requires one of the categories, none of the excluded ones, and every condition", () => {
  assert.ok(filterOf()(TENT));
  assert.ok(filterOf({ categories: ["x", "sale"] })(TENT));
  assert.ok(!filterOf({ categories: [] })(TENT));
  assert.ok(!filterOf({ notCategories: ["sale"] })(TENT));
  assert.ok(filterOf({ allCategories: ["sale", "camping"] })(TENT));
  assert.ok(!filterOf({ allCategories: ["sale", "x"] })(TENT));
  const price = { attribute: "price", is: "<", value: 50 } as const;
  assert.ok(filterOf({ where: [price] })(TENT));
  assert.ok(!filterOf({ where: [price, { attribute: "brand", is: "=", value: "c" }] })(TENT));
});
