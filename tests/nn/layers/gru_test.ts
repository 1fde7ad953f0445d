import assert from "node:assert/strict";
import fc from "fast-check";
import { Gru, type GruForm, gruShapes } from "../../../src/nn/layers/gru.ts";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { KERNEL_NAMES, type Kernels } from "../../../src/nn/kernels/kernels.ts";
import { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { validSteps } from "../models/golden.ts";
import { overKernels, runs } from "../kernels/all_kernels.ts";
import { floats, type Gradient, gradientCheck, weighted } from "../kernels/gradient_check.ts";
import { type FoldInput, type FoldOutput, goldenGruTests } from "./golden_gru.ts";

const FORMS: readonly GruForm[] = [
  ...["gru", "augru", "agru", "aigru"] as const,
  ...["gruResetBefore", "augruResetBefore", "official", "keepScaled"] as const,
];

/** Row by row, valid steps only; the states of masked steps are those carried over them. */
function fold({ form, parameters, x, attention, mask, start, fixed }: FoldInput): FoldOutput {
  const gru = new Gru(parameters, "gru", form);
  const H = gru.hidden;
  const gradients = new Float32Array(parameters.values.length);
  const out = { states: [], final: [], x: [], attention: [], start: [] } as Record<string, number[]>;
  x.forEach((steps, b) => {
    const valid = validSteps(mask[b]), T = valid.length, n = steps[0]?.length ?? 0;
    const inputs = Float32Array.from(valid.flatMap((t) => steps[t] ?? []));
    const run = {
      T,
      K: 1,
      xw: gru.project(inputs, T),
      keep: true,
      start: Float32Array.from(start[b] ?? []),
      attention: Float32Array.from(valid.map((t) => attention[b]?.[t] ?? NaN)),
    };
    const states = gru.run(run);
    out.final?.push(...states.subarray(T * H));
    steps.forEach((_, t) => {
      const seen = valid.filter((v) => v <= t).length;
      out.states?.push(...states.subarray(seen * H, (seen + 1) * H));
    });
    const back = gru.backward(run, Float32Array.from(fixed[b] ?? []), new Float32Array(0), gradients);
    const dx = new Float32Array(T * n);
    gru.projectBackward(dx, inputs, back.xw, T, gradients);
    steps.forEach((_, t) => {
      const at = valid.indexOf(t);
      out.x?.push(...at < 0 ? new Array<number>(n).fill(0) : dx.subarray(at * n, (at + 1) * n));
      out.attention?.push(at < 0 ? 0 : back.attention[at] ?? NaN);
    });
    out.start?.push(...back.start);
  });
  const { states = [], final = [], x: dx = [], attention: da = [], start: ds = [] } = out;
  return { states, final, parameters: gradients, x: dx, attention: da, start: ds };
}

for (const name of KERNEL_NAMES.filter(runs)) {
  goldenGruTests(`${name}: Gru.run()`, fold, createKernels(name));
}

function small(kernels: Kernels, form: GruForm, T: number, K: number, seed = 1) {
  const parameters = new Parameters(gruShapes("gru", 3, 5), kernels);
  parameters.values.set(floats(parameters.values.length, seed));
  const gru = new Gru(parameters, "gru", form);
  return {
    gru,
    parameters,
    x: floats(T * 3, seed + 1),
    start: floats(K * 5, seed + 2),
    attention: floats(K * T, seed + 3).map((a) => 0.5 + a / 2),
  };
}

overKernels(
  "Gru.backward() equals central differences for every form, with gradients at all states",
  (kernels) => {
    for (const form of FORMS) {
      const T = 4, K = 3;
      const { gru, parameters, x, start, attention } = small(kernels, form, T, K);
      const at = floats(T * K * 5, 9), last = floats(K * 5, 10);
      gradientCheck(form, { x, start, attention, parameters: parameters.values }, () => {
        const run = { T, K, xw: gru.project(x, T), start, attention, keep: true };
        const states = gru.run(run);
        const loss = weighted(states.subarray(K * 5), at) + weighted(states.subarray(T * K * 5), last);
        const gradients = new Float32Array(parameters.values.length);
        const back = gru.backward(run, last, at, gradients);
        const dx = new Float32Array(x.length);
        gru.projectBackward(dx, x, back.xw, T, gradients);
        return [loss, { x: dx, start: back.start, attention: back.attention, parameters: gradients }] as [
          number,
          Gradient,
        ];
      });
    }
  },
);

overKernels("Gru.run() keeps the state where a = 0 and is the GRU where a = 1", (kernels) => {
  for (const form of ["augru", "augruResetBefore"] as const) {
    const { gru, parameters, x, start } = small(kernels, form, 6, 2);
    const plain = new Gru(parameters, "gru", form === "augru" ? "gru" : "gruResetBefore");
    const input = { T: 6, K: 2, start, keep: false };
    const attend = (a: number) => ({
      ...input,
      xw: gru.project(x, 6),
      attention: new Float32Array(12).fill(a),
    });
    assert.deepEqual(gru.run(attend(0)), start);
    assert.deepEqual(gru.run(attend(1)), plain.run({ ...input, xw: plain.project(x, 6) }));
  }
});

overKernels("Gru.run() gives the same bits kept or not, in lanes or alone, in one run or two", (kernels) => {
  fc.assert(fc.property(fc.nat(7), fc.nat(7), fc.integer({ min: 1, max: 6 }), (before, after, K) => {
    const T = before + after;
    const { gru, x, attention, start } = small(kernels, "augru", T, K, before + 10 * after);
    const xw = gru.project(x, T).slice();
    const kept = gru.run({ T, K, xw, start, attention, keep: true }).slice(-K * 5);
    assert.deepEqual(gru.run({ T, K, xw, start, attention, keep: false }), kept);
    for (let k = 0; k < K; k++) {
      const lane = attention.slice(k * T, (k + 1) * T);
      const half = gru.run({
        T: before,
        K: 1,
        xw,
        keep: false,
        start: start.slice(5 * k, 5 * k + 5),
        attention: lane,
      }).slice();
      // The second half reads its own columns: a run's attention is [K, T] of that run.
      const rest = { T: after, K: 1, xw: xw.slice(before * 15), attention: lane.slice(before), keep: false };
      assert.deepEqual(gru.run({ ...rest, start: half }), kept.slice(5 * k, 5 * k + 5));
    }
  }));
});
