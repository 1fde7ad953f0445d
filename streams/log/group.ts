/**
 * A consumer group whose members live in this process.
 *
 * Each change of membership causes a rebalance, and the rebalances of a group run one after another:
 * ```text
 *   join or leave ──> plan ──> revoked() of all who lose something ──> assigned() of all who gain ──> done
 *                      ^               | all settled                        | one failed
 *                      └── expel the member whose handler failed <──────────┘
 * ```
 * No `assigned` begins before every `revoked` has settled, so no partition ever has two owners.
 */

import { assignPartitions } from "./assignment.ts";
import { coPartitions } from "./checks.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { ignore } from "./ignore.ts";
import { InTurn } from "./in_turn.ts";
import { type GroupHandlers, LogError, type Membership, type TopicSpec } from "./log.ts";

export class LocalGroups {
  readonly #groups = new Map<string, LocalGroup>();

  /** Joins a group, which its first member creates; see {@linkcode Log.join}. */
  join(group: string, topics: readonly TopicSpec[], handlers: GroupHandlers): Promise<Membership> {
    const partitions = coPartitions(group, topics);
    const joined = this.#groups.get(group) ?? new LocalGroup(group);
    this.#groups.set(group, joined);
    return joined.join(topics.map(({ name }) => name), partitions, handlers);
  }

  /** Revokes what members hold; rejects if a handler does. */
  async close(): Promise<void> {
    const outcomes = await Promise.allSettled([...this.#groups.values()].map((group) => group.close()));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }
}

class LocalGroup {
  readonly name: string;
  readonly #members = new Set<Member>();
  #topics: readonly string[] = [];
  #partitions = 0;
  readonly #changes = new InTurn();

  /** Makes an empty group. */
  constructor(name: string) {
    this.name = name;
  }

  /**
   * Adds a member and reassigns the partitions; resolves once its `assigned` has.
   *
   * @throws what the member's own handler threw; the member is then expelled and its partitions reassigned
   * @throws LogError `topic-mismatch` when the group reads other topics
   */
  join(topics: readonly string[], partitions: number, handlers: GroupHandlers): Promise<Membership> {
    return this.#changes.run(async () => {
      if (this.#members.size === 0) [this.#topics, this.#partitions] = [[...topics].sort(), partitions];
      if (`${this.#topics}` !== `${[...topics].sort()}`) {
        throw new LogError(
          "topic-mismatch",
          `Cannot join group ${this.name} for ${topics.join(", ")}: its members read ${
            this.#topics.join(", ")
          }`,
        );
      }
      const member: Member = new Member(this.name, handlers, () => this.#leave(member));
      this.#members.add(member);
      await this.#rebalance();
      if (!this.#members.has(member)) await member.ended;
      member.joined = true;
      return member;
    });
  }

  /** Revokes what every member holds and ends all memberships; rejects if a handler does. */
  close(): Promise<void> {
    return this.#changes.run(async () => {
      const members = [...this.#members];
      this.#members.clear();
      const outcomes = await Promise.allSettled(members.map((member) => member.end()));
      const errors = outcomes.flatMap((outcome) => outcome.status === "rejected" ? [outcome.reason] : []);
      if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors);
    });
  }

  #leave(member: Member): Promise<void> {
    const left = this.#changes.run(async () => {
      if (this.#members.delete(member)) await member.end();
    });
    // The members that gain partitions need not be awaited; errors of their handlers reject their own `ended`.
    this.#changes.run(() => this.#rebalance());
    return left;
  }

  async #rebalance(): Promise<void> {
    while (this.#members.size > 0) {
      const held = new Map([...this.#members].map((member) => [member, member.partitions]));
      const shares = [...assignPartitions(this.#partitions, held)];
      if (
        !await this.#all(
          shares.map(([member, share]) => [member, member.release(share, "another member has joined")]),
        )
      ) continue;
      if (await this.#all(shares.map(([member, share]) => [member, member.take(share)]))) return;
    }
  }

  /** Waits for all steps and expels the members whose step failed. @returns Whether none failed */
  async #all(steps: readonly (readonly [Member, Promise<void>])[]): Promise<boolean> {
    const outcomes = await Promise.allSettled(steps.map(([, step]) => step));
    const failed = steps.flatMap(([member], i) => {
      const outcome = outcomes[i];
      if (outcome?.status !== "rejected") return [];
      const reason: unknown = outcome.reason;
      return [{ member, reason }];
    });
    for (const { member } of failed) this.#members.delete(member);
    await Promise.all(failed.map(({ member, reason }) => ignore(member.end(reason), "`ended` reports it")));
    return failed.length === 0;
  }
}

class Member implements Membership {
  readonly group: string;
  readonly ended: Promise<void>;
  /** Whether join() has returned the membership, and with it `ended`. */
  joined = false;
  partitions: readonly number[] = [];
  readonly #handlers: GroupHandlers;
  readonly #end = Promise.withResolvers<void>();
  readonly #askToLeave: () => Promise<void>;
  #left: Promise<void> | undefined;

  constructor(group: string, handlers: GroupHandlers, askToLeave: () => Promise<void>) {
    this.group = group;
    this.ended = this.#end.promise;
    this.#handlers = handlers;
    this.#askToLeave = askToLeave;
  }

  leave(): Promise<void> {
    return this.#left ??= this.#askToLeave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  /** Releases all partitions outside `share`, even when the handler fails. */
  async release(share: readonly number[], why: string): Promise<void> {
    const lost = this.partitions.filter((partition) => !share.includes(partition));
    if (lost.length === 0) return;
    try {
      await this.#handlers.revoked(lost, why);
    } finally {
      this.partitions = this.partitions.filter((partition) => share.includes(partition));
    }
  }

  /** Takes the partitions of `share` that it lacks; it holds none of them when the handler fails. */
  async take(share: readonly number[]): Promise<void> {
    const before = this.partitions;
    const gained = share.filter((partition) => !before.includes(partition));
    if (gained.length === 0) return;
    this.partitions = share;
    try {
      await this.#handlers.assigned(gained);
    } catch (error) {
      this.partitions = before;
      throw error;
    }
  }

  /** Releases everything and settles `ended`: rejects it if there are reasons for an expulsion. */
  async end(...reasons: readonly unknown[]): Promise<void> {
    const errors = [...reasons];
    const why = reasons.length === 0 ? "it leaves" : `it is expelled: ${reasonOf(reasons[0])}`;
    await this.release([], why).catch((error) => errors.push(error));
    if (errors.length === 0) return this.#end.resolve();
    const error = errors.length === 1
      ? errors[0]
      : new AggregateError(errors, `Cannot end the membership in ${this.group} cleanly`);
    this.#end.reject(error);
    const asked = reasons.length === 0;
    if (asked || !this.joined) ignore(this.ended, "join() or leave() reports it");
    if (asked) throw error;
  }
}
