import assert from "node:assert/strict";
import { Dice } from "../../../src/nn/layers/dice.ts";
import { assertClose, goldenTest } from "../../golden_vectors.ts";
import { BACKWARD, flat, FORWARD, type GoldenCase, rows } from "../models/golden.ts";
import { floats, gradientCheck, weighted } from "../kernels/gradient_check.ts";

goldenTest<GoldenCase>("Dice.forward() and backward() equal the vectors", "dice.json", (cases) => {
  for (const [name, { params, inputs, outputs, grads }] of Object.entries(cases)) {
    if (name === "running") continue;
    const want = outputs.dice, gradient = grads.dice;
    assert.ok(want && gradient, name);
    const [s, alpha] = [flat(inputs.s), flat(params.alpha as number[])].map((x) => Float32Array.from(x));
    assert.ok(s && alpha);
    const dice = new Dice(alpha.length);
    dice.mean.set(flat(inputs.mean));
    dice.variance.set(flat(inputs.variance));
    const f = new Float32Array(s.length);
    dice.forward(f, s, alpha);
    assertClose(f, flat(want.f), FORWARD, `${name} f`);
    const df = Float32Array.from(flat(inputs.fixed)), dalpha = new Float32Array(alpha.length);
    dice.backward(df, s, alpha, dalpha);
    assertClose(df, flat(gradient.inputs.s), BACKWARD, `${name} gradient of s`);
    assertClose(dalpha, flat(gradient.params.alpha as number[]), BACKWARD, `${name} gradient of alpha`);
  }
}, {
  // Without variance a mean below every |s| changes nothing.
  claims: (path) => !/running|prelu\.inputs\.mean/.test(path),
});

goldenTest<GoldenCase>("Dice.update() moves the statistics as the vectors do", "dice.json", ({ running }) => {
  const want = running?.outputs.running;
  assert.ok(running && want);
  const alpha = Float32Array.from(flat(running.params.alpha as number[]));
  const dice = new Dice(alpha.length);
  dice.mean.set(flat(running.inputs.mean));
  dice.variance.set(flat(running.inputs.variance));
  assert.equal(rows(running.inputs.batches).length, rows(want.f).length);
  rows(running.inputs.batches).forEach((batch, i) => {
    const s = Float32Array.from(flat(batch)), f = new Float32Array(s.length);
    dice.forward(f, s, alpha);
    dice.update(s);
    assertClose(f, flat(rows(want.f)[i]), FORWARD, `f ${i}`);
    assertClose(dice.mean, flat(rows(want.mean)[i]), FORWARD, `mean ${i}`);
    assertClose(dice.variance, flat(rows(want.variance)[i]), FORWARD, `variance ${i}`);
  });
}, { claims: (path) => path.startsWith("cases.running") });

Deno.test("Dice.backward() equals central differences", () => {
  const s = floats(6, 1), alpha = floats(3, 2), fixed = floats(6, 3), dice = new Dice(3);
  dice.mean.set([0.2, -0.1, 0]);
  dice.variance.set([0.5, 1, 2]);
  gradientCheck("dice", { s, alpha }, () => {
    const f = new Float32Array(6), df = fixed.slice(), dalpha = new Float32Array(3);
    dice.forward(f, s, alpha);
    dice.backward(df, s, alpha, dalpha);
    return [weighted(f, fixed), { s: df, alpha: dalpha }];
  });
});

Deno.test("Dice.update() ignores an empty batch", () => {
  const dice = new Dice(2, { rate: 1 });
  dice.update(new Float32Array(0));
  assert.deepEqual([...dice.mean, ...dice.variance], [0, 0, 1, 1]);
});
