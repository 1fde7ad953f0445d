/**
 * The kernels in plain TypeScript: the reference for the others, and the fallback where WebAssembly has no SIMD.
 */

import { sigmoid } from "../losses/logistic.ts";
import { exp } from "./exp.ts";
import { addRowSum, addXtY, addXW, addYWt, fillRows } from "./gemm.ts";
import { gruBackward, gruForward } from "./gru_steps.ts";
import type { Kernels } from "./kernels.ts";
import { prelu, preluBackward } from "./prelu.ts";

/** Plain TypeScript; sums in double precision. */
export const PLAIN: Kernels = {
  name: "plain",
  floats: (length) => new Float32Array(length),
  addXW,
  addYWt,
  addXtY,
  affine(y, yo, b, bo, x, xo, w, wo, m, k, n, step = 0) {
    if (step === 0) fillRows(y, yo, b, bo, m, n);
    else y.set(b.subarray(bo, bo + m * n), yo);
    addXW(y, yo, x, xo, w, wo, m, k, n);
  },
  clear: (array) => array.fill(0),
  addRowSum,
  addRows(y, x, scale, m, n) {
    for (let i = 0, o = 0; i < m; i++) {
      for (let j = 0; j < n; j++, o++) y[o]! += scale * x[j]!;
    }
  },
  prelu,
  preluBackward,
  sigmoid(y, x) {
    for (let o = 0; o < y.length; o++) y[o] = sigmoid(x[o]!);
  },
  tanh(y, x) {
    for (let o = 0; o < y.length; o++) y[o] = 1 - 2 / (1 + exp(2 * x[o]!));
  },
  sigmoidBackward(ds, f) {
    for (let o = 0; o < ds.length; o++) ds[o]! *= f[o]! * (1 - f[o]!);
  },
  mixRows(y, a, b, bo, q, qo, m, n) {
    for (let i = 0, o = 0; i < m; i++) {
      for (let j = 0; j < n; j++, o++) y[o] = a[o]! + q[qo + i]! * b[bo + o]!;
    }
  },
  mixRowsBackward(db, dq, dy, b, bo, q, qo, m, n) {
    for (let i = 0, o = 0; i < m; i++) {
      let inner = 0;
      for (let j = 0; j < n; j++, o++) {
        db[bo + o]! += q[qo + i]! * dy[o]!;
        inner += dy[o]! * b[bo + o]!;
      }
      dq[qo + i]! += inner;
    }
  },
  gruForward,
  gruBackward,
};
