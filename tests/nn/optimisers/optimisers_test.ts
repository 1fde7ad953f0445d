import assert from "node:assert/strict";
import { Adagrad, RowAdagrad } from "../../../src/nn/optimisers/adagrad.ts";
import { Adam } from "../../../src/nn/optimisers/adam.ts";
import { clipByGlobalNorm, type Optimiser } from "../../../src/nn/optimisers/optimiser.ts";
import { assertClose, goldenTest } from "../../golden_vectors.ts";

type Nested = number | readonly Nested[] | { readonly [name: string]: Nested };

/** All numbers of nested blocks, in order. */
function flat(value: Nested | undefined): number[] {
  if (value === undefined) throw new Error("missing block");
  return typeof value === "number" ? [value] : Object.values(value).flatMap(flat);
}

// deno-lint-ignore no-explicit-any -- the cases of one file have different layouts; `flat` checks what is used
type OptimCase = any;
const TOLERANCE = 1e-5;

/** A claim on all arrays of a case. */
function of(name: string): { claims: (path: string) => boolean } {
  return { claims: (path) => path.startsWith(`cases.${name}.`) };
}

goldenTest<OptimCase>("Adam() equals the golden steps", "optim.json", ({ adam: golden }) => {
  const values = Float32Array.from(flat(golden.params));
  const { lr, beta1, beta2, epsilon } = golden.config;
  const adam = new Adam(values.length, { learningRate: lr, beta1, beta2, epsilon });
  golden.inputs.gradients.forEach((gradients: Nested, i: number) => {
    assert.ok(adam.step(values, Float32Array.from(flat(gradients))));
    assertClose(values, flat(golden.outputs.adam.steps[i].params), TOLERANCE, `step ${i + 1}`);
  });
}, of("adam"));

goldenTest<OptimCase>(
  "RowAdagrad() equals the golden steps when ids repeat",
  "optim.json",
  ({ adagrad: golden }) => {
    const width = 3;
    const rows = {
      values: Float32Array.from(flat(golden.params.table)),
      accumulators: new Float32Array(golden.params.table.length),
    };
    const rule = new RowAdagrad(width, { learningRate: golden.config.lr, epsilon: golden.config.epsilon });
    golden.inputs.ids.forEach((ids: number[], i: number) => {
      const sums = new Map<number, Float32Array>();
      ids.forEach((id, j) => {
        const sum = sums.get(id) ?? new Float32Array(width);
        flat(golden.inputs.gradients[i][j]).forEach((g, k) => sum[k] = (sum[k] ?? 0) + g);
        sums.set(id, sum);
      });
      for (const [id, gradient] of sums) rule.step(rows, id, gradient);
      const want = golden.outputs.adagrad.steps[i];
      assertClose(rows.values, flat(want.table), TOLERANCE, `table after step ${i + 1}`);
      assertClose(rows.accumulators, want.G, TOLERANCE, `G after step ${i + 1}`);
    });
  },
  of("adagrad"),
);

goldenTest<OptimCase>("clipByGlobalNorm() equals the golden cases", "optim.json", ({ clip: golden }) => {
  for (const [name, blocks] of Object.entries<Nested>(golden.inputs)) {
    const gradients = Float32Array.from(flat(blocks));
    const norm = clipByGlobalNorm(gradients, golden.config.clipNorm);
    assertClose([norm], [golden.outputs[name].norm], TOLERANCE, `${name} norm`);
    assertClose(gradients, flat(golden.outputs[name].clipped), TOLERANCE, name);
  }
}, of("clip"));

const SIZE = 5;
const OPTIMISERS: Record<string, () => Optimiser> = {
  Adam: () => new Adam(SIZE),
  Adagrad: () => new Adagrad(SIZE, { initialAccumulator: 0.1 }),
};

/** A gradient of Σ(w − target)², off by a different amount at each step. */
function gradientsOf(values: Float32Array, step: number): Float32Array {
  return values.map((w, i) => 2 * (w - (i - 2)) + Math.sin(step * (i + 1)));
}

for (const [name, make] of Object.entries(OPTIMISERS)) {
  Deno.test(`${name}() lowers a convex loss`, () => {
    const optimiser = make();
    optimiser.learningRate = 0.1;
    const values = new Float32Array(SIZE);
    const loss = () => values.reduce((sum, w, i) => sum + (w - (i - 2)) ** 2, 0);
    const before = loss();
    for (let step = 0; step < 300; step++) optimiser.step(values, gradientsOf(values, step));
    assert.ok(loss() < before / 4, `${before} -> ${loss()}`);
  });

  Deno.test(`${name}.decode() goes on bit for bit when the state was encoded midway`, () => {
    const first = make(), second = make();
    const values = new Float32Array(SIZE);
    for (let step = 0; step < 7; step++) first.step(values, gradientsOf(values, step));
    const copy = values.slice();
    second.decode(first.encode());
    assert.deepEqual(second.encode(), first.encode());
    for (let step = 7; step < 20; step++) {
      first.step(values, gradientsOf(values, step));
      second.step(copy, gradientsOf(copy, step));
    }
    assert.deepEqual(copy, values);
    assert.deepEqual(second.encode(), first.encode());
  });

  Deno.test(`${name}.step() changes nothing and returns false when a gradient is unusable`, () => {
    const optimiser = make();
    const values = new Float32Array(SIZE);
    optimiser.step(values, gradientsOf(values, 0));
    const weights = values.slice(), state = optimiser.encode();
    for (const bad of [NaN, Infinity, -Infinity, 1e30]) {
      const gradients = gradientsOf(values, 1);
      gradients[SIZE - 1] = bad;
      assert.equal(optimiser.step(values, gradients), false);
    }
    assert.deepEqual(values, weights);
    assert.deepEqual(optimiser.encode(), state);
  });

  Deno.test(`${name}() leaves a weight alone when its gradient is always zero`, () => {
    const optimiser = make();
    const values = new Float32Array(SIZE);
    for (let step = 0; step < 5; step++) {
      const gradients = gradientsOf(values, step);
      gradients[2] = 0;
      optimiser.step(values, gradients);
    }
    assert.equal(values[2], 0);
  });

  Deno.test(`${name}() refuses arrays and states of another length`, () => {
    const optimiser = make();
    assert.throws(() => optimiser.step(new Float32Array(SIZE), new Float32Array(2)), RangeError);
    const state = optimiser.encode();
    assert.throws(() => optimiser.decode(state.subarray(0, state.length - 1)), SyntaxError);
    assert.throws(() => optimiser.decode(new Uint8Array([...state, 0])), SyntaxError);
    assert.throws(() => optimiser.decode(new Uint8Array()), SyntaxError);
  });
}

Deno.test("Adagrad() with halvedAfter takes larger steps than without, but keeps its initial accumulator", () => {
  const steps = (gradient: number, halvedAfter = Infinity) => {
    const adagrad = new Adagrad(1, { learningRate: 0.1, initialAccumulator: 1, halvedAfter });
    const [weights, gradients] = [new Float32Array(1), new Float32Array(1)];
    for (let n = 0; n < 1000; n++) adagrad.step(weights, gradients.fill(n % 2 === 0 ? gradient : -gradient));
    weights[0] = 0;
    adagrad.step(weights, gradients.fill(gradient));
    return -weights[0] / gradient;
  };
  assert.ok(Math.abs(steps(1) - 0.1 / Math.sqrt(1002)) < 1e-6);
  // What remains of 1 + Σ g² is 1 + 10 / ln 2, and half a step.
  assert.ok(Math.abs(steps(1, 10) - 0.1 / Math.sqrt(1 + 10 / Math.LN2 + 0.5)) < 1e-4);
  assert.ok(Math.abs(steps(1e-3, 10) - 0.1) < 1e-4, "the initial accumulator does not fade");
  assert.throws(() => new Adagrad(1, { halvedAfter: 0 }), RangeError);
});

Deno.test("clipByGlobalNorm() leaves gradients unchanged when the norm is not finite", () => {
  const gradients = Float32Array.of(1, NaN);
  assert.ok(Number.isNaN(clipByGlobalNorm(gradients, 5)));
  assert.deepEqual(gradients, Float32Array.of(1, NaN));
});
