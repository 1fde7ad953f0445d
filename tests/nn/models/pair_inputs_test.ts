import assert from "node:assert/strict";
import { mulberry32 } from "../../../src/draws/random.ts";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { PairInputs } from "../../../src/nn/models/pair_head/pair_inputs.ts";

const NAMES = {
  pairs: ["near", "far"],
  behaviours: ["gap", "count", "strength"],
  candidates: ["source", "count"],
};

Deno.test("PairInputs.of() standardises what raw() gives, and cuts it off, to the bit", () => {
  const random = mulberry32(1);
  const numbers = (length: number) => Float32Array.from({ length }, () => 6 * random() - 2);
  // Names that the network makes products of are not always there.
  for (const names of [NAMES, { ...NAMES, pairs: ["near", "other"] }, { ...NAMES, candidates: ["a", "b"] }]) {
    const [raw, inputs] = [new PairInputs(names), new PairInputs(names, createKernels())];
    const P = inputs.names.length;
    const scales = {
      pairs: { mean: numbers(P), inverseDeviation: numbers(P).map(Math.abs) },
      candidates: { mean: numbers(2), inverseDeviation: numbers(2).map(Math.abs) },
    };
    // A short list after a long one; and nothing done yet.
    for (const [H, K] of [[16, 100], [3, 7], [0, 5]] as const) {
      const list = {
        ...{ H, K, pairs: numbers(K * H * 2), behaviours: numbers(H * 3), candidates: numbers(K * 2) },
        scores: numbers(K),
      };
      const given = raw.raw(list), made = inputs.of(list, scales);
      const mapped = (values: Float32Array, { mean, inverseDeviation }: typeof scales.pairs) =>
        values.map((value, at) => {
          const x = (value - mean[at % mean.length]!) * inverseDeviation[at % mean.length]!;
          return Math.max(-5, Math.min(x, 5));
        });
      assert.deepEqual([...made.pairs], [...mapped(given.pairs, scales.pairs)]);
      assert.deepEqual([...made.blend], [...mapped(given.blend, scales.candidates)]);
    }
  }
});
