/**
 * The users with the most lists, rows or clicks. As with rewards (`limits.ts`), the highest 1 % of users, as the mean of
 * the arms' shares, and at least one, are cut to the next largest.
 *
 * @module
 */

import { METRIC_FIELDS, type Size } from "../assignment/metrics.ts";
import { type Alike, limitOf } from "./limits.ts";
import { times } from "../values/times.ts";
import type { UserSums } from "./user_metrics.ts";

/** Largest share of users above the floor. */
const MOST_LARGE = 0.1;

/** Factors, in (0, 1], of a user's sums and of those of the pre-period. */
export type Weights = readonly [now: number, past: number];

/**
 * Finds the users above the limit of a size. O(1) per change. Afterwards, the limit takes O(k log k) for k different
 * sizes, and the users above it take little more than their number, or the number of all users if the limit has fallen.
 */
export class Largest {
  readonly #place: number;
  readonly #now: Sizes;
  readonly #past: Sizes;
  readonly #arms: number;
  /** Users above the floor, which `above` keeps at or below the limit. */
  readonly #large = new Set<UserSums>();

  /** Makes a finder without users. @param arms the arm of a user is the group modulo this number */
  constructor(size: Size, arms: number) {
    this.#place = METRIC_FIELDS.indexOf(size);
    this.#arms = arms;
    this.#now = new Sizes(arms);
    this.#past = new Sizes(arms);
  }

  /** Adds a user, or removes one with `sign` −1, before the sums change. */
  update(member: UserSums, sign: 1 | -1): void {
    const [now, past] = [member.sums[this.#place]!, member.before?.[this.#place] ?? 0];
    const arm = member.group % this.#arms;
    this.#now.update(now, arm, sign);
    this.#past.update(past, arm, sign);
    if (!this.#isLarge(now, past)) return;
    if (sign === 1) this.#large.add(member);
    else this.#large.delete(member);
  }

  /** Updates a user's size; call it before the list's sums are added to the user's. */
  grow(member: UserSums, list: Float64Array): void {
    const size = member.sums[this.#place]!, more = list[this.#place]!;
    if (more === 0) return;
    const arm = member.group % this.#arms;
    this.#now.update(size, arm, -1);
    this.#now.update(size + more, arm, 1);
    if (size + more > this.#now.floor) this.#large.add(member);
  }

  weightsOf(member: UserSums): Weights {
    const { sums, before } = member;
    return [this.#now.weight(sums[this.#place]!), this.#past.weight(before?.[this.#place] ?? 0)];
  }

  /** Users above a limit, with their weights. @param members all users */
  *above(members: Iterable<UserSums>): Generator<[UserSums, Weights]> {
    if (this.#now.hasFallen || this.#past.hasFallen || this.#large.size > MOST_LARGE * this.#now.total) {
      this.#now.lowerFloor();
      this.#past.lowerFloor();
      this.#large.clear();
      for (const member of members) {
        const { sums, before } = member;
        if (this.#isLarge(sums[this.#place]!, before?.[this.#place] ?? 0)) this.#large.add(member);
      }
    }
    for (const member of this.#large) {
      const weights = this.weightsOf(member);
      if (weights[0] < 1 || weights[1] < 1) yield [member, weights];
    }
  }

  #isLarge(now: number, past: number): boolean {
    return now > this.#now.floor || past > this.#past.floor;
  }
}

class Sizes {
  /** Users by arm and size. */
  readonly #users: readonly Map<number, number>[];
  /** Users with a size above 0, by arm. */
  readonly #totals: number[];
  floor = Infinity;
  #limit: number | null = null;

  constructor(arms: number) {
    this.#users = times(arms, () => new Map());
    this.#totals = times(arms, () => 0);
  }

  /** Users with a size above 0. */
  get total(): number {
    return this.#totals.reduce((sum, total) => sum + total, 0);
  }

  /** The size that users are cut to; `Infinity` with a single user. */
  get limit(): number {
    return this.#limit ??= limitOf(this.#alike().sort(([a], [b]) => b - a), this.#totals) ?? Infinity;
  }

  /** Whether users may be above the limit without being above the floor. */
  get hasFallen(): boolean {
    return this.limit < this.floor;
  }

  update(size: number, arm: number, sign: 1 | -1): void {
    if (!(size > 0)) return;
    const known = this.#users[arm]!;
    const users = (known.get(size) ?? 0) + sign;
    if (users === 0) known.delete(size);
    else known.set(size, users);
    this.#totals[arm]! += sign;
    this.#limit = null;
  }

  weight(size: number): number {
    return size > this.limit ? this.limit / size : 1;
  }

  /** Sets the floor far enough below the limit that it need not follow each fall, unless many users are in between. */
  lowerFloor(): void {
    const low = Math.ceil(0.9 * this.limit);
    let above = 0;
    for (const [size, , users] of this.#alike()) if (size > low) above += users;
    this.floor = above > MOST_LARGE * this.total / 2 ? this.limit : low;
  }

  #alike(): Alike[] {
    return this.#users.flatMap((sizes, arm) =>
      [...sizes].map(([size, users]) => [size, arm, users] as const)
    );
  }
}
