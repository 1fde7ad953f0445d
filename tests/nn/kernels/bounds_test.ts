import assert from "node:assert/strict";
import type { GruBackSteps, GruSteps } from "../../../src/nn/kernels/gru_steps.ts";
import { GATES } from "../../../src/nn/layers/gru.ts";
import type { Kernels } from "../../../src/nn/kernels/kernels.ts";
import { overKernels } from "./all_kernels.ts";

const [m, k, n] = [3, 5, 6];
const [T, K, H] = [2, 3, 4];
const gate = GATES.augru;

/** A call on arrays that are exactly as long as it needs. */
interface Call {
  readonly lengths: readonly number[];
  readonly call: (kernels: Kernels, ...arrays: Float32Array[]) => void;
}

/** A GRU on arrays in the order of {@linkcode CALLS}; U starts at 0 of the weights, followed by the biases. */
function steps(arrays: readonly Float32Array[], keep: boolean): GruSteps {
  const [xw, attention, values, states, gates, products] = arrays as [
    ...[Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array],
  ];
  return { T, K, H, keep, gate, xw, attention, values, u: 0, b: 3 * H * H, states, gates, products };
}

function back(arrays: readonly Float32Array[]): GruBackSteps {
  const [dstate, dstates, dxw, dattention, back, gradients] = arrays.slice(6) as [
    ...[Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array],
  ];
  return { ...steps(arrays, true), dstate, dstates, dxw, dattention, back, gradients };
}

const WEIGHTS = 3 * H * H + 3 * H;
const KEPT = [T * 3 * H, K * T, WEIGHTS, (T + 1) * K * H, T * K * 3 * H, T * K * H];

const CALLS: Readonly<Record<string, Call>> = {
  addXW: { lengths: [m * n, m * k, k * n], call: (ks, y, x, w) => ks.addXW(y!, 0, x!, 0, w!, 0, m, k, n) },
  addYWt: { lengths: [m * k, m * n, k * n], call: (ks, x, y, w) => ks.addYWt(x!, 0, y!, 0, w!, 0, m, k, n) },
  addXtY: { lengths: [k * n, m * k, m * n], call: (ks, w, x, y) => ks.addXtY(w!, 0, x!, 0, y!, 0, m, k, n) },
  affine: {
    lengths: [m * n, n, m * k, k * n],
    call: (ks, y, b, x, w) => ks.affine(y!, 0, b!, 0, x!, 0, w!, 0, m, k, n),
  },
  "affine with rows": {
    lengths: [m * n, m * n, m * k, k * n],
    call: (ks, y, b, x, w) => ks.affine(y!, 0, b!, 0, x!, 0, w!, 0, m, k, n, n),
  },
  "addXW of one column": {
    lengths: [m, m * k, k],
    call: (ks, y, x, w) => ks.addXW(y!, 0, x!, 0, w!, 0, m, k, 1),
  },
  "addYWt of one column": {
    lengths: [m * k, m, k],
    call: (ks, x, y, w) => ks.addYWt(x!, 0, y!, 0, w!, 0, m, k, 1),
  },
  "addXtY of one column": {
    lengths: [k, m * k, m],
    call: (ks, w, x, y) => ks.addXtY(w!, 0, x!, 0, y!, 0, m, k, 1),
  },
  addRowSum: { lengths: [n, m * n], call: (ks, db, dy) => ks.addRowSum(db!, 0, dy!, 0, m, n) },
  addRows: { lengths: [m * n, n], call: (ks, y, x) => ks.addRows(y!, x!, 2, m, n) },
  prelu: { lengths: [m * n, m * n, n], call: (ks, f, s, alpha) => ks.prelu(f!, s!, alpha!, 0, m, n) },
  preluBackward: {
    lengths: [m * n, m * n, n, n],
    call: (ks, df, s, alpha, dalpha) => ks.preluBackward(df!, s!, alpha!, dalpha!, 0, m, n),
  },
  mixRows: {
    lengths: [m * n, m * n, m * n, m],
    call: (ks, y, a, b, q) => ks.mixRows(y!, a!, b!, 0, q!, 0, m, n),
  },
  mixRowsBackward: {
    lengths: [m * n, m, m * n, m * n, m],
    call: (ks, db, dq, dy, b, q) => ks.mixRowsBackward(db!, dq!, dy!, b!, 0, q!, 0, m, n),
  },
  gruForward: { lengths: KEPT, call: (ks, ...arrays) => ks.gruForward(steps(arrays, true)) },
  "gruForward without keeping": {
    lengths: [T * 3 * H, K * T, WEIGHTS, 2 * K * H, K * 3 * H, K * H],
    call: (ks, ...arrays) => ks.gruForward(steps(arrays, false)),
  },
  gruBackward: {
    lengths: [
      ...KEPT.with(0, 0).with(2, 3 * H * H),
      K * H,
      T * K * H,
      T * 3 * H,
      K * T,
      T * K * 3 * H,
      WEIGHTS,
    ],
    call: (ks, ...arrays) => ks.gruBackward(back(arrays)),
  },
};

overKernels(
  "every call refuses an array that is one element too short, in its memory or outside",
  (kernels) => {
    const makers = [(length: number) => kernels.floats(length), (length: number) => new Float32Array(length)];
    for (const [name, { lengths, call }] of Object.entries(CALLS)) {
      for (const make of makers) {
        call(kernels, ...lengths.map(make));
        for (const [i, length] of lengths.entries()) {
          if (length === 0) continue;
          const arrays = lengths.map(make);
          arrays[i] = arrays[i]!.subarray(0, length - 1);
          assert.throws(() => call(kernels, ...arrays), RangeError, `${name}, array ${i}`);
        }
      }
    }
    for (const name of ["sigmoid", "tanh", "sigmoidBackward"] as const) {
      assert.throws(() => kernels[name](kernels.floats(5), kernels.floats(4)), RangeError, name);
    }
  },
  ["simd", "relaxed-simd"],
);

overKernels("negative sizes and strides are refused", (kernels) => {
  const array = kernels.floats(1000);
  for (const [m, k, n] of [[4, 1, -8], [-4, 1, 8], [4, -1, 8], [4, -1, -8], [-4, 1, -8], [-4, -1, 8]]) {
    const call = () => kernels.addXW(array, 0, array, 0, array, 0, m!, k!, n!);
    assert.throws(call, RangeError, `${m}, ${k}, ${n}`);
  }
  assert.throws(() => kernels.addRowSum(array, 0, array, 0, 1, -8), RangeError);
  assert.throws(() => kernels.affine(array, 0, array, 9, array, 0, array, 0, 4, 1, 4, -1), RangeError);
}, ["simd", "relaxed-simd"]);

overKernels("an offset out of bounds, or NaN, is refused", (kernels) => {
  const [y, x, w] = [kernels.floats(m * n), kernels.floats(m * k), kernels.floats(k * n)];
  for (const at of [-1, NaN, 1]) {
    assert.throws(() => kernels.addXW(y, at, x, 0, w, 0, m, k, n), RangeError);
    assert.throws(() => kernels.addXW(y, 0, x, at, w, 0, m, k, n), RangeError);
    assert.throws(() => kernels.addXW(y, 0, x, 0, w, at, m, k, n), RangeError);
    assert.throws(() => kernels.addRowSum(w.subarray(0, n), at, y, 0, m, n), RangeError);
    assert.throws(() => kernels.prelu(y, y, w.subarray(0, n), at, m, n), RangeError);
    assert.throws(() => kernels.mixRows(y, y, y, at, w, 0, m, n), RangeError);
    assert.throws(() => kernels.mixRows(y, y, y, 0, w.subarray(0, m), at, m, n), RangeError);
  }
}, ["simd", "relaxed-simd"]);
