/** Items that the user took before, most frequent first, ties by recency. */

import { type Baseline, type BaselineQuery, type Behaviour, best } from "./baseline.ts";

/** The user's own items. */
export class OwnItems implements Baseline {
  readonly name = "own items";
  /** By user and item: how often it was taken, and the number of the behaviour that took it last. */
  readonly #users: Map<number, { times: number; last: number }>[] = [];
  #behaviours = 0;

  recommend(query: BaselineQuery): readonly number[] {
    const own = [...this.#users[query.user] ?? []];
    const scores = own.map(([item, { times, last }]) =>
      [item, times + last / (this.#behaviours + 1)] as const
    );
    return best(scores, query);
  }

  learn({ user, item, isTarget }: Behaviour): void {
    if (!isTarget) return;
    const own = this.#users[user] ??= new Map();
    own.set(item, { times: (own.get(item)?.times ?? 0) + 1, last: ++this.#behaviours });
  }
}
