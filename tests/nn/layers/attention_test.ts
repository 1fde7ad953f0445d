import assert from "node:assert/strict";
import fc from "fast-check";
import { ActivationUnit, activationUnitShapes } from "../../../src/nn/layers/activation_unit.ts";
import { type AttentionNorm, normalise, normaliseBackward } from "../../../src/nn/layers/attention.ts";
import { Bilinear, bilinearShapes } from "../../../src/nn/layers/bilinear.ts";
import type { Kernels } from "../../../src/nn/kernels/kernels.ts";
import { Parameters, type Shape } from "../../../src/nn/kernels/parameters.ts";
import { assertClose } from "../../golden_vectors.ts";
import { overKernels } from "../kernels/all_kernels.ts";
import { floats, gradientCheck, weighted } from "../kernels/gradient_check.ts";

const NORMS: readonly AttentionNorm[] = ["softmax", "sigmoid", "maxnorm", "linear"];

function make<Score>(
  kernels: Kernels,
  shapes: Record<string, Shape>,
  score: new (parameters: Parameters, prefix: string) => Score,
  seed = 1,
) {
  const parameters = new Parameters(shapes, kernels);
  parameters.values.set(floats(parameters.values.length, seed).map((x) => x / 2));
  return { parameters, score: new score(parameters, "a") };
}

/** The unit as the paper writes it: an MLP over [q ; e ; q−e ; q∘e], for one behaviour. */
function naiveUnit(parameters: Parameters, q: readonly number[], e: readonly number[]): number {
  const block = (name: string) => Array.from(parameters.block(`a.${name}`));
  let f = [...q, ...e, ...q.map((x, i) => x - (e[i] ?? NaN)), ...q.map((x, i) => x * (e[i] ?? NaN))];
  for (let l = 1; parameters.shapes.has(`a.W${l}`); l++) {
    const w = block(`W${l}`), b = block(`b${l}`), n = b.length;
    const alpha = parameters.shapes.has(`a.alpha${l}`) ? block(`alpha${l}`) : b.map(() => 1);
    f = b.map((bias, j) => {
      const s = f.reduce((sum, x, i) => sum + x * (w[i * n + j] ?? NaN), bias);
      return s > 0 ? s : (alpha[j] ?? NaN) * s;
    });
  }
  return f[0] ?? NaN;
}

overKernels("ActivationUnit.forward() equals the naive unit to 5e-5", (kernels) => {
  const sizes = fc.record({
    T: fc.nat(6),
    K: fc.integer({ min: 1, max: 4 }),
    d: fc.integer({ min: 1, max: 7 }),
    hidden: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
    seed: fc.nat(1000),
  });
  fc.assert(fc.property(sizes, ({ T, K, d, hidden, seed }) => {
    const { parameters, score } = make(kernels, activationUnitShapes("a", d, hidden), ActivationUnit, seed);
    const h = floats(T * d, seed + 1), q = floats(K * d, seed + 2);
    const want = Array.from({ length: K * T }, (_, o) => {
      const k = Math.floor(o / T), t = o % T;
      return naiveUnit(
        parameters,
        [...q.subarray(k * d, k * d + d)],
        [...h.subarray(t * d, t * d + d)],
      );
    });
    const kept = score.forward({ T, K, h, q }, true).slice();
    assertClose(kept, want, 5e-5, "scores"); // single precision, and terms of a score may cancel
    assert.deepEqual(score.forward({ T, K, h, q }, false).slice(), kept);
  }));
});

overKernels("every attention score equals central differences", (kernels) => {
  const T = 4, K = 2, H = 3, d = 5;
  const cases: [string, { parameters: Parameters; score: ActivationUnit | Bilinear }, number][] = [
    ["bilinear", make(kernels, bilinearShapes("a", H, d), Bilinear), d],
    ["unit", make(kernels, activationUnitShapes("a", H, [6, 5]), ActivationUnit), H],
    ["unit with one layer", make(kernels, activationUnitShapes("a", H, [6]), ActivationUnit), H],
  ];
  for (const [name, { parameters, score }, width] of cases) {
    const h = floats(T * H, 2), q = floats(K * width, 3), fixed = floats(K * T, 4);
    gradientCheck(name, { h, q, parameters: parameters.values }, () => {
      const input = { T, K, h, q };
      const loss = weighted(score.forward(input, true), fixed);
      const into = {
        h: new Float32Array(h.length),
        q: new Float32Array(q.length),
        parameters: new Float32Array(parameters.values.length),
      };
      score.backward(input, fixed.slice(), into);
      return [loss, into];
    }, { epsilon: 1 / 1024, tolerance: 5e-3 });
  }
});

overKernels("normalise() gives the weights of each norm", (kernels) => {
  const s = new Float32Array([0, Math.log(3), 2, 2]), a = new Float32Array(4);
  const expected: Record<AttentionNorm, number[]> = {
    softmax: [0.25, 0.75, 0.5, 0.5],
    sigmoid: [0.5, 0.75, 1 / (1 + Math.exp(-2)), 1 / (1 + Math.exp(-2))],
    maxnorm: [1 / 3, 1, 1, 1],
    linear: [0, Math.log(3), 2, 2],
  };
  for (const norm of NORMS) {
    normalise(a, s, 2, norm, kernels);
    assertClose(a, expected[norm], 1e-6, norm);
  }
});

overKernels("normaliseBackward() equals central differences for every norm", (kernels) => {
  const T = 5, K = 3, s = floats(K * T, 3), fixed = floats(K * T, 4);
  for (const norm of NORMS) {
    gradientCheck(norm, { s }, () => {
      const a = new Float32Array(K * T), da = fixed.slice();
      normalise(a, s, T, norm, kernels);
      normaliseBackward(da, a, s, T, norm);
      return [weighted(a, fixed), { s: da }];
      // Small steps: maxnorm has a kink where another score becomes the largest.
    }, { epsilon: 1 / 512 });
  }
});

overKernels("normalise() stays finite for huge scores", (kernels) => {
  const a = new Float32Array(3);
  for (const norm of ["softmax", "sigmoid", "maxnorm"] as const) {
    normalise(a, new Float32Array([1e30, -1e30, 1e30]), 3, norm, kernels);
    assert.ok(a.every((x) => x >= 0 && x <= 1), norm);
  }
});
