/**
 * The golden vectors of the models: cases with what they inherit, and the mapping from their named arrays to ours and
 * back (the three gates of a GRU are side by side in our blocks).
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Model, ModelInput, ModelSizes, TrainingInput } from "../../../src/nn/models/core/model.ts";
import type { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { assertClose } from "../../golden_vectors.ts";

/** A number or arrays of them. */
export type Nested = number | readonly Nested[];

/** Arrays by name, in groups. */
export interface Tree {
  readonly [name: string]: Nested | Tree;
}

/** One example: weights, inputs, and per variant the outputs and gradients. */
export interface GoldenCase {
  readonly params: Tree;
  readonly inputs: Readonly<Record<string, Nested>>;
  readonly outputs: Readonly<Record<string, Readonly<Record<string, Nested>>>>;
  readonly grads: Readonly<
    Record<string, { readonly params: Tree; readonly inputs: Readonly<Record<string, Nested>> }>
  >;
  /** The state of each user before the first behaviour, where it is given. */
  readonly starts?: readonly Float32Array[];
}

/** Tolerances of the vectors for float32, forward and gradients. */
export const FORWARD = 1e-5;
export const BACKWARD = 1e-4;

/** All numbers, row-major. */
export function flat(nested: Nested | undefined): number[] {
  if (nested === undefined) return [];
  return typeof nested === "number" ? [nested] : nested.flatMap((inner) => flat(inner));
}

/** Rows of the outermost dimension. */
export function rows(nested: Nested | undefined): readonly Nested[] {
  return typeof nested === "object" ? nested : [];
}

/** The arrays of a tree by dotted name. */
export function leaves(tree: Tree, prefix = ""): [string, number[]][] {
  return Object.entries(tree).flatMap(([name, value]): [string, number[]][] =>
    typeof value === "number" || Array.isArray(value)
      ? [[prefix + name, flat(value as Nested)]]
      : leaves(value as Tree, `${prefix}${name}.`)
  );
}

/** Where `gru1.Wu` is in our blocks: columns of `gru1.W`; other names are blocks of their own. */
function locate(name: string): { block: string; gate: number } {
  const gru = /^(.*\.)?([WUb])([urh])$/.exec(name);
  return gru === null ? { block: name, gate: -1 } : {
    block: `${gru[1] ?? ""}${gru[2]}`,
    gate: "urh".indexOf(gru[3] ?? ""),
  };
}

/** The array that a golden name stands for. */
export function readBlock(parameters: Parameters, values: Float32Array, name: string): number[] {
  const { block, gate } = locate(name);
  const all = parameters.block(block, values);
  if (gate < 0) return Array.from(all);
  const width = parameters.shapes.get(block)?.at(-1) ?? 0;
  return Array.from(all).filter((_, i) => Math.floor((i % width) / (width / 3)) === gate);
}

/** Sets the weights to those of a tree; groups that the model does not have are left out. */
export function writeBlocks(parameters: Parameters, tree: Tree, prefix = ""): void {
  for (const [name, want] of leaves(tree, prefix)) {
    const { block, gate } = locate(name);
    if (!parameters.shapes.has(block)) continue;
    const all = parameters.block(block);
    const width = parameters.shapes.get(block)?.at(-1) ?? 0;
    if (gate < 0) all.set(want);
    else {
      const columns = width / 3;
      want.forEach((x, i) => {
        all[Math.floor(i / columns) * width + gate * columns + i % columns] = x;
      });
    }
  }
}

/** Compares the gradients of every block, or of those under a prefix, with those of a tree, which has them all. */
export function assertBlocks(
  parameters: Parameters,
  gradients: Float32Array,
  tree: Tree,
  what: string,
  prefix = "",
): void {
  const wanted = new Map(leaves(tree, prefix));
  for (const block of parameters.shapes.keys()) {
    if (!block.startsWith(prefix)) continue;
    for (const name of wanted.has(block) ? [block] : [..."urh"].map((gate) => block + gate)) {
      const want = wanted.get(name) ?? assert.fail(`${what} has no gradient of ${name}`);
      assertClose(readBlock(parameters, gradients, name), want, BACKWARD, `${what} gradient of ${name}`);
    }
  }
}

/** Compares the gradients of inputs with those of a case, which has them all. */
export function assertInputs(
  got: Readonly<Record<string, ArrayLike<number>>>,
  want: Readonly<Record<string, Nested>> | undefined,
  what: string,
): void {
  for (const [name, values] of Object.entries(got)) {
    assertClose(values, flat(want?.[name]), BACKWARD, `${what} gradient of ${name}`);
  }
}

/** Indices of the valid steps of a mask row. */
export function validSteps(mask: Nested | undefined): number[] {
  return flat(mask).flatMap((valid, t) => valid === 1 ? [t] : []);
}

/** What a model computes for a whole golden case, in the shapes of its arrays. */
export interface BatchResult {
  readonly loss: number;
  readonly aux: number;
  /** Of each user; 0 for a model without. */
  readonly regularisation: number[];
  readonly logits: number[];
  /** Logits of `score`. */
  readonly scores: number[];
  readonly gradients: Float32Array;
  readonly inputs: Readonly<Record<string, number[]>>;
}

/** Runs a model impression by impression over a case, valid steps only, and puts the gradients back in place. */
export function runBatch(model: Model, { inputs, starts }: GoldenCase, auxiliary: boolean): BatchResult {
  const { d } = model.sizes;
  const users = rows(inputs.e);
  const T = rows(users[0]).length;
  const K = rows(inputs.y)[0] instanceof Array ? rows(rows(inputs.y)[0]).length : 1;
  const valid = users.map((_, b) => validSteps(rows(inputs.mask)[b]));
  const allPairs = valid.reduce((sum, steps) => sum + Math.max(0, steps.length - 1), 0);
  const gradients = new Float32Array(model.parameters.values.length);
  const logits: number[] = [], scores: number[] = [], regularisation: number[] = [];
  const back: Record<string, number[]> = { e: [], negative: [], q: [], xu: [], xc: [] };
  let loss = 0, aux = 0;
  users.forEach((history, b) => {
    const steps = valid[b] ?? [];
    const gather = (x: Nested | undefined) => Float32Array.from(steps.flatMap((t) => flat(rows(x)[t])));
    const row = (name: string) => Float32Array.from(flat(rows(inputs[name])[b]));
    const xc = row("xc");
    const input: ModelInput = {
      T: steps.length,
      K,
      e: gather(history),
      q: row("q"),
      xu: row("xu"),
      xc: Float32Array.from({ length: K * xc.length }, (_, i) => xc[i % xc.length] ?? NaN),
    };
    const start = starts?.[b];
    const folded = start?.slice();
    for (let t = 0; folded !== undefined && t < steps.length; t++) {
      model.step(folded, input.e.subarray(t * d, (t + 1) * d));
    }
    const pairs = Math.max(0, steps.length - 1);
    const training: TrainingInput = {
      ...input,
      wide: new Float32Array(K),
      labels: row("y"),
      auxWeight: 0,
      weights: new Float32Array(K).fill(1 / (users.length * K)),
      negatives: auxiliary ? gather(rows(inputs.negative)[b]) : new Float32Array(0),
      ...(auxiliary ? { auxWeight: Number(inputs.alpha) * pairs / Math.max(1, allPairs) } : {}),
      ...(start === undefined ? {} : { state: start }),
    };
    const none = { T: 0, e: new Float32Array(0) };
    scores.push(...model.score(folded === undefined ? input : { ...input, ...none, state: folded }));
    const result = model.loss(training, gradients);
    loss += result.loss;
    aux += result.aux * pairs / Math.max(1, allPairs);
    logits.push(...result.logits);
    regularisation.push(result.regularisation ?? 0);
    const scatter = (packed: Float32Array) => {
      const full = new Array<number>(T * d).fill(0);
      packed.forEach((x, o) => full[(steps[Math.floor(o / d)] ?? NaN) * d + o % d] = x);
      return full;
    };
    back.e?.push(...scatter(result.e));
    back.negative?.push(...scatter(result.negatives));
    back.q?.push(...result.q);
    back.xu?.push(...result.xu);
    for (let j = 0; j < xc.length; j++) {
      back.xc?.push(result.xc.reduce((sum, x, i) => sum + (i % xc.length === j ? x : 0), 0));
    }
  });
  return { loss, aux, regularisation, logits, scores, gradients, inputs: back };
}

/** Runs a variant of a case and compares logits, losses and all gradients. */
export function assertBatch(model: Model, golden: GoldenCase, variant: string, what: string): void {
  writeBlocks(model.parameters, golden.params);
  const outputs = golden.outputs[variant] ?? {}, grads = golden.grads[variant];
  const got = runBatch(model, golden, "aux" in outputs);
  assertClose(got.logits, flat(outputs.logit), FORWARD, `${what} logits`);
  assertClose(got.scores, flat(outputs.logit), FORWARD, `${what} scores`);
  assertClose([got.loss], flat(outputs.loss), FORWARD, `${what} loss`);
  if ("aux" in outputs) assertClose([got.aux], flat(outputs.aux), FORWARD, `${what} aux`);
  if ("reg" in outputs || got.regularisation.some((x) => x !== 0)) {
    assertClose(got.regularisation, flat(outputs.reg), FORWARD, `${what} reg`);
  }
  assertBlocks(model.parameters, got.gradients, grads?.params ?? {}, what);
  const { negative, ...inputs } = got.inputs;
  assertInputs("aux" in outputs ? { ...inputs, negative: negative ?? [] } : inputs, grads?.inputs, what);
}

/** The sizes of a case's vectors. */
export function sizesOf({ inputs }: GoldenCase): ModelSizes {
  const width = (nested: Nested | undefined): number =>
    Array.isArray(nested) ? width(nested[0]) || nested.length : 0;
  return { d: width(inputs.e), user: width(inputs.xu), context: width(inputs.xc) };
}

/** Widths of the hidden layers of an MLP of a case. */
export function widthsOf({ params }: GoldenCase, mlp: string): number[] {
  const layers = params[mlp] as Tree;
  return [layers.b1, layers.b2].map((bias) => flat(bias as Nested).length);
}
