/**
 * Nearest neighbours of the session (V-SKNN of Ludewig and Jannach, "Evaluation of session-based recommendation
 * algorithms", UMUAI 2018).
 *
 * A session is a user's behaviours with gaps below half an hour. Of the newest 1,000 sessions that have an item of the
 * current one, the 100 most similar ones count: similarity is Σ p/L over the common items, p the place (1 = oldest) among
 * the newest L ≤ 10. An item's score is Σ similarity · 1/(1 + steps back to the newest common item) · idf.
 */

import { type Baseline, type BaselineQuery, type Behaviour, best } from "./baseline.ts";

const GAP_MS = 1_800_000;
const NEWEST_ITEMS = 10;
const SESSIONS = 50_000;
const SAMPLED = 1000;
const NEIGHBOURS = 100;
const MAX_ITEMS = 50;

interface Session {
  readonly number: number;
  readonly items: number[];
  time: number;
}

/** Session kNN. */
export class SessionNeighbours implements Baseline {
  readonly name = "session kNN";
  readonly #current = new Map<number, Session>();
  /** By number, oldest first. */
  readonly #sessions = new Map<number, Session>();
  /** By item: numbers of its sessions, oldest first. */
  readonly #byItem: (number[] | undefined)[] = [];
  #next = 0;

  recommend(query: BaselineQuery): readonly number[] {
    const current = this.#currentOf(query.user, query.time);
    if (current === undefined) return [];
    const newest = current.items.slice(-NEWEST_ITEMS);
    const found = new Map<number, { similarity: number; steps: number }>();
    for (const [place, item] of newest.entries()) {
      for (const number of this.#byItem[item]?.slice(-SAMPLED) ?? []) {
        if (number === current.number) continue;
        const steps = newest.length - 1 - place;
        const session = found.get(number);
        const share = (place + 1) / newest.length;
        if (session === undefined) found.set(number, { similarity: share, steps });
        else {
          session.similarity += share;
          session.steps = steps;
        }
      }
    }
    const sampled = [...found].sort(([a], [b]) => b - a).slice(0, SAMPLED);
    const nearest = sampled.sort(([a, x], [b, y]) => y.similarity - x.similarity || b - a).slice(
      0,
      NEIGHBOURS,
    );
    const scores = new Map<number, number>();
    for (const [number, { similarity, steps }] of nearest) {
      for (const item of this.#sessions.get(number)?.items ?? []) {
        const idf = Math.log(1 + this.#sessions.size / (1 + this.#byItem[item]!.length));
        scores.set(item, (scores.get(item) ?? 0) + similarity * idf / (1 + steps));
      }
    }
    return best(scores, query);
  }

  learn({ user, item, time }: Behaviour): void {
    let session = this.#currentOf(user, time);
    if (session === undefined) {
      session = { number: this.#next++, items: [], time };
      this.#current.set(user, session);
      this.#sessions.set(session.number, session);
      this.#drop();
    }
    session.time = time;
    if (session.items.length === MAX_ITEMS || session.items.includes(item)) return;
    session.items.push(item);
    const numbers = this.#byItem[item] ??= [];
    numbers.push(session.number);
    if (numbers.length > 2 * SAMPLED) numbers.splice(0, SAMPLED);
  }

  #currentOf(user: number, time: number): Session | undefined {
    const session = this.#current.get(user);
    return session !== undefined && time - session.time < GAP_MS ? session : undefined;
  }

  #drop(): void {
    if (this.#sessions.size <= SESSIONS) return;
    const [oldest] = this.#sessions.keys();
    this.#sessions.delete(oldest!);
    if (this.#next % SESSIONS !== 0) return;
    for (const [user, { number }] of this.#current) {
      if (!this.#sessions.has(number)) this.#current.delete(user);
    }
  }
}
