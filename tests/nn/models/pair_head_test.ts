import assert from "node:assert/strict";
import type { Kernels } from "../../../src/nn/kernels/kernels.ts";
import { PairHead, type PairHeadInput } from "../../../src/nn/models/pair_head/pair_head.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { Adam } from "../../../src/nn/optimisers/adam.ts";
import { assertClose, goldenTest } from "../../golden_vectors.ts";
import { overKernels, runs } from "../kernels/all_kernels.ts";
import { floats, gradientCheck } from "../kernels/gradient_check.ts";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { KERNEL_NAMES } from "../../../src/nn/kernels/kernels.ts";
import {
  assertBlocks,
  flat,
  FORWARD,
  type GoldenCase,
  type Nested,
  rows,
  type Tree,
  writeBlocks,
} from "./golden.ts";

interface PairGolden {
  readonly params: Tree;
  readonly inputs: GoldenCase["inputs"] & {
    readonly sizes: { readonly behaviours: number; readonly candidates: number };
  };
  readonly outputs: Readonly<Record<string, Nested>>;
  readonly grads: Tree;
}

/** A head of the sizes of a case, with its weights. */
function headOf({ params }: PairGolden, kernels: Kernels): PairHead {
  const size = (name: string) => rows(params[name] as Nested).length;
  const [pairUnits, sums, units] = [size("b1"), size("b2"), size("b3")];
  const sizes = { behaviours: size("alpha"), pairs: size("W1"), blend: size("W3") - 1 - sums };
  const head = new PairHead({ ...sizes, pairUnits, sums, units }, () => 0.5, kernels);
  writeBlocks(head.parameters, params);
  return head;
}

for (const name of KERNEL_NAMES.filter(runs)) {
  goldenTest<PairGolden>(`${name}: PairHead scores and learns as PyTorch does`, "pair_head.json", (cases) => {
    for (const [what, golden] of Object.entries(cases)) {
      const kernels = createKernels(name);
      const head = headOf(golden, kernels);
      const { pairs, blend, scores, target, sizes } = golden.inputs;
      const array = (nested: Nested | undefined) => {
        assert.ok(nested !== undefined, "an input is missing");
        return Float32Array.from(flat(nested));
      };
      const input: PairHeadInput = {
        H: sizes.behaviours,
        K: sizes.candidates,
        pairs: array(pairs),
        blend: array(blend),
        scores: array(scores),
      };
      assertClose(head.score(input), flat(golden.outputs.scores), FORWARD, `${what} scores`);
      const gradients = kernels.floats(head.parameters.values.length);
      const loss = head.loss(input, Number(target), gradients);
      assertClose([loss], flat(golden.outputs.loss), FORWARD, `${what} loss`);
      assertBlocks(head.parameters, gradients, golden.grads, what);
    }
  });
}

/** A list with arbitrary inputs. */
function list(H: number, K: number, { P = 7, B = 5 } = {}, seed = 1): PairHeadInput {
  const [pairs, blend, scores] = [floats(K * H * P, seed), floats(K * B, seed + 1), floats(K, seed + 2)];
  return { H, K, pairs, blend, scores };
}

function trained(kernels: Kernels, seed = 3): PairHead {
  const head = new PairHead({ behaviours: 6, pairs: 7, blend: 5 }, mulberry32(seed), kernels);
  head.parameters.values.set(floats(head.parameters.values.length, seed).map((x) => x / 2));
  return head;
}

overKernels("PairHead.loss() equals central differences in every weight", (kernels) => {
  const head = trained(kernels);
  // Far from kinks, with half of the units on: the difference over a kink is not the gradient at either end.
  for (const [name, far] of [["b1", 4], ["b3", 12]] as const) {
    head.parameters.block(name).forEach((_, o, bias) => bias[o] = o % 2 === 0 ? far : -far);
  }
  const input = list(4, 9);
  const gradients = kernels.floats(head.parameters.values.length);
  const blocks = Object.fromEntries(
    [...head.parameters.shapes.keys()].map((name) => [name, head.parameters.block(name)]),
  );
  gradientCheck("pair head", blocks, () => {
    kernels.clear(gradients);
    const loss = head.loss(input, 2, gradients);
    return [
      loss,
      Object.fromEntries(Object.keys(blocks).map((name) => [name, head.parameters.block(name, gradients)])),
    ];
  }, { epsilon: 1 / 16, tolerance: 1e-2 });
});

overKernels("PairHead.score() returns the given scores before it has learnt", (kernels) => {
  const head = new PairHead({ behaviours: 6, pairs: 7, blend: 5 }, mulberry32(1), kernels);
  const input = list(6, 20);
  assertClose(head.score(input), input.scores, 1e-6, "scores");
});

overKernels("PairHead.score() of candidates together equals each alone, bit for bit", (kernels) => {
  const head = trained(kernels);
  const input = list(5, 12);
  const together = [...head.score(input)];
  const alone = together.map((_, i) =>
    head.score({
      H: 5,
      K: 1,
      pairs: input.pairs.slice(i * 35, i * 35 + 35),
      blend: input.blend.slice(i * 5, i * 5 + 5),
      scores: input.scores.slice(i, i + 1),
    })[0]
  );
  assert.deepEqual(together, alone);
});

overKernels(
  "PairHead.score() uses the current weights, whichever of them changed since the last list",
  (kernels) => {
    const head = trained(kernels);
    for (const name of head.parameters.shapes.keys()) {
      const block = head.parameters.block(name);
      for (const place of [0, block.length >> 1, block.length - 1]) {
        head.score(list(3, 4));
        block[place] = -block[place]! - 1;
        const fresh = trained(kernels);
        fresh.parameters.values.set(head.parameters.values);
        assert.deepEqual(head.score(list(6, 4)), fresh.score(list(6, 4)), `${name}[${place}]`);
      }
    }
  },
);

overKernels("PairHead learns which inputs predict what is taken", (kernels) => {
  const random = mulberry32(5);
  const head = new PairHead({ behaviours: 6, pairs: 7, blend: 5 }, random, kernels);
  const adam = new Adam(head.parameters.values.length, { learningRate: 0.01, beta2: 0.99 });
  const gradients = kernels.floats(head.parameters.values.length);
  // The rectified sum of two inputs, over behaviours: no weight of a single input expresses it.
  const taken = ({ H, K, pairs }: PairHeadInput) => {
    let [best, most] = [0, -Infinity];
    for (let i = 0; i < K; i++) {
      let sum = 0;
      for (let j = 0; j < H; j++) sum += Math.max(0, pairs[(i * H + j) * 7]! + pairs[(i * H + j) * 7 + 1]!);
      if (sum > most) [best, most] = [i, sum];
    }
    return best;
  };
  let hits = 0;
  for (let step = 0; step < 1500; step++) {
    const input = list(3, 8, {}, 10 + 3 * step);
    const target = taken(input);
    if (step >= 1300) {
      const scores = [...head.score(input)];
      if (scores.indexOf(Math.max(...scores)) === target) hits++;
    }
    kernels.clear(gradients);
    head.loss(input, target, gradients);
    adam.step(head.parameters.values, gradients);
  }
  assert.ok(hits > 110, `${hits} of 200; by chance 25`);
});

Deno.test("PairHead refuses lists of other sizes, and targets that are not on the list", () => {
  const head = trained(createKernels("plain"));
  const input = list(4, 9);
  const gradients = new Float32Array(head.parameters.values.length);
  for (
    const bad of [
      { ...input, H: 7 },
      { ...input, K: 8 },
      { ...input, pairs: new Float32Array(3) },
      list(0, 0),
    ]
  ) {
    assert.throws(() => head.score(bad), TypeError);
  }
  for (const target of [-1, 9, NaN]) assert.throws(() => head.loss(input, target, gradients), RangeError);
});
