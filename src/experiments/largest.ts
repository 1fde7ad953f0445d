/**
 * The users with the most lists, rows or clicks. As with rewards (`limits.ts`), the highest 1 % of users, as the mean of
 * the arms' shares, and at least one, are cut to the next largest. The limit is the same multiple of the typical user in
 * all arms, so that a variant whose users all have k times as much is cut as the control is.
 */

import { METRIC_FIELDS, type Size } from "../assignment/metrics.ts";
import { type Alike, limitOf } from "./limits.ts";
import { times } from "../values/times.ts";
import type { UserSums } from "./user_metrics.ts";

/** Share of an arm's users who have the most, and have no part in what is typical. */
const NOT_TYPICAL = 0.1;

/** Fewest users by whom the typical user of an arm is known; otherwise it is that of the other arms. */
const TELLING_USERS = 100;

/** Rounding error of limits. */
const ROUNDING = 1e-9;

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
    if (!this.#isLarge(now, past, arm)) return;
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
    if (this.#now.isLarge(size + more, arm)) this.#large.add(member);
  }

  weightsOf(member: UserSums): Weights {
    const { sums, before } = member;
    const arm = member.group % this.#arms;
    return [this.#now.weight(sums[this.#place]!, arm), this.#past.weight(before?.[this.#place] ?? 0, arm)];
  }

  /** Users above a limit, with their weights. @param members all users */
  *above(members: Iterable<UserSums>): Generator<[UserSums, Weights]> {
    if (this.#now.hasFallen || this.#past.hasFallen || this.#large.size > MOST_LARGE * this.#now.total) {
      this.#now.lowerFloors();
      this.#past.lowerFloors();
      this.#large.clear();
      for (const member of members) {
        const { group, sums, before } = member;
        const sizes = [sums[this.#place]!, before?.[this.#place] ?? 0] as const;
        if (this.#isLarge(...sizes, group % this.#arms)) this.#large.add(member);
      }
    }
    for (const member of this.#large) {
      const weights = this.weightsOf(member);
      if (weights[0] < 1 || weights[1] < 1) yield [member, weights];
    }
  }

  #isLarge(now: number, past: number, arm: number): boolean {
    return this.#now.isLarge(now, arm) || this.#past.isLarge(past, arm);
  }
}

class Sizes {
  /** Users by arm and size. */
  readonly #users: readonly Map<number, number>[];
  /** Users with a size above 0, by arm. */
  readonly #totals: number[];
  /** By arm. */
  readonly #floors: number[];
  #limits: readonly number[] | null = null;

  constructor(arms: number) {
    this.#users = times(arms, () => new Map());
    this.#totals = times(arms, () => 0);
    this.#floors = times(arms, () => Infinity);
  }

  /** Users with a size above 0. */
  get total(): number {
    return this.#totals.reduce((sum, total) => sum + total, 0);
  }

  /** Whether users may be above the limit without being above the floor. */
  get hasFallen(): boolean {
    return this.#limitsNow().some((limit, arm) => limit * (1 + ROUNDING) < this.#floors[arm]!);
  }

  update(size: number, arm: number, sign: 1 | -1): void {
    if (!(size > 0)) return;
    const known = this.#users[arm]!;
    const users = (known.get(size) ?? 0) + sign;
    if (users === 0) known.delete(size);
    else known.set(size, users);
    this.#totals[arm]! += sign;
    this.#limits = null;
  }

  weight(size: number, arm: number): number {
    const limit = this.#limitsNow()[arm]!;
    return size > limit * (1 + ROUNDING) ? limit / size : 1;
  }

  isLarge(size: number, arm: number): boolean {
    return size > this.#floors[arm]!;
  }

  /** Sets the floors far enough below the limits that they need not follow each fall, unless many users are in between. */
  lowerFloors(): void {
    for (const [arm, limit] of this.#limitsNow().entries()) {
      const low = 0.9 * limit;
      let above = 0, next = 0;
      for (const [size, users] of this.#users[arm]!) {
        if (size > low) above += users;
        if (size <= limit * (1 + ROUNDING)) next = Math.max(next, size);
      }
      this.#floors[arm] = above > MOST_LARGE * this.#totals[arm]! / 2 ? next : low;
    }
  }

  /** The sizes that users are cut to, by arm; `Infinity` with a single user. */
  #limitsNow(): readonly number[] {
    return this.#limits ??= this.#limitsOf(this.#units());
  }

  #limitsOf(units: readonly number[]): readonly number[] {
    const alike = this.#users.flatMap((sizes, arm) =>
      [...sizes].map(([size, users]): Alike => [size / units[arm]!, arm, users])
    );
    const limit = limitOf(alike.sort(([a], [b]) => b - a), this.#totals) ?? Infinity;
    return units.map((unit) => limit * unit);
  }

  /** The size of the typical user of each arm. */
  #units(): readonly number[] {
    const known = this.#users.map((sizes, arm) =>
      this.#totals[arm]! < TELLING_USERS ? undefined : typicalOf(sizes, this.#totals[arm]!)
    );
    const all = known.filter((unit) => unit !== undefined);
    const usual = all.length === 0 ? 1 : all.reduce((sum, unit) => sum + unit, 0) / all.length;
    return known.map((unit) => unit ?? usual);
  }
}

/** The mean of all but the tenth with the most. */
function typicalOf(sizes: ReadonlyMap<number, number>, total: number): number {
  let skip = NOT_TYPICAL * total, sum = 0;
  for (const [size, users] of [...sizes].sort(([a], [b]) => b - a)) {
    sum += size * Math.max(0, users - skip);
    skip = Math.max(0, skip - users);
  }
  return sum / ((1 - NOT_TYPICAL) * total);
}
