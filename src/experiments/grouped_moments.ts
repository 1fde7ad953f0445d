/**
 * Moments of groups of users, with the most extreme rewards of all groups cut.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { Limits } from "./limits.ts";
import { Moments, REWARD } from "./user_metrics.ts";
import { METRIC_FIELDS } from "../assignment/metrics.ts";
import { times } from "../values/times.ts";

/** Places of the rewards in a user's vector: of the experiment, and of the pre-period. */
const REWARDS: readonly number[] = [REWARD, METRIC_FIELDS.length + REWARD];

/** A user's sums. */
export interface GroupMember {
  /** Index of the group. */
  readonly group: number;
  /** Sums of the experiment. */
  readonly sums: Float64Array;
  /** Sums of the pre-period; `undefined` without any. */
  readonly before: Float64Array | undefined;
}

/**
 * Moments by group. Rewards join the sums of the other fields when moments are asked for, cut to the {@linkcode Limits}
 * as of then, so the result does not depend on the order of users, but for rounding.
 *
 * O(1) per change; moments after one take O(n log n) for n users with a reward.
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
  /** Without the rewards of members. */
  readonly #others: readonly Moments[];
  readonly #rewarded = new Set<GroupMember>();
  #complete: readonly Moments[] | null = null;

  /** Makes groups without members. */
  constructor(groups: number) {
    this.#others = times(groups, () => new Moments());
  }

  /** The moments of a group. */
  get(group: number): Moments {
    this.#complete ??= this.#withRewards();
    return this.#complete[group]!;
  }

  /** Adds a member. */
  add(member: GroupMember): void {
    this.#update(member, 1);
    this.note(member);
  }

  /** Removes a member before its sums change. */
  remove(member: GroupMember): void {
    this.#update(member, -1);
    this.#rewarded.delete(member);
  }

  /** Restores the reward of a member whose other sums are part of what was decoded. */
  note(member: GroupMember): void {
    this.#complete = null;
    if (hasReward(member)) this.#rewarded.add(member);
  }

  /** Lets go of a member, who stays part of the moments with the reward as it is cut now. */
  release(member: GroupMember): void {
    if (!this.#rewarded.has(member)) return;
    const rewards = new Moments();
    addReward(rewards, member, this.#limits());
    this.#others[member.group]!.merge(rewards);
    this.#rewarded.delete(member);
    this.#complete = null;
  }

  /** Drops the rewards of members who were let go of. Up to format 4 of the figures, those of all were there, uncut. */
  dropReleased(): void {
    for (const { sums } of this.#others) {
      for (let i = 0, at = 0; i < Moments.WIDTH; i++) {
        for (let j = 0; j <= i; j++, at++) if (REWARDS.includes(i) || REWARDS.includes(j)) sums[at] = 0;
      }
    }
    this.#complete = null;
  }

  /** Encodes all but the rewards of members. */
  encode(to: ByteWriter): void {
    for (const { sums } of this.#others) to.f64s(sums);
  }

  /** Decodes the output of {@linkcode GroupedMoments.encode}; members follow by {@linkcode GroupedMoments.note}. */
  decode(from: ByteReader): void {
    for (const { sums } of this.#others) sums.set(from.f64s(sums.length));
    this.#complete = null;
  }

  #update({ group, sums, before }: GroupMember, sign: 1 | -1): void {
    this.#others[group]!.update(withReward(sums, 0), before && withReward(before, 0), sign);
  }

  #withRewards(): readonly Moments[] {
    const limits = this.#limits();
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
  #limits(): readonly [Limits, Limits] {
    const members = [...this.#rewarded];
    return [
      new Limits(members.map(({ sums }) => sums[REWARD]!)),
      new Limits(members.map(({ before }) => before?.[REWARD] ?? 0)),
    ];
  }
}

/** Adds what the rewards of a member contribute once they are cut; entries that are 0 and have no reward stay 0. */
function addReward(to: Moments, { sums, before }: GroupMember, [now, past]: readonly [Limits, Limits]): void {
  const cut = (of: Float64Array, limits: Limits) => withReward(of, limits.cut(of[REWARD]!));
  to.update(cut(sums, now), before && cut(before, past));
  to.update(withReward(sums, 0), before && withReward(before, 0), -1);
}

function withReward(sums: Float64Array, reward: number): Float64Array {
  if (sums[REWARD] === reward) return sums;
  const copy = sums.slice();
  copy[REWARD] = reward;
  return copy;
}

function hasReward({ sums, before }: GroupMember): boolean {
  return sums[REWARD] !== 0 || (before?.[REWARD] ?? 0) !== 0;
}
