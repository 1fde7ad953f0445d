import assert from "node:assert/strict";
import fc from "fast-check";
import { exp } from "../../../src/nn/kernels/exp.ts";

Deno.test("exp() equals Math.exp() to a relative 2e-13 between its limits", () => {
  fc.assert(
    fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
      assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 2e-13, String(x));
    }),
    { examples: [[546.5086453850801], [683.9575756005505]] },
  );
});

Deno.test("exp() clamps beyond its limits and passes NaN on", () => {
  assert.equal(exp(Infinity), exp(700));
  assert.equal(exp(-Infinity), exp(-700));
  assert.ok(Number.isNaN(exp(NaN)));
});
