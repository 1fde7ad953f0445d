/** Interleaving: drafts one list from two, so that each user compares both. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Interval } from "../metrics/confidence_sequence.ts";
import { symmetricInterval } from "../metrics/symmetric_sequence.ts";

/** The list that an item was drafted from: 0 or 1. */
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

/** Picks the items of a team. */
export interface Picker<T> {
  /** Number of remaining items, given those above. */
  readonly left: (above: ReadonlySet<T>) => number;
  /** Draws the next item, other than those above; `undefined` without any left. */
  readonly draw: (above: ReadonlySet<T>) => T | undefined;
  /** Probability of drawing this item next, in [0, 1]. */
  readonly probability: (item: T, above: ReadonlySet<T>) => number;
}

/**
 * Makes a picker that takes the items of a list in order.
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
 * Team draft (Radlinski, Kurup and Joachims, CIKM 2008): in each round a coin decides who picks first; each picks its
 * best remaining item, or draws one when exploring. The picker is credited with its picks, except
 *
 * - in the shared prefix: places that both certainly fill with the same items;
 * - below the place k = min(|A|, |B|), the length of the shorter list: once a list is exhausted, all picks go to the
 *   other, regardless of preference.
 *
 * Indifferent users therefore prefer neither. Which places are credited depends only on the lists, not on the coins.
 * Above k neither list is exhausted, so each round has two picks, and flipping all coins swaps the teams of all
 * credited places. When clicks depend only on places, in any way, both outcomes are equally likely: the preference of
 * each user is symmetric about 0. Credit that depends on what both would pick next *below* the shared prefix lacks this
 * symmetry: between A and "A with an item on top", A's picks are the items that both would pick next.
 *
 * The propensity sums both ways in which an item can get its place: the first team is a fair coin, and after a pick,
 * each team's posterior is proportional to its probability of that pick.
 *
 * @param random Returns a uniform number in [0, 1), once per round.
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
      // An exhausted team passes.
      const other = team === 0 ? 1 : 0;
      if (drafted.length >= sizes[other] && pickers[other].left(above) === 0) zero = 1 - team;
      const [p0, p1] = [pickers[0].probability(item, above), pickers[1].probability(item, above)];
      const propensity = zero * p0 + (1 - zero) * p1;
      shared &&= p0 === 1 && p1 === 1;
      const credited = !shared && drafted.length < comparable;
      drafted.push({ item, picker: team, team: credited ? team : null, propensity });
      above.add(item);
      picks++;
      // The other team picks next.
      zero = (1 - zero) * p1 / propensity;
    }
    if (picks === 0) break;
  }
  return drafted;
}

/** The preference of users between two variants. */
export interface Preference {
  /** Users with a click on a credited item. */
  readonly users: number;
  /** Numbers of users who preferred the first team, preferred the second, or preferred neither. */
  readonly wins: readonly [first: number, second: number, ties: number];
  /** Weighted mean of the users' preferences, from −1 = the first to 1 = the second. */
  readonly value: number;
  /** Its anytime-valid interval. */
  readonly interval: Interval;
}

/** Most clicks of a user on credited items that count, since robots click without end. */
const MOST_CLICKS = 100;

interface Clicks {
  /** Σ w d and Σ w k over the user's lists. */
  difference: number;
  weight: number;
  readonly teams: [number, number];
}

/**
 * Totals of preferences. A list on which the user clicked k credited items, and d more of the second team than of the
 * first, has the weight w = 1/√(clicks of the user so far, its own included), and 0 after 100 earlier clicks, so no
 * robot dominates. The preference is Σ w d / Σ w k, in [−1, 1], with the interval of {@linkcode symmetricInterval}. Its
 * variance is the larger of two:
 *
 * - over lists: if users are indifferent, the coins of each list make its w d symmetric about 0, whatever came before.
 *   So the interval ever excludes 0 with probability at most α, from the first list on, however often users return;
 * - over users: lists of one user are alike when the user does prefer something.
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
  readonly #clicks = new Map<string, Clicks>();
  /** Over users, with s = Σ w d and t = Σ w k of a user: Σs, Σt, Σs², Σst, Σt². */
  #users: [number, number, number, number, number] = [0, 0, 0, 0, 0];
  /** Over lists: Σ(w d)², Σ w² d k, Σ(w k)². */
  #lists: number[] = [0, 0, 0];
  #wins: [number, number, number] = [0, 0, 0];

  /** Adds a user's clicks on one list, by team. */
  update(user: string, [first, second]: readonly [number, number]): void {
    if (first + second === 0) return;
    const clicks = this.#clicks.get(user) ?? { difference: 0, weight: 0, teams: [0, 0] };
    if (clicks.teams[0] + clicks.teams[1] >= MOST_CLICKS) return;
    if (clicks.weight > 0) this.#add(clicks, -1);
    clicks.teams[0] += first;
    clicks.teams[1] += second;
    const root = Math.sqrt(clicks.teams[0] + clicks.teams[1]);
    const [d, k] = [(second - first) / root, (first + second) / root];
    clicks.difference += d;
    clicks.weight += k;
    for (const [i, term] of [d * d, d * k, k * k].entries()) this.#lists[i]! += term;
    this.#clicks.set(user, clicks);
    this.#add(clicks, 1);
  }

  /** The preference so far; the interval is narrowest at `tunedFor` users. */
  get(alpha: number, tunedFor = 1000): Preference {
    const users = this.#wins.reduce((sum, wins) => sum + wins, 0);
    const [weighted, weight, ...ofUsers] = this.#users;
    const value = users === 0 ? 0 : weighted / weight;
    const squaresAt = ([s = 0, st = 0, t = 0]: readonly number[], mean: number) =>
      s - 2 * mean * st + mean ** 2 * t;
    const residuals = (mean: number) => Math.max(squaresAt(ofUsers, mean), squaresAt(this.#lists, mean));
    const interval = symmetricInterval({ value, weight, residuals }, { alpha, tunedFor });
    const [first, second, ties] = this.#wins;
    return { users, wins: [first, second, ties], value, interval };
  }

  /** Forgets a user; the totals keep the preference. */
  forget(user: string): void {
    this.#clicks.delete(user);
  }

  /** @internal Encodes the sums of all users. */
  encode(to: ByteWriter): void {
    for (const sum of this.#users) to.f64(sum);
    for (const wins of this.#wins) to.uint(wins);
    // Absent without users, as in the figures of all experiments in `split` mode.
    if (this.#wins.some((wins) => wins > 0)) { for (const sum of this.#lists) to.f64(sum); }
  }

  /** @internal Replaces its state with the output of {@linkcode InterleavingTotals.encode}. */
  decode(from: ByteReader): void {
    this.#users = [from.f64(), from.f64(), from.f64(), from.f64(), from.f64()];
    this.#wins = [from.uint(), from.uint(), from.uint()];
    if (this.#wins.some((wins) => wins > 0)) this.#lists = this.#lists.map(() => from.f64());
  }

  /** @internal Encodes the clicks of a user. */
  encodeUser(to: ByteWriter, user: string): void {
    const clicks = this.#clicks.get(user);
    to.uint(clicks?.teams[0] ?? 0).uint(clicks?.teams[1] ?? 0);
    if (clicks !== undefined) to.f64(clicks.difference).f64(clicks.weight);
  }

  /** @internal Decodes the output of {@linkcode InterleavingTotals.encodeUser}. */
  decodeUser(from: ByteReader, user: string): void {
    const teams: [number, number] = [from.uint(), from.uint()];
    if (teams[0] + teams[1] > 0) {
      this.#clicks.set(user, { difference: from.f64(), weight: from.f64(), teams });
    }
  }

  #add({ difference: s, weight: t, teams: [first, second] }: Clicks, sign: 1 | -1): void {
    for (const [i, term] of [s, t, s * s, s * t, t * t].entries()) this.#users[i]! += sign * term;
    this.#wins[first > second ? 0 : second > first ? 1 : 2] += sign;
  }
}
