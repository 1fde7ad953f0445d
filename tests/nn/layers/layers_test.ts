import assert from "node:assert/strict";
import fc from "fast-check";
import { Auxiliary } from "../../../src/nn/models/dien/auxiliary.ts";
import {
  addDot,
  addDotBackward,
  type Column,
  concat,
  concatBackward,
  Part,
} from "../../../src/nn/layers/concat.ts";
import { type HiddenActivation, Mlp, mlpShapes } from "../../../src/nn/layers/mlp.ts";
import { pool, poolBackward, type Pooling, poolScale } from "../../../src/nn/layers/pool.ts";
import { weightedLogisticLoss } from "../../../src/nn/layers/weighted_loss.ts";
import { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { overKernels } from "../kernels/all_kernels.ts";
import { floats, gradientCheck, weighted } from "../kernels/gradient_check.ts";

/** Small steps: PReLU has kinks. */
const KINKED = { epsilon: 1 / 1024, tolerance: 5e-3 };

overKernels("Mlp.backward() equals central differences for each activation and depth", (kernels) => {
  for (const activation of ["prelu", "sigmoid"] satisfies HiddenActivation[]) {
    for (const widths of [[5, 1], [5, 6, 3], [3, 4, 5, 2]]) {
      const m = 3, inputs = widths[0] ?? 0, outputs = widths.at(-1) ?? 0;
      const parameters = new Parameters(mlpShapes("mlp", widths, { activation }), kernels);
      parameters.values.set(floats(parameters.values.length, 2));
      const mlp = new Mlp(parameters, "mlp", { activation });
      const x = floats(m * inputs, 3), fixed = floats(m * outputs, 4);
      gradientCheck(`${activation} ${widths}`, { x, parameters: parameters.values }, () => {
        mlp.input(m).set(x);
        const loss = weighted(mlp.forward(m), fixed);
        const gradients = new Float32Array(parameters.values.length);
        return [loss, { x: mlp.backward(fixed.slice(), m, gradients), parameters: gradients }];
      }, KINKED);
    }
  }
});

overKernels("pool() and poolBackward() agree with central differences for every pooling", (kernels) => {
  for (const pooling of ["mean", "sum", "sqrt"] satisfies Pooling[]) {
    const T = 4, e = floats(T * 3, 1), fixed = floats(3, 2), scale = poolScale(pooling, T);
    gradientCheck(pooling, { e }, () => {
      const p = new Float32Array(3), de = new Float32Array(e.length);
      pool(kernels, p, e, T, scale);
      poolBackward(kernels, de, fixed, T, scale);
      return [weighted(p, fixed), { e: de }];
    });
  }
});

overKernels("pool() of an empty history is zero", (kernels) => {
  for (const pooling of ["mean", "sum", "sqrt"] satisfies Pooling[]) {
    const p = floats(3, 1);
    pool(kernels, p, new Float32Array(0), 0, poolScale(pooling, 0));
    assert.deepEqual(p, new Float32Array(3));
  }
});

Deno.test("concat() and addDot() lay out shared parts and products, with gradients", () => {
  const K = 3, values = { a: floats(2, 1), b: floats(K * 2, 2), c: floats(K, 3) };
  const a = new Part(2, true), b = new Part(2, false), c = new Part(1, false);
  const columns: Column[] = [a, [a, b], c, [b, b]];
  const fixed = floats(K * 7, 4), dz = floats(K, 5);
  gradientCheck("concat", values, () => {
    [a, b, c].forEach((part, i) => part.bind(Object.values(values)[i] ?? new Float32Array(0)));
    const x = new Float32Array(K * 7), z = new Float32Array(K);
    concat(x, K, columns);
    addDot(z, K, [a, b]);
    concatBackward(fixed, K, columns);
    addDotBackward(dz, K, [a, b]);
    const loss = weighted(x, fixed) + weighted(z, dz);
    return [loss, { a: a.gradient, b: b.gradient, c: c.gradient }];
  });
  const x = new Float32Array(7);
  concat(x, 1, columns);
  const [a0, a1] = values.a, [b0, b1] = values.b, [c0] = values.c;
  const f = Math.fround;
  assert.deepEqual([...x], [
    a0,
    a1,
    f((a0 ?? 0) * (b0 ?? 0)),
    f((a1 ?? 0) * (b1 ?? 0)),
    c0,
    f((b0 ?? 0) ** 2),
    f((b1 ?? 0) ** 2),
  ]);
});

Deno.test("weightedLogisticLoss() is finite for extreme logits, and its gradient equals central differences", () => {
  const z = new Float32Array([1e4, -1e4, 0.3]), y = new Float32Array([0, 1, 1]), w = floats(3, 6);
  const dz = new Float32Array(3);
  assert.ok(Number.isFinite(weightedLogisticLoss(dz, z, y, w)));
  assert.deepEqual(dz.subarray(0, 2), new Float32Array([w[0] ?? NaN, -(w[1] ?? NaN)]));
  const inner = floats(5, 7), labels = new Float32Array([0, 1, 1, 0, 1]), weights = floats(5, 8);
  gradientCheck("loss", { z: inner }, () => {
    const gradient = new Float32Array(5);
    return [weightedLogisticLoss(gradient, inner, labels, weights), { z: gradient }];
  });
});

overKernels(
  "Auxiliary.loss() equals central differences for both scores, and is 0 below two behaviours",
  (kernels) => {
    for (const score of ["mlp", "inner"] as const) {
      const d = 3, T = 4, weight = 0.7;
      const parameters = new Parameters(
        score === "mlp" ? mlpShapes("aux", [2 * d, 4, 3, 1], { activation: "sigmoid" }) : {},
        kernels,
      );
      parameters.values.set(floats(parameters.values.length, 1));
      const auxiliary = new Auxiliary(parameters, "aux", score, d, d);
      const [h, e, negatives] = [floats(T * d, 2), floats(T * d, 3), floats(T * d, 4)];
      const run = (steps: number) => {
        const gradients = new Float32Array(parameters.values.length);
        const [dh, de, dnegatives] = [
          new Float32Array(T * d),
          new Float32Array(T * d),
          new Float32Array(T * d),
        ];
        const input = { T: steps, weight, h, e, negatives, dh, de, dnegatives };
        const loss = weight * auxiliary.loss(input, gradients);
        return [loss, { h: dh, e: de, negatives: dnegatives, parameters: gradients }] as const;
      };
      gradientCheck(score, { h, e, negatives, parameters: parameters.values }, () => [...run(T)]);
      for (const steps of [0, 1]) {
        const [loss, gradients] = run(steps);
        assert.equal(loss, 0);
        assert.ok(Object.values(gradients).every((g) => g.every((x) => x === 0)));
      }
    }
  },
);

Deno.test("Auxiliary() refuses an inner product of unequal widths", () => {
  assert.throws(() => new Auxiliary(new Parameters({}), "aux", "inner", 4, 3), RangeError);
});

overKernels("Mlp.forward() of rows together equals the rows one by one, bit for bit", (kernels) => {
  const parameters = new Parameters(mlpShapes("mlp", [6, 9, 5, 2]), kernels);
  parameters.values.set(floats(parameters.values.length, 5));
  const mlp = new Mlp(parameters, "mlp");
  fc.assert(fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(1000), (m, seed) => {
    const x = floats(m * 6, seed);
    mlp.input(m).set(x);
    const together = mlp.forward(m).slice();
    for (let i = 0; i < m; i++) {
      mlp.input(1).set(x.subarray(6 * i, 6 * i + 6));
      assert.deepEqual(mlp.forward(1).slice(), together.slice(2 * i, 2 * i + 2));
    }
  }));
});
