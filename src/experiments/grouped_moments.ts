/** Moments of groups of users, with the largest users of all groups cut to the next largest. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { Largest } from "./largest.ts";
import { Limits } from "./limits.ts";
import { addList, Moments, REWARD, type Sums, type UserSums } from "./user_metrics.ts";
import { METRIC_FIELDS, type Size, SIZES } from "../assignment/metrics.ts";
import { recordOf } from "../values/record.ts";
import { times } from "../values/times.ts";

/** Places of the rewards in a user's vector: of the experiment, and of the pre-period. */
const REWARDS: readonly number[] = [REWARD, METRIC_FIELDS.length + REWARD];

/**
 * Moments by group. The largest users are cut on reading, to the limits at that time, so the result does not depend on
 * the order of users, except for rounding:
 *
 * - by lists, rows or clicks: all sums of a user above the limit of {@linkcode Largest} are multiplied by limit / size,
 *   which preserves the user's ratios;
 * - by rewards: they are cut to the {@linkcode Limits}, so that none outweighs all others together.
 *
 * O(1) per change; the first read after one takes O(n log n) for the rewards of n users, and O(users above the limit).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { GroupedMoments } from "./grouped_moments.ts";
 * import { METRIC_FIELDS } from "../assignment/metrics.ts";
 *
 * const groups = new GroupedMoments(2);
 * for (const [group, reward] of [[0, 3], [1, 4], [1, 1e200]] as const) {
 *   const sums = Float64Array.from(METRIC_FIELDS, (field) => field === "reward" ? reward : 1);
 *   groups.add({ group, sums, before: undefined });
 * }
 * assert.deepEqual([0, 1].map((group) => groups.get(group).total("reward")), [3, 8]);
 * assert.equal(groups.get(1).cut, 1);
 * ```
 */
export class GroupedMoments {
  /** Uncut, without the rewards of members. */
  readonly #others: readonly Moments[];
  readonly #members = new Set<UserSums>();
  readonly #rewarded = new Set<UserSums>();
  readonly #arms: number;
  readonly #largest: Readonly<Record<Size, Largest>>;
  /** Moments that were read since the last change. */
  readonly #cut = new Map<Size | "reward", readonly Moments[]>();

  /** Makes moments without users. @param arms the arm of a group is its number modulo this; each weighs the same in limits */
  constructor(groups: number, arms = groups) {
    this.#others = times(groups, () => new Moments());
    this.#arms = arms;
    this.#largest = recordOf(SIZES, (size) => new Largest(size, arms));
  }

  /** The moments of a group, cut by a size; cutting by rewards leaves all other sums as they are. */
  get(group: number, size: Size | "reward" = "reward"): Moments {
    let moments = this.#cut.get(size);
    if (moments === undefined) {
      moments = size === "reward" ? this.#withRewards() : this.#cutBy(size);
      this.#cut.set(size, moments);
    }
    return moments[group]!;
  }

  add(member: UserSums): void {
    this.#update(member, 1);
    this.note(member);
  }

  /** Adds a list's sums to those of a member. */
  grow(member: UserSums, list: Float64Array): void {
    this.#update(member, -1);
    for (const size of SIZES) this.#largest[size].grow(member, list);
    addList(member.sums, list);
    this.#update(member, 1);
    if (list[REWARD] !== 0) {
      if (hasReward(member)) this.#rewarded.add(member);
      else this.#rewarded.delete(member);
    }
    this.#cut.clear();
  }

  /** Restores a member whose sums, except the reward, are part of the decoded state. */
  note(member: UserSums): void {
    this.#members.add(member);
    if (hasReward(member)) this.#rewarded.add(member);
    this.#count(member, 1);
  }

  /** Releases a member, whose contribution stays in the moments as cut now, by the strictest limit. */
  release(member: UserSums): void {
    if (!this.#members.has(member)) return;
    const { group, sums, before } = member;
    const weights = SIZES.map((size) => this.#largest[size].weightsOf(member));
    const strictest = (of: 0 | 1) => Math.min(...weights.map((pair) => pair[of]));
    const others = this.#others[group]!;
    this.#update(member, -1);
    others.update(
      scaled(withReward(sums, 0), strictest(0)),
      before && scaled(withReward(before, 0), strictest(1)),
    );
    if (hasReward(member)) addReward(others, member, this.#rewardLimits());
    this.#take(member);
  }

  /** Drops the rewards of released members. Up to format 4, the figures held the rewards of all members, uncut. */
  dropReleased(): void {
    for (const { sums } of this.#others) {
      for (let i = 0, at = 0; i < Moments.WIDTH; i++) {
        for (let j = 0; j <= i; j++, at++) if (REWARDS.includes(i) || REWARDS.includes(j)) sums[at] = 0;
      }
    }
    this.#cut.clear();
  }

  /** Encodes all but the rewards of members. */
  encode(to: ByteWriter): void {
    for (const { sums } of this.#others) to.f64s(sums);
  }

  /** Decodes the output of {@linkcode GroupedMoments.encode}; members follow by {@linkcode GroupedMoments.note}. */
  decode(from: ByteReader): void {
    for (const { sums } of this.#others) sums.set(from.f64s(sums.length));
    this.#cut.clear();
  }

  #take(member: UserSums): void {
    this.#members.delete(member);
    this.#rewarded.delete(member);
    this.#count(member, -1);
  }

  #count(member: UserSums, sign: 1 | -1): void {
    for (const size of SIZES) this.#largest[size].update(member, sign);
    this.#cut.clear();
  }

  #update({ group, sums, before }: UserSums, sign: 1 | -1): void {
    const [rewards, past] = [sums[REWARD]!, before?.[REWARD] ?? 0];
    sums[REWARD] = 0; // set back below: copies would be made for each list of each experiment
    if (before !== undefined) before[REWARD] = 0;
    this.#others[group]!.update(sums, before, sign);
    sums[REWARD] = rewards;
    if (before !== undefined) before[REWARD] = past;
  }

  #cutBy(size: Size): readonly Moments[] {
    const complete = this.#others.map(copyOf);
    for (const [{ group, sums, before }, [now, past]] of this.#largest[size].above(this.#members)) {
      const [own, ownPast] = [withReward(sums, 0), before && withReward(before, 0)];
      complete[group]!.update(own, ownPast, -1);
      complete[group]!.update(scaled(own, now), ownPast && scaled(ownPast, past));
    }
    return complete;
  }

  #withRewards(): readonly Moments[] {
    const limits = this.#rewardLimits();
    const complete = this.#others.map(() => new Moments());
    for (const member of this.#rewarded) {
      const [moments, reward] = [complete[member.group]!, member.sums[REWARD]!];
      addReward(moments, member, limits);
      if (limits[0].cut(reward) !== reward) moments.cut++;
    }
    complete.forEach((moments, group) => moments.merge(this.#others[group]!));
    return complete;
  }

  /** Limits of the rewards in the experiment, and of those before it. */
  #rewardLimits(): readonly [Limits, Limits] {
    const [now, past] = [times(this.#arms, (): number[] => []), times(this.#arms, (): number[] => [])];
    for (const { group, sums, before } of this.#rewarded) {
      now[group % this.#arms]!.push(sums[REWARD]!);
      past[group % this.#arms]!.push(before?.[REWARD] ?? 0);
    }
    return [new Limits(now), new Limits(past)];
  }
}

function copyOf(moments: Moments): Moments {
  const copy = new Moments();
  copy.merge(moments);
  return copy;
}

/** The scaled sums of a user; the first one counts the user and stays 1. */
function scaled(sums: ArrayLike<number>, weight: number): ArrayLike<number> {
  return weight === 1 ? sums : Float64Array.from(sums, (sum, field) => field === 0 ? sum : weight * sum);
}

/** Adds the contribution of a member's cut rewards; entries that are 0 and involve no reward stay 0. */
function addReward(to: Moments, { sums, before }: UserSums, [now, past]: readonly [Limits, Limits]): void {
  const cut = (of: Sums, limits: Limits) => withReward(of, limits.cut(of[REWARD]!));
  to.update(cut(sums, now), before && cut(before, past));
  to.update(withReward(sums, 0), before && withReward(before, 0), -1);
}

function withReward(sums: ArrayLike<number>, reward: number): ArrayLike<number> {
  if (sums[REWARD] === reward) return sums;
  const copy = Float64Array.from(sums);
  copy[REWARD] = reward;
  return copy;
}

function hasReward({ sums, before }: UserSums): boolean {
  return sums[REWARD] !== 0 || (before?.[REWARD] ?? 0) !== 0;
}
