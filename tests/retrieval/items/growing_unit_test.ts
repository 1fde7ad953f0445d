import assert from "node:assert/strict";
import fc from "fast-check";
import { GrowingUnit } from "../../../src/retrieval/items/growing_unit.ts";
import { Pace } from "../../../src/retrieval/items/pace.ts";

const HALF_LIFE_MS = 1000;

Deno.test("GrowingUnit.moveTo() gives counts that halve every half-life, whatever the gaps", () => {
  fc.assert(fc.property(fc.array(fc.nat(60 * HALF_LIFE_MS), { minLength: 1, maxLength: 40 }), (gaps) => {
    let count = 0, time = 0, want = 0;
    const unit = new GrowingUnit(new Pace(), HALF_LIFE_MS, (factor) => {
      assert.ok(Number.isInteger(Math.log2(factor)));
      count *= factor;
    });
    for (const gap of gaps) {
      time += gap;
      const one = unit.moveTo(time); // may scale the count
      count += one;
      want = want * 2 ** (-gap / HALF_LIFE_MS) + 1;
    }
    assert.ok(Math.abs(count / unit.at(time) - want) < 1e-9 * want);
    assert.ok(count < 40 * 2 ** 32, `${count}`);
  }));
});

Deno.test("GrowingUnit.at() is finite and above 0 at any time", () => {
  const unit = new GrowingUnit(new Pace(), HALF_LIFE_MS, () => {});
  assert.equal(unit.at(1e15), 1);
  unit.moveTo(1e12);
  for (const time of [-1e15, 1e15]) assert.ok(unit.at(time) > 0 && unit.at(time) < Infinity);
});
