/**
 * Membership in a consumer group, by our own requests: kafkajs' consumer cannot wait for members that must release a
 * partition.
 *
 * ```text
 *   ┌──> join and sync ──> revoked(what was lost) ──> assigned(what was gained) ──┬─ lost something? ──┐
 *   │                                                                            │ no                 │ yes
 *   │    heartbeats continue from here ──────────────────────────────────────── wait                   │
 *   └───────────────── the group changes ────────────────────────────────────────┴────────────────────┘
 * ```
 * A member that the group has expelled (because it was silent for too long) releases everything before it joins again.
 */

import { reasonOf } from "../../../src/values/reason.ts";
import { ignore } from "../ignore.ts";
import { type GroupHandlers, LogError, type Membership } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import { logErrorOf } from "./protocol/errors.ts";
import type { Share } from "./group/assigner.ts";
import { GroupSession, type MemberOptions } from "./group_session.ts";

/** Why a member that ends without an error releases its partitions. */
const LEAVES = "it leaves the group";

export class KafkaMember implements Membership {
  readonly group: string;
  readonly ended: Promise<void>;
  partitions: readonly number[] = [];
  readonly #handlers: GroupHandlers;
  readonly #client: KafkaClient;
  readonly #session: GroupSession;
  readonly #end = Promise.withResolvers<void>();
  readonly #joined = Promise.withResolvers<void>();
  /** Whether we are waiting for the group; no handler runs then. */
  #isJoining = false;
  #isLeaving = false;
  #isOver = false;
  /** Resolved when the session changes, or we have to leave. */
  #noticed = Promise.withResolvers<void>();
  #departure: Promise<void> | undefined;
  #released: Promise<void> | undefined;

  private constructor(
    client: KafkaClient,
    other: KafkaClient,
    options: MemberOptions,
    handlers: GroupHandlers,
  ) {
    this.group = options.group;
    this.ended = this.#end.promise;
    this.#client = client;
    this.#session = new GroupSession(client, other, options, () => this.#notice());
    this.#handlers = handlers;
  }

  /**
   * Joins; resolves when it has its share.
   *
   * @param client its own connection, disposed at the end: joining blocks it for as long as the group takes
   * @param other a connection over which to leave
   * @param register called with the member before it joins
   * @throws what its handlers threw, or why the group cannot be joined
   */
  static async join(
    client: KafkaClient,
    other: KafkaClient,
    options: MemberOptions,
    handlers: GroupHandlers,
    register: (member: KafkaMember) => void,
  ): Promise<KafkaMember> {
    const member = new KafkaMember(client, other, options, handlers);
    register(member);
    member.#run();
    try {
      await member.#joined.promise;
    } catch (error) {
      ignore(member.ended, "join() throws it");
      throw error;
    }
    return member;
  }

  leave(): Promise<void> {
    return this.#departure ??= this.#depart();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  async #depart(): Promise<void> {
    if (this.#isOver) return; // `ended` has reported why
    ignore(this.ended, "leave() throws it");
    this.#isLeaving = true;
    this.#notice();
    if (this.#isJoining) {
      // The group may take a long time to answer the join; it answers at once when we leave.
      await ignore(this.#release(LEAVES), "`ended` reports it");
      await this.#session.leave();
    }
    await this.ended;
  }

  async #run(): Promise<void> {
    const errors: unknown[] = [];
    await this.#live().catch((error) => errors.push(error));
    const why = errors.length === 0 ? LEAVES : `its membership fails: ${reasonOf(errors[0])}`;
    await this.#release(why).catch((error) => errors.push(error));
    this.#session.stop();
    await this.#session.leave();
    await ignore(this.#client[Symbol.asyncDispose](), "the connections are closed in any case");
    this.#isOver = true;
    if (errors.length === 0) {
      this.#joined.reject(new LogError("closed", `Cannot join group ${this.group}: the log is closing`));
      return this.#end.resolve();
    }
    const error = errors.length === 1
      ? logErrorOf(errors[0])
      : new AggregateError(errors, `Cannot end the membership in ${this.group} cleanly`);
    this.#joined.reject(error);
    this.#end.reject(error);
  }

  /** Follows the group until it has to leave. */
  async #live(): Promise<void> {
    await this.#session.bury();
    for (;;) {
      const share = await this.#share();
      if (share === undefined) return;
      const held = this.partitions;
      const lost = held.filter((partition) => !share.partitions.includes(partition));
      const why = await this.#session.changes();
      await this.#revoke(lost, why);
      await this.#assign(share.partitions.filter((partition) => !held.includes(partition)));
      if (!share.more) this.#joined.resolve();
      // After a loss, join again at once, because others wait for those partitions; otherwise wait for a change.
      while (lost.length === 0 && !this.#mustJoin && !this.#isLeaving) await this.#noticed.promise;
    }
  }

  get #mustJoin(): boolean {
    return this.#session.isChanging || this.#session.expelled !== undefined;
  }

  /** Joins until the group assigns a share; `undefined` when it has to leave. */
  async #share(): Promise<Share | undefined> {
    for (;;) {
      const { expelled } = this.#session;
      if (expelled !== undefined) {
        await this.#revoke(this.partitions, expelled);
        this.#session.restart();
      }
      if (this.#isLeaving) return undefined;
      this.#isJoining = true;
      try {
        const share = await this.#session.join(this.partitions);
        if (!this.#isLeaving) return share;
      } catch (error) {
        if (this.#isLeaving) return undefined;
        await this.#session.recover(error);
      } finally {
        this.#isJoining = false;
      }
    }
  }

  /** Revokes partitions; they are released even when the handler fails. */
  async #revoke(lost: readonly number[], why: string): Promise<void> {
    if (lost.length === 0) return;
    try {
      await this.#handlers.revoked(lost, why);
    } finally {
      this.partitions = this.partitions.filter((partition) => !lost.includes(partition));
    }
  }

  /** Assigns partitions; when the handler fails, they are not held. */
  async #assign(gained: readonly number[]): Promise<void> {
    if (gained.length === 0) return;
    const before = this.partitions;
    this.partitions = [...before, ...gained].sort((a, b) => a - b);
    try {
      await this.#handlers.assigned(gained);
    } catch (error) {
      this.partitions = before;
      throw error;
    }
  }

  /** Releases everything, once. */
  #release(why: string): Promise<void> {
    return this.#released ??= this.#revoke(this.partitions, why);
  }

  #notice(): void {
    this.#noticed.resolve();
    this.#noticed = Promise.withResolvers();
  }
}
