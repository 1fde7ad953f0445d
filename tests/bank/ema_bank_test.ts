import assert from "node:assert/strict";
import { EmaBank } from "../../src/bank/ema_bank.ts";
import { createKernels } from "../../src/nn/kernels/choose.ts";
import { KERNEL_NAMES } from "../../src/nn/kernels/kernels.ts";
import { assertClose, goldenTest } from "../golden_vectors.ts";
import { runs } from "../nn/kernels/all_kernels.ts";
import { BACKWARD, flat, FORWARD, type GoldenCase } from "../nn/models/golden.ts";

for (const kernels of KERNEL_NAMES.filter(runs)) {
  goldenTest<GoldenCase>(`${kernels}: EmaBank`, "bank.json", (cases) => {
    for (const [name, { params, inputs, outputs, grads }] of Object.entries(cases)) {
      const [e, out, logExpected] = ["e", "out", "logExpected"].map((key) =>
        Float32Array.from(flat(inputs[key]))
      );
      assert.ok(e && out && logExpected);
      const C = logExpected.length, d = out.length / C - 1, T = e.length / d;
      const bank = new EmaBank(d, () => 0, createKernels(kernels));
      for (const block of ["mix", "gap", "strength"]) {
        bank.parameters.block(block).set(flat(params[block] as never));
      }
      const [gapMs] = flat(inputs["gapMs"]);
      const strengths = flat(inputs["strengths"]);
      const input = { T, e, strengths, gapMs: gapMs ?? NaN };
      const want = outputs["softmax"] ?? {}, wantGrads = grads["softmax"];
      assert.ok(wantGrads);
      assertClose(bank.query(input), flat(want["query"]), FORWARD, `${name}: query`);
      const gradients = new Float32Array(bank.parameters.values.length);
      assert.equal(logExpected[0], 0); // of the item that came next
      const examples = { inputs: [input], out, leftOut: [[]], logExpected: logExpected.subarray(1) };
      const got = bank.loss(examples, gradients);
      assertClose([got.loss], flat(want["loss"]), FORWARD, `${name}: loss`);
      for (const block of ["mix", "gap", "strength"]) {
        const of = bank.parameters.block(block, gradients);
        assertClose(of, flat(wantGrads.params[block] as never), BACKWARD, `${name}: ${block}`);
      }
      assertClose(got.e[0] ?? [], flat(wantGrads.inputs["e"]), BACKWARD, `${name}: e`);
      assertClose(got.out, flat(wantGrads.inputs["out"]), BACKWARD, `${name}: out`);
    }
  }, { claims: (path) => !/\.(row|gapMs|kinds|strengths)$/.test(path) });
}

Deno.test("EmaBank.query() without behaviours is the vector of no gap, whatever the arrays contain", () => {
  const bank = new EmaBank(2, () => 1);
  const query = bank.query({ T: 0, e: new Float32Array([NaN, NaN]), strengths: [NaN], gapMs: NaN });
  assert.deepEqual([...query], [...bank.parameters.block("gap").subarray(-2)]);
});

for (const kernels of KERNEL_NAMES.filter(runs)) {
  Deno.test(`${kernels}: EmaBank.loss() of a batch is the sum over its steps, each without its left-out items`, () => {
    let seed = 7;
    const normal = () => Math.sin(seed++ * 78.233);
    const d = 8, w = d + 1, B = 3, K = 5;
    const bank = new EmaBank(d, normal, createKernels(kernels));
    const inputs = [3, 0, 30].map((T, b) => ({
      T,
      e: Float32Array.from({ length: T * d }, normal),
      gapMs: 40_000 * b,
      strengths: Array.from({ length: T }, normal),
    }));
    const leftOut = [[4], [1, 3, 1], []];
    const out = Float32Array.from({ length: (B + K) * w }, normal);
    const logExpected = Float32Array.from({ length: K }, normal);
    const gradients = new Float32Array(bank.parameters.values.length);
    const views = bank.loss({ inputs, out, leftOut, logExpected }, gradients);
    const got = { loss: views.loss, e: views.e.map((e) => e.slice()), out: views.out.slice() };

    const sum = { loss: 0, out: new Float32Array((B + K) * w), gradients: gradients.slice().fill(0) };
    for (const [b, input] of inputs.entries()) {
      const drawn = places(K).filter((k) => !leftOut[b]!.includes(k));
      const rows = [b, ...drawn.map((k) => B + k)];
      const alone = bank.loss({
        inputs: [input],
        leftOut: [[]],
        out: Float32Array.from(rows.flatMap((row) => [...out.subarray(row * w, (row + 1) * w)])),
        logExpected: drawn.map((k) => logExpected[k]!),
      }, sum.gradients);
      sum.loss += alone.loss;
      assertClose(got.e[b] ?? [], alone.e[0] ?? [NaN], BACKWARD, `e of ${b}`);
      alone.out.forEach((x, at) => sum.out[rows[Math.floor(at / w)]! * w + at % w]! += x);
    }
    assertClose([got.loss], [sum.loss], FORWARD, "loss");
    assertClose(got.out, sum.out, BACKWARD, "out");
    assertClose(gradients, sum.gradients, BACKWARD, "parameters");
  });
}

Deno.test("EmaBank.loss() falls below 0.1 when it learns a cycle of items", () => {
  let seed = 1;
  const normal = () => Math.sin(seed++ * 12.9898);
  const d = 4, items = 6;
  const bank = new EmaBank(d, normal);
  const into = Float32Array.from({ length: items * d }, normal);
  const out = new Float32Array(items * (d + 1)).map(() => 0.1 * normal());
  const step = (weights: Float32Array, at: number, gradient: Float32Array) => {
    for (let i = 0; i < gradient.length; i++) weights[at + i]! -= 0.1 * gradient[i]!;
  };
  const losses: number[] = [];
  for (let n = 0; n < 600; n++) {
    const from = n % items, to = (from + 1) % items;
    const scored = [to, ...Array.from({ length: items }, (_, j) => j).filter((j) => j !== to)];
    const gradients = new Float32Array(bank.parameters.values.length);
    const got = bank.loss({
      inputs: [{ T: 1, e: into.slice(from * d, (from + 1) * d), strengths: [1], gapMs: 0 }],
      leftOut: [[]],
      out: Float32Array.from(scored.flatMap((j) => [...out.subarray(j * (d + 1), (j + 1) * (d + 1))])),
      logExpected: new Float32Array(items - 1),
    }, gradients);
    losses.push(got.loss);
    step(bank.parameters.values, 0, gradients);
    step(into, from * d, got.e[0]!);
    scored.forEach((j, c) => step(out, j * (d + 1), got.out.subarray(c * (d + 1), (c + 1) * (d + 1))));
  }
  const [first, last] = [losses[0] ?? NaN, losses.at(-1) ?? NaN];
  assert.ok(first > 1 && last < 0.1, `${first} to ${last}`);
});

function places(count: number): number[] {
  return Array.from({ length: count }, (_, place) => place);
}
