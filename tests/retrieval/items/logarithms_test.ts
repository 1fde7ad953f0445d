import assert from "node:assert/strict";
import fc from "fast-check";
import { logarithms } from "../../../src/retrieval/items/logarithms.ts";

Deno.test("logarithms() are ln(1 + x) to nine digits, exact at 0, and grow with x", () => {
  const number = fc.double({ min: 0, max: 1e300, noNaN: true, noDefaultInfinity: true });
  fc.assert(fc.property(fc.array(number, { minLength: 1, maxLength: 50 }), (given) => {
    const numbers = Float64Array.from([...given, 0]);
    logarithms(numbers, given.length);
    assert.equal(numbers[given.length], 0, "what lies beyond is not touched");
    given.forEach((x, k) => {
      const want = Math.log1p(x);
      assert.ok(Math.abs(numbers[k]! - want) <= 1e-9 * Math.max(1, want), `ln(1 + ${x}) = ${numbers[k]}`);
    });
  }));
  const steps = Float64Array.from({ length: 100_000 }, (_, k) => k / 5000);
  logarithms(steps, steps.length);
  assert.equal(steps[0], 0);
  for (let k = 1; k < steps.length; k++) assert.ok(steps[k]! > steps[k - 1]!, `${k}`);
});
