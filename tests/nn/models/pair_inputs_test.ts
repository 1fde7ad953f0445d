import assert from "node:assert/strict";
import { mulberry32 } from "../../../src/draws/random.ts";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import type { PairList } from "../../../src/nn/models/pair_head/pair_list.ts";
import { PairInputs } from "../../../src/nn/models/pair_head/pair_inputs.ts";

const NAMES = {
  pairs: ["near", "far"],
  behaviours: ["gap", "count", "strength"],
  candidates: ["source", "count"],
};

type Names = typeof NAMES;

/** Inputs of a list by their definition, unscaled, for names and sizes [K, H, P]. */
function defined(names: Names, { H, K, pairs, behaviours, candidates }: PairList): Float32Array {
  const value = (all: Float32Array, of: readonly string[], row: number, name: string) =>
    of.includes(name) ? all[row * of.length + of.indexOf(name)]! : 0;
  const inputs: number[] = [];
  for (let i = 0; i < K; i++) {
    for (let j = 0; j < H; j++) {
      const pair = (name: string) => value(pairs, names.pairs, i * H + j, name);
      const behaviour = (name: string) => value(behaviours, names.behaviours, j, name);
      const count = value(candidates, names.candidates, i, "count");
      inputs.push(...names.pairs.map(pair), ...names.behaviours.map(behaviour), count);
      inputs.push(pair("far") * behaviour("strength") || 0); // never −0
      inputs.push(pair("far") - 0.5 * behaviour("count") - 0.2 * count);
    }
  }
  return Float32Array.from(inputs);
}

Deno.test("PairInputs computes inputs by their definition, standardised and clipped, to the bit", () => {
  const random = mulberry32(1);
  const numbers = (length: number) => Float32Array.from({ length }, () => 6 * random() - 2);
  // Inputs that the network multiplies may be missing.
  for (const names of [NAMES, { ...NAMES, pairs: ["near", "other"] }, { ...NAMES, candidates: ["a", "b"] }]) {
    const inputs = new PairInputs(names, createKernels());
    const P = inputs.names.length;
    const scales = {
      pairs: { mean: numbers(P), inverseDeviation: numbers(P).map(Math.abs) },
      candidates: { mean: numbers(2), inverseDeviation: numbers(2).map(Math.abs) },
    };
    // A short list after a long one; and one without behaviours.
    for (const [H, K] of [[16, 100], [3, 7], [0, 5]] as const) {
      const list = {
        H,
        K,
        pairs: numbers(K * H * 2),
        behaviours: numbers(H * 3),
        candidates: numbers(K * 2),
        scores: numbers(K),
      };
      const mapped = (values: Float32Array, { mean, inverseDeviation }: typeof scales.pairs) =>
        values.map((value, at) => {
          const x = (value - mean[at % mean.length]!) * inverseDeviation[at % mean.length]!;
          return Math.max(-5, Math.min(x, 5));
        });
      const wanted = defined(names, list);
      const raw = inputs.raw(list);
      assert.deepEqual([...raw.pairs], [...wanted]);
      assert.deepEqual([...raw.blend], [...list.candidates]);
      const made = inputs.of(list, scales);
      assert.deepEqual([...made.pairs], [...mapped(wanted, scales.pairs)]);
      assert.deepEqual([...made.blend], [...mapped(list.candidates, scales.candidates)]);
    }
  }
});
