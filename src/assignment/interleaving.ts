/**
 * Interleaving: one list drafted from two, so that each user compares both at once.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Interval } from "../metrics/confidence_sequence.ts";
import { symmetricInterval } from "../metrics/symmetric_sequence.ts";

/** Which list an item was drafted from: 0 or 1. */
export type Team = 0 | 1;

/** A place of a drafted list. */
export interface Drafted<T> {
  /** The item. */
  readonly item: T;
  /** The team that picked it. */
  readonly picker: Team;
  /** The team credited with its outcome: the picker, or none (`null`); see {@linkcode teamDraft}. */
  readonly team: Team | null;
  /** Probability of this item here given those above, in (0, 1]. */
  readonly propensity: number;
}

/** How a team picks items. */
export interface Picker<T> {
  /** Number of items left besides those above. */
  readonly left: (above: ReadonlySet<T>) => number;
  /** Draws the next item, none of those above; `undefined` when none is left. */
  readonly draw: (above: ReadonlySet<T>) => T | undefined;
  /** Probability of drawing this item next, in [0, 1]. */
  readonly probability: (item: T, above: ReadonlySet<T>) => number;
}

/**
 * A picker that takes the items of a list in order, best first.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { listPicker } from "@meander/meander/experiments";
 *
 * const picker = listPicker(["tent", "stove"]);
 * assert.equal(picker.draw(new Set(["tent"])), "stove");
 * assert.equal(picker.left(new Set(["tent", "stove"])), 0);
 * ```
 */
export function listPicker<T>(list: readonly T[]): Picker<T> {
  const items = [...new Set(list)];
  const draw = (above: ReadonlySet<T>) => items.find((item) => !above.has(item));
  return {
    left: (above) => items.reduce((count, item) => count + Number(!above.has(item)), 0),
    draw,
    probability: (item, above) => draw(above) === item ? 1 : 0,
  };
}

/**
 * Team draft (Radlinski, Kurup and Joachims, CIKM 2008): in each round a coin says who picks first; each picks what it
 * wants most of what is not there yet, or draws it, where it explores. The picker is credited with what it picked,
 * except
 *
 * - in the shared beginning: places that both fill with the same items for certain;
 * - below the place k = min(|A|, |B|), the length of the shorter list: with one list at its end all would go to the
 *   other, whatever people want.
 *
 * So people who do not care prefer nobody. Which places are credited depends on the lists and on no coin. Above k
 * neither list is at its end, so each round has two picks, and all coins turned over exchange the teams of all credited
 * places. When clicks depend on places alone, in any way, both are as likely: the preference of each user is symmetric
 * about 0. Credit that depends on what both want next *below* the shared beginning is not so: of A and "A with an item
 * on top", A's picks are the items that both want next.
 *
 * The propensity adds up both ways in which an item can have come to its place: who picks first is as likely as not,
 * and once an item was picked, the more likely the more likely that team was to pick it.
 *
 * @param random A uniform number in [0, 1) a round.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { listPicker, teamDraft } from "@meander/meander/experiments";
 *
 * const pickers = [listPicker(["a", "b", "c"]), listPicker(["a", "d", "b", "e"])] as const;
 * const list = teamDraft(pickers, 4, () => 0.9); // 1 picks first, always
 * assert.deepEqual(list.map(({ item, team }) => [item, team]), [["a", null], ["b", 0], ["d", 1], ["c", null]]);
 * ```
 */
export function teamDraft<T>(
  pickers: readonly [Picker<T>, Picker<T>],
  count: number,
  random: () => number,
): Drafted<T>[] {
  const drafted: Drafted<T>[] = [];
  const above = new Set<T>();
  const sizes = [pickers[0].left(above), pickers[1].left(above)] as const;
  const comparable = Math.min(...sizes);
  let shared = true;
  while (drafted.length < count) {
    const first: Team = random() < 0.5 ? 0 : 1;
    // Probability that team 0 picks now, given the items above.
    let zero = 0.5;
    let picks = 0;
    for (const team of [first, first === 0 ? 1 : 0] as const) {
      if (drafted.length === count) break;
      const item = pickers[team].draw(above);
      if (item === undefined) continue;
      // A team that has no more lets the other pick, whoever was to.
      const other = team === 0 ? 1 : 0;
      if (drafted.length >= sizes[other] && pickers[other].left(above) === 0) zero = 1 - team;
      const [p0, p1] = [pickers[0].probability(item, above), pickers[1].probability(item, above)];
      const propensity = zero * p0 + (1 - zero) * p1;
      shared &&= p0 === 1 && p1 === 1;
      const credited = !shared && drafted.length < comparable;
      drafted.push({ item, picker: team, team: credited ? team : null, propensity });
      above.add(item);
      picks++;
      // Who picked this one does not pick the next.
      zero = (1 - zero) * p1 / propensity;
    }
    if (picks === 0) break;
  }
  return drafted;
}

/** Which of two variants people prefer. */
export interface Preference {
  /** Users with a click on a credited item. */
  readonly users: number;
  /** Users who preferred the first team, who preferred the second, and ties. */
  readonly wins: readonly [first: number, second: number, ties: number];
  /** Weighted mean of the users' preferences, −1 = all for the first, 1 = all for the second. */
  readonly value: number;
  /** Its interval, which holds at all times. */
  readonly interval: Interval;
}

/**
 * Adds up who is preferred. A user's preference is (clicks on the second team's items − on the first's) over both,
 * in [−1, 1], over all lists of the user: users are independent of each other, clicks of one user are not. It weighs
 * √clicks: the more clicks the surer it is, but nobody with very many decides alone. The interval is that of the ratio
 * Σ√k·p / Σ√k by {@linkcode symmetricInterval}: where people do not care, and each is counted once, it leaves 0 out with
 * a probability of at most α at any of all times, from the first user on.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InterleavingTotals } from "@meander/meander/experiments";
 *
 * const totals = new InterleavingTotals();
 * for (let user = 0; user < 500; user++) totals.update(`u${user}`, user % 5 === 0 ? [1, 0] : [0, 1]);
 * assert.deepEqual(totals.get(0.05).wins, [100, 400, 0]);
 * assert.ok(totals.get(0.05).interval.low > 0);
 * ```
 */
export class InterleavingTotals {
  readonly #clicks = new Map<string, [number, number]>();
  /** Of all users, with d the difference of their clicks and k the sum: Σd/√k, Σ√k, Σd²/k, Σd and Σk. */
  #sums: [number, number, number, number, number] = [0, 0, 0, 0, 0];
  #wins: [number, number, number] = [0, 0, 0];

  /** Adds a user's clicks on one list, by team. */
  update(user: string, [first, second]: readonly [number, number]): void {
    if (first + second === 0) return;
    const clicks = this.#clicks.get(user) ?? [0, 0];
    if (clicks[0] + clicks[1] > 0) this.#add(clicks, -1);
    clicks[0] += first;
    clicks[1] += second;
    this.#clicks.set(user, clicks);
    this.#add(clicks, 1);
  }

  /** The preference so far; the interval is narrowest at `tunedFor` users. */
  get(alpha: number, tunedFor = 1000): Preference {
    const users = this.#wins.reduce((sum, wins) => sum + wins, 0);
    const [weighted, weights, squares, differences, clicks] = this.#sums;
    const value = users === 0 ? 0 : weighted / weights;
    const interval = symmetricInterval({
      value,
      weight: weights,
      residuals: (mean) => squares - 2 * mean * differences + mean ** 2 * clicks,
    }, { alpha, tunedFor });
    const [first, second, ties] = this.#wins;
    return { users, wins: [first, second, ties], value, interval };
  }

  /** Forgets a user; the preference stays counted. */
  forget(user: string): void {
    this.#clicks.delete(user);
  }

  /** @internal Writes the sums of all users. */
  encode(to: ByteWriter): void {
    for (const sum of this.#sums) to.f64(sum);
    for (const wins of this.#wins) to.uint(wins);
  }

  /** @internal Reads what {@linkcode InterleavingTotals.encode} wrote, in place of its own. */
  decode(from: ByteReader): void {
    this.#sums = [from.f64(), from.f64(), from.f64(), from.f64(), from.f64()];
    this.#wins = [from.uint(), from.uint(), from.uint()];
  }

  /** @internal Writes the clicks of a user. */
  encodeUser(to: ByteWriter, user: string): void {
    const [first, second] = this.#clicks.get(user) ?? [0, 0];
    to.uint(first).uint(second);
  }

  /** @internal Reads what {@linkcode InterleavingTotals.encodeUser} wrote. */
  decodeUser(from: ByteReader, user: string): void {
    const clicks: [number, number] = [from.uint(), from.uint()];
    if (clicks[0] + clicks[1] > 0) this.#clicks.set(user, clicks);
  }

  #add([first, second]: readonly [number, number], sign: 1 | -1): void {
    const [d, k] = [second - first, first + second];
    const terms = [d / Math.sqrt(k), Math.sqrt(k), d ** 2 / k, d, k];
    for (const [i, term] of terms.entries()) this.#sums[i]! += sign * term;
    this.#wins[first > second ? 0 : second > first ? 1 : 2] += sign;
  }
}
