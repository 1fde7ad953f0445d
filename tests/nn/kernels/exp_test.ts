import assert from "node:assert/strict";
import fc from "fast-check";
import { exp } from "../../../src/nn/kernels/exp.ts";

Deno.test("exp() is Math.exp() to a relative 1e-13 between its limits", () => {
  fc.assert(fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
    assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 1e-13, String(x));
  }));
});

Deno.test("exp() clamps what is beyond its limits and passes NaN on", () => {
  assert.equal(exp(Infinity), exp(700));
  assert.equal(exp(-Infinity), exp(-700));
  assert.ok(Number.isNaN(exp(NaN)));
});
