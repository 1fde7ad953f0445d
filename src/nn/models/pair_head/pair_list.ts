/**
 * The best candidates of a request with the user's newest behaviours, as the pair head reads them.
 *
 * Each value is stored once, with its pair, behaviour or candidate; `pair_inputs.ts` computes from them what the
 * network reads of a pair.
 *
 * @module
 */

// H behaviours, newest first; K candidates; V values of a pair, A of a behaviour, B of a candidate

/** A list of candidates with all values of one request. */
export interface PairList {
  /** Behaviours H. */
  readonly H: number;
  /** Candidates K. */
  readonly K: number;
  /** Values of the pairs [K, H, V]. */
  readonly pairs: Float32Array;
  /** Values of the behaviours [H, A]. */
  readonly behaviours: Float32Array;
  /** Values of the candidates [K, B]. */
  readonly candidates: Float32Array;
  /** Scores of the blend [K]. */
  readonly scores: Float32Array;
}

/** Names of the values, in the order of their columns. */
export interface PairNames {
  /** Of a pair. */
  readonly pairs: readonly string[];
  /** Of a behaviour. */
  readonly behaviours: readonly string[];
  /** Of a candidate. */
  readonly candidates: readonly string[];
}

/** Scores the candidates of a list [K], larger is better; valid until the next call. */
export type ScoreList = (list: PairList) => Float32Array;

/** Whether lists with these names have the same values, in the same order. */
export function sameNames(one: PairNames, other: PairNames): boolean {
  const same = (some: readonly string[], others: readonly string[]) =>
    some.length === others.length && some.every((name, place) => name === others[place]);
  return same(one.pairs, other.pairs) && same(one.behaviours, other.behaviours) &&
    same(one.candidates, other.candidates);
}
