/**
 * DIN's attention and the intermediate values of DIEN, user by user, against the golden vectors.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ActivationUnit, activationUnitShapes } from "../../../src/nn/layers/activation_unit.ts";
import { type AttentionNorm, normalise, normaliseBackward } from "../../../src/nn/layers/attention.ts";
import { Bilinear, bilinearShapes } from "../../../src/nn/layers/bilinear.ts";
import { addXtY, addXW, addYWt } from "../../../src/nn/kernels/gemm.ts";
import { Gru, gruShapes } from "../../../src/nn/layers/gru.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";
import { pool, poolScale } from "../../../src/nn/layers/pool.ts";
import { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { assertClose, goldenTest } from "../../golden_vectors.ts";
import { dienVariants, NORMS } from "../models/golden_models.ts";
import {
  assertBlocks,
  assertInputs,
  flat,
  FORWARD,
  type GoldenCase,
  type Nested,
  rows,
  sizesOf,
  validSteps,
  writeBlocks,
} from "../models/golden.ts";

/** Puts rows of width `width` of valid steps back among `T` steps; `carry` repeats the last row over holes. */
function spread(packed: Float32Array, steps: readonly number[], T: number, width: number, carry = false) {
  return Array.from({ length: T }, (_, t) => {
    const at = carry ? steps.filter((step) => step <= t).length - 1 : steps.indexOf(t);
    return at < 0 ? new Array<number>(width).fill(0) : [...packed.subarray(at * width, (at + 1) * width)];
  }).flat();
}

function users({ inputs }: GoldenCase) {
  const d = rows(rows(rows(inputs.e)[0])[0]).length;
  return rows(inputs.e).map((history, b) => {
    const steps = validSteps(rows(inputs.mask)[b]), T = steps.length;
    const q = Float32Array.from(flat(rows(inputs.q)[b]));
    const e = Float32Array.from(steps.flatMap((t) => flat(rows(history)[t])));
    const fixed = Float32Array.from(flat(rows(inputs.fixed)[b]));
    return { steps, T, padded: rows(history).length, K: q.length / d, e, q, fixed };
  });
}

goldenTest<GoldenCase>(
  "ActivationUnit with each norm equals scores, weights, pool and gradients",
  "din.json",
  (cases) => {
    const { main } = cases;
    assert.ok(main);
    const { d } = sizesOf(main),
      hidden = [main.params.b1, main.params.b2].map((x) => flat(x as Nested).length);
    for (const norm of NORMS) {
      const want: GoldenCase["outputs"][string] = main.outputs[norm] ?? assert.fail(norm);
      const grads: GoldenCase["grads"][string] = main.grads[norm] ?? assert.fail(norm);
      const parameters = new Parameters(activationUnitShapes("a", d, hidden));
      writeBlocks(parameters, main.params, "a.");
      const unit = new ActivationUnit(parameters, "a");
      const gradients = new Float32Array(parameters.values.length);
      const got = { g: [], w: [], v: [], q: [], e: [] } as Record<"g" | "w" | "v" | "q" | "e", number[]>;
      for (const { steps, T, padded, e, q, fixed } of users(main)) {
        const input = { T, K: 1, h: e, q };
        const g = unit.forward(input, true), w = new Float32Array(T), v = new Float32Array(d);
        normalise(w, g, T, norm);
        addXW(v, 0, w, 0, e, 0, 1, T, d);
        const scale = norm === "softmax" ? 1 : poolScale("sqrt", T);
        got.g.push(...spread(g, steps, padded, 1));
        got.w.push(...spread(w, steps, padded, 1));
        got.v.push(...v.map((x) => x * scale));
        const dv = fixed.map((x) => x * scale), dw = new Float32Array(T);
        const into = { h: new Float32Array(T * d), q: new Float32Array(d), parameters: gradients };
        addYWt(dw, 0, dv, 0, e, 0, 1, T, d);
        addXtY(into.h, 0, w, 0, dv, 0, 1, T, d);
        normaliseBackward(dw, w, g, T, norm);
        unit.backward(input, dw, into);
        got.e.push(...spread(into.h, steps, padded, d));
        got.q.push(...into.q);
      }
      for (const name of ["g", "w", "v"] as const) assertClose(got[name], flat(want[name]), FORWARD, name);
      const loss = got.v.reduce((sum, x, i) => sum + x * (flat(main.inputs.fixed)[i] ?? NaN), 0);
      assertClose([loss], flat(want.loss), FORWARD, `${norm} loss`);
      assertBlocks(parameters, gradients, grads.params, norm, "a.");
      assertInputs({ q: got.q, e: got.e }, grads.inputs, norm);
    }
  },
  { claims: (path) => !path.startsWith("cases.") },
);

goldenTest<GoldenCase>(
  "Gru, Bilinear and normalise() equal the intermediate values of DIEN",
  "dien.json",
  (cases) => {
    for (const { golden, variant, what } of dienVariants(cases)) {
      const want = golden.outputs[variant] ?? assert.fail(variant), { d } = sizesOf(golden);
      const parameters = new Parameters({
        ...gruShapes("gru1", d, d),
        ...bilinearShapes("attention", d, d),
        ...gruShapes("gru2", d, d),
      });
      writeBlocks(parameters, golden.params);
      const [gru1, gru2] = [new Gru(parameters, "gru1", "gru"), new Gru(parameters, "gru2", "augru")];
      const attention = new Bilinear(parameters, "attention");
      const got: Record<string, number[]> = { h: [], score: [], attention: [], final: [], mean: [] };
      for (const { steps, T, padded, K, e, q } of users(golden)) {
        const h = gru1.run({ T, K: 1, xw: gru1.project(e, T), keep: true }).slice(d);
        const s = attention.forward({ T, K, h, q }),
          a = new Float32Array(K * T),
          mean = new Float32Array(d);
        normalise(a, s, T, variant === "sigmoidInner" ? "sigmoid" : variant as AttentionNorm);
        pool(PLAIN, mean, e, T, poolScale("mean", T));
        got.h?.push(...spread(h, steps, padded, d, true));
        for (let k = 0; k < K; k++) {
          got.score?.push(...spread(s.subarray(k * T, (k + 1) * T), steps, padded, 1));
          got.attention?.push(...spread(a.subarray(k * T, (k + 1) * T), steps, padded, 1));
        }
        got.final?.push(...gru2.run({ T, K, xw: gru2.project(h, T), attention: a, keep: false }));
        got.mean?.push(...mean);
      }
      for (const [name, values] of Object.entries(got)) {
        assertClose(values, flat(want[name]), FORWARD, `${what} ${name}`);
      }
    }
  },
  {
    claims: (path) =>
      /outputs\.\w+\.(h|score|attention|final|mean)$|^params\.(gru|att)|inputs\.[eq]$|inputs\.mask/.test(
        path,
      ) &&
      !path.includes("grads"),
  },
);
