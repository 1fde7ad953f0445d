/**
 * What every {@linkcode Model} promises, on any backend.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { ModelConfigs, ModelName } from "../../src/nn/models/registry.ts";
import type { Model, ModelSizes, TrainingInput } from "../../src/nn/models/core/model.ts";
import { assertClose } from "../golden_vectors.ts";
import { floats } from "../nn/kernels/gradient_check.ts";

/** Makes a model; weights are set afterwards. */
export type MakeModel = <N extends ModelName>(
  name: N,
  sizes: ModelSizes,
  config: ModelConfigs[N],
) => Model | Promise<Model>;

/** Every option of every model at least once in a value that is not its default. */
export const CONFIGS: readonly { [N in ModelName]: readonly [N, ModelConfigs[N]] }[ModelName][] = [
  ["base", { widths: [6, 4], pooling: "mean", product: false }],
  ["base", { widths: [], pooling: "sum", product: true, dotHead: false }],
  ["base", { widths: [5], pooling: "sqrt", product: true }],
  ["din", { widths: [6, 4], attentionWidths: [7, 5], keepPooled: false }],
  ["din", { widths: [6], attentionWidths: [7], norm: "softmax", keepPooled: true, dotHead: false }],
  ["din", { widths: [6], attentionWidths: [5, 4, 3], norm: "linear", keepPooled: true }],
  ["din", { widths: [6], attentionWidths: [5], norm: "maxnorm" }],
  ["dien", { hidden: 4, widths: [6, 4], auxiliaryWidths: [5], pooling: "mean", inputGain: 1 }],
  ["dien", {
    hidden: 5,
    widths: [6],
    norm: "softmax",
    form: "agru",
    pooling: "sqrt",
    auxiliaryWidths: [5, 3],
  }],
  ["dien", { hidden: 4, widths: [6], norm: "maxnorm", form: "aigru", auxiliary: "inner", inputGain: 2 }],
  ["dien", {
    hidden: 6,
    widths: [],
    form: "official",
    dotHead: false,
  }],
  ["dien", { hidden: 3, widths: [5], norm: "linear", form: "augruResetBefore", pooling: "sum" }],
  ["dien", { hidden: 3, widths: [5], form: "keepScaled", inputGain: 0.5 }],
  ["mimn", { hidden: 5, widths: [6, 4], traces: [1], keepPooled: false }],
  ["mimn", {
    slots: 3,
    hidden: 4,
    topK: 2,
    slotKeyWeight: 1,
    decay: 1,
    regularisation: 2,
    widths: [6],
    keepPooled: true,
    dotHead: false,
  }],
  ["mimn", { slots: 2, hidden: 3, topK: 5, slotKeyWeight: 0, widths: [5], dotHead: false }],
  ["dien", { hidden: 3, widths: [5], attention: "none", form: "augru" }],
  ["dien", { hidden: 4, widths: [5], evolvedDot: true }],
  ["mimn", { slots: 2, hidden: 3, widths: [5], induction: false, keepPooled: true }],
  ["mimn", { slots: 2, hidden: 3, widths: [5], keepPooled: true, traces: [1, 0.75] }],
  ["mimn", { slots: 3, hidden: 3, widths: [5] }],
];

/** Sizes of the models under test. */
export const SIZES: ModelSizes = { d: 4, user: 3, context: 2 };

/** Sets weights without any symmetry. */
export function randomise(model: Model, seed: number): void {
  model.parameters.values.set(floats(model.parameters.values.length, seed).map((x) => 0.8 * x));
}

/** A reproducible impression. */
export function impression({ d, user, context }: ModelSizes, T: number, K: number, seed = 1): TrainingInput {
  return {
    T,
    K,
    e: floats(T * d, seed),
    q: floats(K * d, seed + 1),
    xu: floats(user, seed + 2),
    xc: floats(K * context, seed + 3),
    wide: floats(K, seed + 4),
    auxWeight: 0.6,
    labels: floats(K, seed + 5).map((x) => x > 0 ? 1 : 0),
    weights: floats(K, seed + 6).map((x) => 1 + x / 2),
    negatives: floats(T * d, seed + 7),
  };
}

function lossOf(model: Model, input: TrainingInput) {
  const gradients = new Float32Array(model.parameters.values.length);
  const { loss, aux, regularisation = 0, ...rest } = model.loss(input, gradients);
  const arrays = Object.entries({ ...rest, gradients }).map(([name, x]) => [name, x.slice()] as const);
  return { loss, aux, regularisation, arrays: Object.fromEntries(arrays) };
}

/** Options of {@linkcode modelContract}. */
export interface ContractOptions {
  /** Whether equal means the same bits rather than within 1e-5. */
  readonly exact: boolean;
  /** Number of random cases per property. */
  readonly runs: number;
  /** Which models, with which options. @default {CONFIGS} */
  readonly configs?: readonly (readonly [name: string, config: object])[];
}

/** Registers the contract for an implementation named `what`. */
export function modelContract(
  what: string,
  make: MakeModel,
  { exact, runs, configs = CONFIGS }: ContractOptions,
): void {
  const assertSame = (got: Float32Array, want: Float32Array, message: string) =>
    exact ? assert.deepEqual(got, want, message) : assertClose(got, want, 1e-5, message);
  const each = (name: string, check: (model: Model, label: string) => void) =>
    Deno.test(`${what} ${name}`, async () => {
      for (const [i, [model, config]] of configs.entries()) {
        // The compiler cannot relate the pair that CONFIGS keeps together.
        const made = await (make as (name: string, sizes: ModelSizes, config: object) => Promise<Model>)(
          ...[model, SIZES, config] as const,
        );
        randomise(made, i + 1);
        check(made, `${model} ${JSON.stringify(config)}`);
      }
    });
  const shape = fc.record({
    T: fc.nat(6),
    K: fc.integer({ min: 1, max: 5 }),
    seed: fc.nat(1000),
  });
  const over = (check: (T: number, K: number, seed: number) => void) =>
    fc.assert(fc.property(shape, ({ T, K, seed }) => check(T, K, seed)), { numRuns: runs });

  each("has the capabilities that it declares", (model, label) => {
    const { state, lifelong, looks } = model.capabilities;
    assert.equal(model.stateSize > 0, state, label);
    assert.ok(state || !lifelong, label);
    assert.equal(model.look !== undefined, looks !== null, label);
  });

  each("scores K candidates like K single calls", (model, label) =>
    over((T, K, seed) => {
      const { d, context } = model.sizes;
      const input = impression(model.sizes, T, K, seed);
      const together = model.score(input);
      for (let k = 0; k < K; k++) {
        const [q, xc] = [
          input.q.slice(k * d, k * d + d),
          input.xc.slice(k * context, k * context + context),
        ];
        const alone = model.score({ ...input, K: 1, q, xc });
        assertSame(alone, together.slice(k, k + 1), label);
      }
    }));

  each("returns its scores plus the wide part as logits of the loss", (model, label) =>
    over((T, K, seed) => {
      const input = impression(model.sizes, T, K, seed);
      const scores = model.score(input);
      assertSame(
        lossOf(model, input).arrays.logits ?? scores,
        scores.map((z, k) => z + (input.wide[k] ?? NaN)),
        label,
      );
    }));

  each("changes neither inputs, weights nor state, and scores the same after other calls", (model, label) => {
    const input = impression(model.sizes, 4, 3);
    const state = model.initState();
    const arrays = Object.values(input).filter((x) => x instanceof Float32Array);
    const before = [...arrays, model.parameters.values, state].map((x) => x.slice());
    const first = model.score(input), loss = lossOf(model, input);
    model.score(impression(model.sizes, 9, 7, 50));
    lossOf(model, impression(model.sizes, 0, 1, 60));
    assert.deepEqual(model.score(input), first, label);
    assert.deepEqual(lossOf(model, input), loss, label);
    assert.deepEqual([...arrays, model.parameters.values, state], before, label);
  });

  each("adds to the gradients it is given", (model, label) => {
    const input = impression(model.sizes, 3, 2);
    const once = lossOf(model, input).arrays.gradients;
    const twice = new Float32Array(model.parameters.values.length);
    model.loss(input, twice);
    model.loss(input, twice);
    assertClose(twice.map((g) => g / 2), once ?? [], 1e-5, label);
  });

  each("has an auxiliary loss exactly if it declares one", (model, label) =>
    over((T, K, seed) => {
      const { aux } = lossOf(model, impression(model.sizes, T + 2, K, seed));
      assert.equal(aux > 0, model.capabilities.historyObjective, label);
    }));

  each("stays finite for an empty history and learns nothing from it", (model, label) => {
    for (const K of [1, 3]) {
      const { loss, aux, arrays } = lossOf(model, impression(model.sizes, 0, K));
      assert.ok(Number.isFinite(loss), label);
      assert.equal(aux, 0, label);
      for (const x of Object.values(arrays)) assert.ok(x.every(Number.isFinite), label);
      for (const name of model.parameters.shapes.keys()) {
        // A lifelong model reads its start state, which is trained, where the others have zeros.
        if (name.startsWith("mlp") || model.capabilities.lifelong) continue;
        assert.ok(model.parameters.block(name, arrays.gradients).every((g) => g === 0), `${label} ${name}`);
      }
    }
  });

  each("depends on the order of the history exactly if it declares so", (model, label) => {
    const input = impression(model.sizes, 5, 3);
    const { d } = model.sizes;
    const reversed = input.e.map((_, o) => input.e[(4 - Math.floor(o / d)) * d + o % d] ?? NaN);
    const before = model.score(input), after = model.score({ ...input, e: reversed });
    if (!model.capabilities.ordered) assertClose(after, before, 1e-6, label);
    else assert.throws(() => assertClose(after, before, 1e-4, label));
  });

  each(
    "starts from a zero state, or a trained one, and folds finite steps that depend on the order",
    (model, label) => {
      const start = model.initState();
      assert.equal(start.length, model.stateSize, label);
      if (!model.capabilities.lifelong) assert.ok(start.every((x) => x === 0), label);
      const [a, b] = [floats(model.sizes.d, 1), floats(model.sizes.d, 2)];
      const fold = (...steps: Float32Array[]) => {
        const folded = model.initState();
        for (const e of steps) model.step(folded, e);
        return folded;
      };
      assert.ok(fold(a, b).every(Number.isFinite), label);
      if (model.stateSize > 0 && model.capabilities.ordered) {
        assert.notDeepEqual(fold(a, b), fold(b, a), label);
      }
    },
  );

  each("has the gradient ∂loss/∂z of the logistic loss", (model, label) => {
    const input = impression(model.sizes, 3, 4);
    const { loss, aux, regularisation, arrays } = lossOf(model, input);
    let want = input.auxWeight * aux + regularisation * input.weights.reduce((sum, w) => sum + w, 0);
    arrays.logits?.forEach((z, k) => {
      const y = input.labels[k] ?? NaN, w = input.weights[k] ?? NaN;
      want += w * (Math.log1p(Math.exp(z)) - y * z);
      assertClose([arrays.z?.[k] ?? NaN], [w * (1 / (1 + Math.exp(-z)) - y)], 1e-5, label);
    });
    assertClose([loss], [want], 1e-5, label);
  });

  each(
    "scores the same from a folded state as from the behaviours, if it is lifelong",
    (model, label) =>
      over((T, K, seed) => {
        if (!model.capabilities.lifelong) return;
        const input = impression(model.sizes, T, K, seed);
        const state = fold(model, model.initState(), input.e);
        const before = state.slice();
        const want = model.score(input);
        assertSame(model.score({ ...input, T: 0, e: new Float32Array(0), state }), want, label);
        const half = Math.floor(T / 2), d = model.sizes.d;
        const start = fold(model, model.initState(), input.e.subarray(0, half * d));
        const rest = {
          T: T - half,
          e: input.e.slice(half * d),
          negatives: new Float32Array(0),
          state: start,
        };
        assertSame(model.score({ ...input, ...rest }), want, label);
        assert.deepEqual(state, before, label);
      }),
  );

  each(
    "has the same loss from a stored state as from its behaviours, if it is lifelong",
    (model, label) =>
      over((T, K, seed) => {
        if (!model.capabilities.lifelong) return;
        const input = impression(model.sizes, T, K, seed);
        const stored = Math.floor(T / 2), at = stored * model.sizes.d;
        const state = fold(model, model.initState(), input.e.subarray(0, at));
        const before = state.slice();
        const window = {
          ...input,
          T: T - stored,
          e: input.e.slice(at),
          negatives: new Float32Array(0),
          state,
        };
        const [part, whole] = [lossOf(model, window), lossOf(model, input)];
        assertSame(part.arrays.logits ?? before, whole.arrays.logits ?? before, label);
        assertClose([part.loss, part.regularisation], [whole.loss, whole.regularisation], 1e-6, label);
        assertClose(part.arrays.e ?? [], whole.arrays.e?.slice(at) ?? [], 1e-4, label);
        assert.deepEqual(state, before, label);
        for (const name of ["M0", "r0"].filter((name) => model.parameters.shapes.has(name))) {
          assert.ok(
            model.parameters.block(name, part.arrays.gradients).every((g) => g === 0),
            `${label} ${name}`,
          );
        }
      }),
  );
}

/** Steps a state over behaviours [T, d]. */
function fold(model: Model, state: Float32Array, e: Float32Array): Float32Array {
  const { d } = model.sizes;
  for (let o = 0; o < e.length; o += d) model.step(state, e.slice(o, o + d));
  return state;
}
