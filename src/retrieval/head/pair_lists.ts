/** Makes the lists that the pair head orders. */

import { cleared } from "../../features/rows/workspace.ts";
import { MAX_BEHAVIOURS } from "../../nn/models/pair_head/learnt_order.ts";
import type { PairList, PairNames } from "../../nn/models/pair_head/pair_list.ts";
import {
  BEHAVIOUR_VALUES,
  type Columns,
  PAIR_VALUES,
  type PairParts,
  type PairRequest,
  type ValueKind,
} from "./pair_values.ts";

const MINUTE_MS = 60_000;
/** Values that all candidates of a list share: how much the user has done, and how long ago. */
const LIST_VALUES = ["behaviours", "pause"] as const;

export interface BlendedCandidates {
  /** Places of those of the list. */
  readonly places: ArrayLike<number>;
  /** Indices of all candidates. */
  readonly items: ArrayLike<number>;
  /** Features of all candidates, row by row. */
  readonly values: Float64Array;
  readonly scores: Float64Array;
  /** Subtracted from scores: only differences matter, and single precision is finest around 0. */
  readonly middle: number;
}

/** Makes lists of the values that the pair head reads. */
export class PairLists {
  readonly names: PairNames;
  /** Number of features, and columns of those that the head reads. */
  readonly #features: number;
  readonly #read: readonly number[];
  readonly #pairs: readonly [(request: PairRequest, into: Columns) => void, column: number][];
  readonly #behaviours: readonly [(request: PairRequest, into: Columns) => void, column: number][];
  /** Workspaces of the newest list. */
  #pairValues = new Float32Array(0);
  #behaviourValues = new Float32Array(0);
  #candidateValues = new Float32Array(0);
  #scores = new Float32Array(0);

  /**
   * Makes lists of candidates with these features.
   *
   * @param unread Names of features that the head does not read
   * @throws RangeError when a name occurs twice: weights are found by name
   */
  constructor(parts: PairParts, features: readonly string[], unread: readonly string[] = []) {
    this.#features = features.length;
    this.#read = [...features.keys()].filter((column) => !unread.includes(features[column]!));
    const namesOf = (kinds: readonly ValueKind[]) => kinds.flatMap(({ names }) => names);
    this.names = {
      pairs: namesOf(PAIR_VALUES),
      behaviours: namesOf(BEHAVIOUR_VALUES),
      candidates: [...this.#read.map((column) => features[column]!), ...LIST_VALUES],
    };
    for (const names of Object.values(this.names)) {
      const twice = names.find((name: string, k: number) => names.indexOf(name) < k);
      if (twice !== undefined) throw new RangeError(`Cannot make pair lists: ${twice} names two values`);
    }
    const placed = (kinds: readonly ValueKind[]) =>
      kinds.map((kind, k): [ReturnType<ValueKind["create"]>, number] => [
        kind.create(parts),
        namesOf(kinds.slice(0, k)).length,
      ]);
    this.#pairs = placed(PAIR_VALUES);
    this.#behaviours = placed(BEHAVIOUR_VALUES);
  }

  /** Candidates of a request with all values, valid until the next call. */
  make(request: Omit<PairRequest, "H" | "items">, ranked: BlendedCandidates): PairList {
    const { context, time } = request;
    const { places } = ranked;
    const K = places.length;
    const H = Math.min(MAX_BEHAVIOURS, context.size);
    const [V, A, F] = [this.names.pairs.length, this.names.behaviours.length, this.#read.length];
    const items = new Uint32Array(K);
    for (let i = 0; i < K; i++) items[i] = ranked.items[places[i]!]!;
    const asked = { context, time, H, items };
    const pairs = (this.#pairValues = cleared(this.#pairValues, K * H * V)).subarray(0, K * H * V);
    for (const [fill, column] of this.#pairs) fill(asked, { values: pairs, column, columns: V });
    const behaviours = (this.#behaviourValues = cleared(this.#behaviourValues, H * A)).subarray(0, H * A);
    for (const [fill, column] of this.#behaviours) fill(asked, { values: behaviours, column, columns: A });
    const done = Math.log1p(context.size);
    const pause = H === 0 ? 0 : Math.log1p(Math.max(0, time - context.times[0]!) / MINUTE_MS);
    const B = F + LIST_VALUES.length;
    const candidates = (this.#candidateValues = cleared(this.#candidateValues, K * B)).subarray(0, K * B);
    const scores = (this.#scores = cleared(this.#scores, K)).subarray(0, K);
    for (let i = 0; i < K; i++) {
      const from = places[i]! * this.#features;
      for (let f = 0; f < F; f++) candidates[i * B + f] = ranked.values[from + this.#read[f]!]!;
      candidates[i * B + F] = done;
      candidates[i * B + F + 1] = pause;
      scores[i] = ranked.scores[places[i]!]! - ranked.middle;
    }
    return { H, K, pairs, behaviours, candidates, scores };
  }
}
