import assert from "node:assert/strict";
import fc from "fast-check";
import { Addressing } from "../../../src/nn/models/mimn/addressing.ts";
import {
  unevenness,
  usageShares,
  usageSharesBackward,
  write,
  writeBackward,
  type WriteInput,
} from "../../../src/nn/models/mimn/memory.ts";
import { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { assertClose, goldenTest } from "../../golden_vectors.ts";
import { BACKWARD, flat, FORWARD, type GoldenCase } from "./golden.ts";
import { floats, gradientCheck, weighted } from "../kernels/gradient_check.ts";

/** Addressing of m slots of width D whose slot keys count `s`. */
function make(m: number, D: number, s: number, seed = 1) {
  const parameters = new Parameters({ slotKeys: [m, D] });
  parameters.values.set(floats(m * D, seed));
  return { parameters, addressing: new Addressing(parameters, s) };
}

/** Weights of n keys, with added logits if there are any, and the gradients of Σ w·fixed. */
function address(
  { parameters, addressing }: ReturnType<typeof make>,
  keys: Float32Array,
  memory: Float32Array,
  fixed: Float32Array,
  logits?: Float32Array,
) {
  const D = parameters.shapes.get("slotKeys")?.[1] ?? NaN, n = keys.length / (D + 1);
  const input = { row: 0, n, keys, keysAt: 0, memory, memoryAt: 0 };
  addressing.begin(n);
  if (logits !== undefined) addressing.weights.set(logits);
  addressing.forward(input);
  const weights = addressing.weights.slice(), dlogits = fixed.slice();
  const into = {
    keys: new Float32Array(keys.length),
    keysAt: 0,
    memory: new Float32Array(memory.length),
    parameters: new Float32Array(parameters.values.length),
  };
  addressing.backward(input, dlogits, into);
  return { weights, gradients: { keys: into.keys, memory: into.memory, slotKeys: into.parameters, dlogits } };
}

goldenTest<GoldenCase>(
  "Addressing by content alone equals the golden vectors",
  "mimn.json",
  ({ addressing: golden }) => {
    assert.ok(golden);
    const { outputs, grads: expected } = golden;
    const k = flat(golden.inputs.k), M = Float32Array.from(flat(golden.inputs.M));
    for (const [variant, beta] of [["beta1", 1], ["beta2", 2]] as const) {
      const want = outputs[variant], grads = expected[variant]?.inputs;
      assert.ok(want && grads);
      const keys = Float32Array.from([...k, beta]);
      // The loss is read·[1, −2], so ∂/∂w_i is M_i·[1, −2].
      const toward = (row: number) => (M[2 * row] ?? NaN) - 2 * (M[2 * row + 1] ?? NaN);
      const fixed = Float32Array.from([0, 1, 2], toward);
      const { weights, gradients } = address(make(3, 2, 0), keys, M, fixed);
      assertClose(weights, flat(want.w), FORWARD, `${variant} w`);
      assertClose(gradients.keys.subarray(0, 2), flat(grads.k), BACKWARD, `${variant} gradient of k`);
      // M is read as well as addressed: w_i·[1, −2] comes on top.
      const dM = gradients.memory.map((g, o) => g + (weights[o >> 1] ?? NaN) * (o % 2 === 0 ? 1 : -2));
      assertClose(dM, flat(grads.M), BACKWARD, `${variant} gradient of M`);
    }
  },
  { claims: (path) => path.startsWith("cases.addressing") },
);

goldenTest<GoldenCase>("write() equals the golden vectors", "mimn.json", ({ write: golden }) => {
  const want = golden?.outputs.write, grads = golden?.grads.write?.inputs;
  assert.ok(golden && want && grads);
  const read = (name: string) => Float32Array.from(flat(golden.inputs[name]));
  const input: WriteInput = {
    memory: read("M"),
    memoryAt: 0,
    weight: read("w"),
    weightAt: 0,
    slots: 3,
    width: 2,
    content: Float32Array.from([...read("erase"), ...read("add")]),
    contentAt: 0,
  };
  const M = new Float32Array(6);
  write(M, 0, input);
  assertClose(M, flat(want.M), FORWARD, "M");
  const into = {
    memory: read("fixed"),
    weight: new Float32Array(3),
    weightAt: 0,
    content: new Float32Array(4),
    contentAt: 0,
  };
  writeBackward(input, into);
  assertClose(into.memory, flat(grads.M), BACKWARD, "gradient of M");
  assertClose(into.weight, flat(grads.w), BACKWARD, "gradient of w");
  assertClose(into.content.subarray(0, 2), flat(grads.erase), BACKWARD, "gradient of erase");
  assertClose(into.content.subarray(2), flat(grads.add), BACKWARD, "gradient of add");
  write(input.memory, 0, input);
  assert.deepEqual(input.memory, M, "in place");
}, { claims: (path) => path.startsWith("cases.write") });

goldenTest<GoldenCase>(
  "a rebalanced weight is the softmax of ln w + shares·Wg",
  "mimn.json",
  ({ rebalance }) => {
    const want = rebalance?.outputs.rebalance, grads = rebalance?.grads.rebalance;
    assert.ok(rebalance && want && grads);
    const g = Float32Array.from(flat(rebalance.inputs.g)), w = flat(rebalance.inputs.w);
    const Wg = flat(rebalance.params.Wg as number[][]),
      fixed = Float32Array.from(flat(rebalance.inputs.fixed));
    const shares = new Float32Array(3);
    usageShares(shares, 0, g, 0, 3);
    const usage = [0, 1, 2].map((j) => shares.reduce((sum, f, i) => sum + f * (Wg[3 * i + j] ?? NaN), 0));
    const rebalanced = (logits: number[]) =>
      address(make(3, 2, 0), new Float32Array(3), new Float32Array(6), fixed, Float32Array.from(logits));
    assertClose(rebalanced(usage).weights, flat(want.P), FORWARD, "P");
    const { weights, gradients } = rebalanced(usage.map((x, i) => x + Math.log(w[i] ?? NaN)));
    assertClose(weights, flat(want.w), FORWARD, "w");
    assertClose(
      gradients.dlogits.map((d, i) => d / (w[i] ?? NaN)),
      flat(grads.inputs.w),
      BACKWARD,
      "gradient of w",
    );
    const dWg = Wg.map((_, o) => (shares[Math.floor(o / 3)] ?? NaN) * (gradients.dlogits[o % 3] ?? NaN));
    assertClose(dWg, flat(grads.params.Wg as number[][]), BACKWARD, "gradient of Wg");
    const dshares = shares.map((_, i) =>
      gradients.dlogits.reduce((sum, d, j) => sum + d * (Wg[3 * i + j] ?? NaN), 0)
    );
    const dg = new Float32Array(3);
    usageSharesBackward(dg, dshares, g, 0, 3);
    assertClose(dg, flat(grads.inputs.g), BACKWARD, "gradient of g");
  },
  { claims: (path) => path.startsWith("cases.rebalance") },
);

Deno.test("Addressing.backward() equals central differences in keys, β, memory, slot keys and logits", () => {
  const m = 4, D = 5, n = 3;
  for (const s of [0, 0.5, 1]) {
    const made = make(m, D, s, 2);
    const keys = floats(n * (D + 1), 3), memory = floats(m * D, 4), logits = floats(n * m, 5);
    const fixed = floats(n * m, 6), slotKeys = made.parameters.values;
    gradientCheck(`slotKeyWeight ${s}`, { keys, memory, slotKeys, logits }, () => {
      const { weights, gradients } = address(made, keys, memory, fixed, logits);
      return [weighted(weights, fixed), { ...gradients, logits: gradients.dlogits }];
    });
  }
});

Deno.test("Addressing.forward() gives weights that sum to 1, even for keys and slots without direction", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.double({ min: 0, max: 1, noNaN: true }), (m, s) => {
      const made = make(m, 3, s, m);
      const keys = Float32Array.from([...floats(3, m), 42, 0, 0, 0, 42]),
        memory = floats(3 * m, 7).fill(0, 0, 3);
      const { weights, gradients } = address(made, keys, memory, floats(2 * m, 8));
      for (const row of [weights.subarray(0, m), weights.subarray(m)]) {
        assertClose([row.reduce((sum, w) => sum + w, 0)], [1], 1e-6, "sum");
      }
      assert.ok(Object.values(gradients).every((x) => x.every(Number.isFinite)));
      assert.ok(weights.subarray(m).every((w) => Math.abs(w - 1 / m) < 1e-6), "a key without direction");
    }),
  );
});

Deno.test("Addressing.forward() treats n rows like each of them alone", () => {
  const made = make(4, 5, 0.5), keys = floats(3 * 6, 1), memory = floats(20, 2), none = new Float32Array(12);
  const together = address(made, keys, memory, none).weights;
  for (let i = 0; i < 3; i++) {
    const alone = address(made, keys.slice(6 * i, 6 * i + 6), memory, none.slice(0, 4)).weights;
    assert.deepEqual(alone, together.slice(4 * i, 4 * i + 4));
  }
});

Deno.test("writeBackward(), usageSharesBackward() and unevenness() equal central differences", () => {
  const [m, D] = [3, 4];
  const memory = floats(m * D, 1),
    weight = floats(m, 2),
    content = floats(2 * D, 3),
    fixed = floats(m * D, 4);
  gradientCheck("write", { memory, weight, content }, () => {
    const input = { memory, memoryAt: 0, weight, weightAt: 0, content, contentAt: 0, slots: m, width: D };
    const next = new Float32Array(m * D);
    write(next, 0, input);
    const into = { memory: fixed.slice(), weight: new Float32Array(m), content: new Float32Array(2 * D) };
    writeBackward(input, { ...into, weightAt: 0, contentAt: 0 });
    return [weighted(next, fixed), into];
  });
  for (const scale of [0.1, 2]) { // below and above a mass of 1
    const usage = floats(m, 5).map((x) => scale * (1 + x));
    gradientCheck(`shares of ${usage}`, { usage }, () => {
      const shares = new Float32Array(m), dusage = new Float32Array(m);
      usageShares(shares, 0, usage, 0, m);
      usageSharesBackward(dusage, fixed, usage, 0, m);
      return [weighted(shares, fixed.subarray(0, m)), { usage: dusage }];
    });
    gradientCheck(`unevenness of ${usage}`, { usage }, () => {
      const dusage = new Float32Array(m);
      return [3 * unevenness(dusage, usage, 0, 3), { usage: dusage }];
    }, { epsilon: scale / 128 });
  }
});

Deno.test("unevenness() is 0 for equal shares and before any write, and does not grow with the history", () => {
  const none = new Float32Array(4);
  assert.equal(unevenness(none, new Float32Array(4), 0, 1), 0);
  assert.equal(unevenness(none, new Float32Array(4).fill(7), 0, 1), 0);
  assert.ok(none.every((g) => g === 0));
  const once = unevenness(none, new Float32Array([4, 2, 1, 1]), 0, 1);
  assert.equal(unevenness(none, new Float32Array([400, 200, 100, 100]), 0, 1), once);
});
