/**
 * The methods that a recommender has to beat, some ten lines each, over behaviours alone. They share no code with the
 * product, so that a fault there cannot make both worse.
 *
 * @module
 */

/** A behaviour; users and items are numbers from 0, in order of first appearance. */
export interface Behaviour {
  readonly user: number;
  readonly item: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Whether it is of a kind that is judged. */
  readonly isTarget: boolean;
  /** Items of the user's newest behaviours before it, newest first. */
  readonly before: readonly number[];
}

/** A request for a list. */
export interface BaselineQuery extends Pick<Behaviour, "user" | "time" | "before"> {
  /** Most items. */
  readonly count: number;
  /** Whether an item may be on the list. */
  readonly may: (item: number) => boolean;
}

export interface Baseline {
  readonly name: string;
  /** Items, best first; a promise if the method runs in another process. */
  recommend(query: BaselineQuery): readonly number[] | Promise<readonly number[]>;
  learn(behaviour: Behaviour): void;
}

/** The best items by score, ties by first appearance. O(scored · count) at worst. */
export function best(
  scores: Iterable<readonly [item: number, score: number]>,
  { count, may }: Pick<BaselineQuery, "count" | "may">,
): readonly number[] {
  const items: number[] = [];
  const kept: number[] = [];
  for (const [item, score] of scores) {
    if (items.length === count && !precedes(score, item, kept[count - 1]!, items[count - 1]!)) continue;
    if (!(score > 0) || !may(item)) continue;
    let at = items.length === count ? count - 1 : items.length;
    for (; at > 0 && precedes(score, item, kept[at - 1]!, items[at - 1]!); at--) {
      items[at] = items[at - 1]!;
      kept[at] = kept[at - 1]!;
    }
    items[at] = item;
    kept[at] = score;
  }
  return items;
}

function precedes(score: number, item: number, otherScore: number, other: number): boolean {
  return score > otherScore || (score === otherScore && item < other);
}
