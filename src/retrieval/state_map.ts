/**
 * From a user's recurrent state to the vectors of items: a linear map that is learnt beside the model, so that any
 * model with a state can be searched with, whatever it was taught.
 *
 * ```text
 *   u   = W [h ; 1]                            h the state before the behaviour [H], u as long as an item's vector [d]
 *   z_j = u·v(j)                               the score is e^z
 *   step: for the item j that was taken (y = 1) and 10 that others took lately (y = 0), g = Σ (y − σ(z_j)) v(j):
 *         G_k += g_k² · mean(h²),    W_k += 0.3 · g_k / √(1 + G_k) · [h ; 1]
 * ```
 *
 * v are those of `item_vectors.ts`, which are not changed. They are a function of the signals; h depends on the
 * versions that were served too, so W is a record of its own.
 *
 * @module
 */

import { natural, type OptionsOf, settle } from "../options/option.ts";
import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { ItemScores } from "./item_scores.ts";
import type { Serving } from "../features/serving.ts";
import { type ItemVectors, type ItemVectorsOptions, VECTORS_OPTIONS } from "./item_vectors.ts";
import { modelsThat } from "../nn/models/registry.ts";

const RATE = 0.3;

/** Options of the source `state`. */
export interface StateSourceOptions {
  /** It learns from every so many wanted behaviours; 0 turns it off. @default {0} */
  readonly learnEvery?: number | undefined;
}

/** The options of {@linkcode StateSourceOptions}. */
export const STATE_SOURCE_OPTIONS = {
  learnEvery: natural(
    0,
    "the source `state` learns from every so many wanted behaviours; 0 turns it off. It needs vectors, and " +
      modelsThat(({ state }) => state, "or"),
  ),
} satisfies OptionsOf<StateSourceOptions>;

/** @throws RangeError when states are to be searched with, and there are no vectors to search or no states. */
export function checkStateSource(
  options: {
    readonly state?: StateSourceOptions | undefined;
    readonly vectors?: ItemVectorsOptions | undefined;
  },
  serving?: Pick<Serving, "model" | "stateSize">,
): void {
  const { learnEvery } = settle(STATE_SOURCE_OPTIONS, options.state);
  if (learnEvery === 0) return;
  const what = `Cannot search with users' states (state.learnEvery is ${learnEvery})`;
  if (settle(VECTORS_OPTIONS, options.vectors).dimensions === 0) {
    throw new RangeError(`${what}: vectors.dimensions is 0`);
  }
  if (serving?.stateSize === 0) {
    throw new RangeError(`${what}: the model ${serving.model} has none`);
  }
}

/** The map of one model's states. */
export class StateMap {
  // H the length of a state, d that of a vector
  readonly #vectors: ItemVectors;
  readonly #d: number;
  #H = 0;
  /** W [d, H + 1]. */
  #weights: Float32Array = new Float32Array(0);
  /** G [d]. */
  readonly #squares: Float64Array;
  #steps = 0;
  /** Scratch: u and its gradient. */
  readonly #u: Float32Array;
  readonly #gradient: Float32Array;

  /** Nothing learnt; the length of states is that of the first. */
  constructor(vectors: ItemVectors) {
    this.#vectors = vectors;
    const d = this.#d = vectors.dimensions;
    this.#squares = new Float64Array(d);
    this.#u = new Float32Array(d);
    this.#gradient = new Float32Array(d);
  }

  /** Steps ever made. */
  get steps(): number {
    return this.#steps;
  }

  /** A step from a state towards the item that was taken next. O(H · d). @returns Whether there was one to make. */
  learn(state: Float32Array, item: number): boolean {
    if (state.length !== this.#H) this.#begin(state.length);
    const [H, d, weights, gradient] = [this.#H, this.#d, this.#weights, this.#gradient];
    if (!this.#vectors.pull(this.#project(state), item, this.#steps, gradient)) return false;
    let square = 1;
    for (let i = 0; i < H; i++) square += state[i]! * state[i]!;
    square /= H + 1;
    if (!Number.isFinite(square) || gradient.some((g) => !Number.isFinite(g))) return false;
    this.#steps++;
    for (let k = 0; k < d; k++) {
      const g = gradient[k]!;
      this.#squares[k] = this.#squares[k]! + g * g * square;
      const step = RATE * g / Math.sqrt(1 + this.#squares[k]!);
      const at = k * (H + 1);
      for (let i = 0; i < H; i++) weights[at + i] = weights[at + i]! + step * state[i]!;
      weights[at + H] = weights[at + H]! + step;
    }
    return true;
  }

  /** Adds e^z of the items nearest to a state; none before the first step, or when it is of another model. */
  score(state: Float32Array, into: ItemScores): void {
    if (this.#steps > 0 && state.length === this.#H) this.#vectors.scoreNearest(this.#project(state), into);
  }

  /** Writes everything. */
  encode(to: ByteWriter): void {
    to.uint(this.#d).uint(this.#H).uint(this.#steps).f32s(this.#weights).f64s(this.#squares);
  }

  /** Reads what {@linkcode StateMap.encode} wrote; a map to vectors of another length is left out. */
  decode(from: ByteReader): void {
    const [d, H, steps] = [from.uint(), from.uint(), from.uint()];
    const weights = from.f32s(d * (H + 1));
    const squares = from.f64s(d);
    if (d !== this.#d) return;
    this.#H = H;
    this.#steps = steps;
    this.#weights = weights;
    this.#squares.set(squares);
  }

  /** Begins anew, with states of another length. */
  #begin(H: number): void {
    this.#H = H;
    this.#weights = new Float32Array(this.#d * (H + 1));
    this.#squares.fill(0);
    this.#steps = 0;
  }

  /** u of a state, valid until the next call. */
  #project(state: Float32Array): Float32Array {
    const [H, weights] = [this.#H, this.#weights];
    for (let k = 0; k < this.#d; k++) {
      const at = k * (H + 1);
      let sum = weights[at + H]!;
      for (let i = 0; i < H; i++) sum += weights[at + i]! * state[i]!;
      this.#u[k] = sum;
    }
    return this.#u;
  }
}
