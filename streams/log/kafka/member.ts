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
 * Members that were killed on this machine are reported before joining, and with each heartbeat.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../../src/values/reason.ts";
import { ignore } from "../ignore.ts";
import { pause } from "../pause.ts";
import { type GroupHandlers, LogError, type Membership } from "../log.ts";
import {
  ASSIGNER,
  decodeMember,
  decodeShare,
  encodeMember,
  encodeShare,
  planShares,
  type Share,
} from "./assigner.ts";
import { isPassing, type KafkaClient, kafkaType, logErrorOf } from "./client.ts";
import type { MemberNotes } from "./member_notes.ts";

/** Options of a {@linkcode KafkaMember}. */
export interface MemberOptions {
  readonly group: string;
  /** The co-partitioned topics. */
  readonly topics: readonly string[];
  readonly partitions: number;
  /** Time without a heartbeat after which the group reassigns its partitions. */
  readonly sessionMs: number;
  /** Time between heartbeats, whose replies announce changes of the group. */
  readonly heartbeatMs: number;
  /** How long the group waits for a member whose handlers are busy. */
  readonly rebalanceMs: number;
  /** Where members on this machine register. */
  readonly notes?: MemberNotes | undefined;
}

/** Kafka's errors for a member that was expelled. */
const OUT: ReadonlySet<string> = new Set(["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_INSTANCE_ID"]);
/** Time between heartbeats of a member that waits for others to release partitions. */
const EXPECTING_MS = 50;
/** Pause before joining again when brokers cannot be reached. */
const RETRY_MS = 100;
const CHANGING = "REBALANCE_IN_PROGRESS";
/** Longest wait for the group's members, which are only for people. */
const LOOK_MS = 500;
/** Why a member that ends without an error releases its partitions. */
const LEAVES = "it leaves the group";

const logger = getLogger(["meander", "kafka"]);

export class KafkaMember implements Membership {
  readonly group: string;
  readonly ended: Promise<void>;
  partitions: readonly number[] = [];
  readonly #options: MemberOptions;
  readonly #handlers: GroupHandlers;
  readonly #client: KafkaClient;
  readonly #other: KafkaClient;
  readonly #end = Promise.withResolvers<void>();
  readonly #joined = Promise.withResolvers<void>();
  /** Assigned by the broker; empty while we are not a member. */
  #id = "";
  #generation = -1;
  /** Whether the group is changing, so that we have to join again. */
  #isChanging = false;
  /** Why the group has expelled us; `undefined` = it has not. */
  #out: string | undefined;
  /** The members that were seen last, each with where it runs. */
  #members = new Map<string, string>();
  /** Whether we are waiting for the group; no handler runs then. */
  #isJoining = false;
  #isLeaving = false;
  #isOver = false;
  /** Resolved when one of the above changes. */
  #noticed = Promise.withResolvers<void>();
  #beating = new AbortController();
  #lastBeat = performance.now();
  #departure: Promise<void> | undefined;
  #released: Promise<void> | undefined;
  #quitted: Promise<void> | undefined;

  private constructor(
    client: KafkaClient,
    other: KafkaClient,
    options: MemberOptions,
    handlers: GroupHandlers,
  ) {
    this.group = options.group;
    this.ended = this.#end.promise;
    this.#client = client;
    this.#other = other;
    this.#options = options;
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
      await this.#quit();
    }
    await this.ended;
  }

  async #run(): Promise<void> {
    const errors: unknown[] = [];
    await this.#live().catch((error) => errors.push(error));
    const why = errors.length === 0 ? LEAVES : `its membership fails: ${reasonOf(errors[0])}`;
    await this.#release(why).catch((error) => errors.push(error));
    this.#beating.abort();
    await this.#quit();
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
    await this.#bury();
    for (;;) {
      const share = await this.#share();
      if (share === undefined) return;
      const held = this.partitions;
      const lost = held.filter((partition) => !share.partitions.includes(partition));
      const why = await this.#changesOfGroup();
      await this.#revoke(lost, why);
      await this.#assign(share.partitions.filter((partition) => !held.includes(partition)));
      if (!share.more) this.#joined.resolve();
      // After a loss, join again at once, because others wait for those partitions; otherwise wait for a change.
      while (lost.length === 0 && !this.#isChanging && this.#out === undefined && !this.#isLeaving) {
        await this.#noticed.promise;
      }
    }
  }

  /** Joins until the group assigns a share; `undefined` when it has to leave. */
  async #share(): Promise<Share | undefined> {
    for (;;) {
      if (this.#out !== undefined) {
        await this.#revoke(this.partitions, this.#out);
        this.#id = "";
        this.#out = undefined;
      }
      if (this.#isLeaving) return undefined;
      this.#beating.abort();
      this.#isChanging = false;
      this.#isJoining = true;
      try {
        const share = await this.#sync();
        if (!this.#isLeaving) return share;
      } catch (error) {
        if (this.#isLeaving) return undefined;
        const type = kafkaType(error);
        if (OUT.has(type ?? "") || this.#isSilent) this.#expel(error);
        if (isPassing(error)) {
          await this.#client.pause(RETRY_MS);
          await ignore(this.#client.refresh(), "the next attempt reports it");
        } else if (this.#out === undefined && type !== CHANGING) throw error;
      } finally {
        this.#isJoining = false;
      }
    }
  }

  async #sync(): Promise<Share> {
    const { group: groupId, topics, partitions, sessionMs, rebalanceMs } = this.#options;
    const coordinator = await this.#client.coordinator("group", groupId);
    const { memberId, leaderId, generationId, members } = await coordinator.joinGroup({
      groupId,
      sessionTimeout: sessionMs,
      rebalanceTimeout: rebalanceMs,
      memberId: this.#id,
      groupProtocols: [{ name: ASSIGNER, metadata: encodeMember(topics, this.partitions) }],
    });
    if (memberId !== this.#id) await this.#note(memberId);
    this.#id = memberId;
    this.#generation = generationId;
    this.#lastBeat = performance.now();
    const plan = memberId === leaderId
      ? planShares(partitions, members.map((member) => decodeMember(member.memberId, member.memberMetadata)))
      : new Map<string, Share>();
    const groupAssignment = [...plan].map(([memberId, share]) => ({
      memberId,
      memberAssignment: encodeShare(topics, share),
    }));
    const { memberAssignment } = await coordinator.syncGroup({
      groupId,
      generationId,
      memberId,
      groupAssignment,
    });
    const share = decodeShare(memberAssignment);
    this.#beating = new AbortController();
    this.#beat(this.#beating.signal, share.more);
    return share;
  }

  /**
   * Sends heartbeats and handles their replies, until the signal is aborted.
   *
   * @param isExpecting whether another round is about to begin, which must not be delayed
   */
  async #beat(signal: AbortSignal, isExpecting: boolean): Promise<void> {
    const { group: groupId, heartbeatMs } = this.#options;
    const pauseMs = isExpecting ? Math.min(heartbeatMs, EXPECTING_MS) : heartbeatMs;
    for (;;) {
      await pause(pauseMs, signal);
      if (signal.aborted) return;
      await this.#bury();
      if (signal.aborted) return;
      try {
        const coordinator = await this.#client.coordinator("group", groupId);
        await coordinator.heartbeat({
          groupId,
          groupGenerationId: this.#generation,
          memberId: this.#id,
        });
        this.#lastBeat = performance.now();
      } catch (error) {
        if (signal.aborted) return;
        // Heartbeats continue while the group is changing: handlers may be busy for longer than a session.
        if (kafkaType(error) === CHANGING) {
          this.#lastBeat = performance.now();
          this.#isChanging = true;
        } else if (isPassing(error) && !this.#isSilent) {
          await ignore(this.#client.refresh(), "the next heartbeat reports it");
        } else this.#expel(error);
        this.#notice();
        if (this.#out !== undefined) return;
      }
    }
  }

  /** Notes that the group has expelled us, or must have by now. */
  #expel(error: unknown): void {
    const { sessionMs } = this.#options;
    const silentMs = Math.round(performance.now() - this.#lastBeat);
    const reason = kafkaType(error) ?? reasonOf(error);
    this.#out =
      `the group has expelled it (${reason}), as it may after ${sessionMs} ms of silence; its last heartbeat ` +
      `was ${silentMs} ms ago`;
  }

  /** Looks who has joined and left since the last time, as far as the broker says in time. @returns that, for people */
  async #changesOfGroup(): Promise<string> {
    const before = this.#members;
    const look = this.#other.once(async () => {
      const coordinator = await this.#other.coordinator("group", this.group);
      const { groups: [found] } = await coordinator.describeGroups({ groupIds: [this.group] });
      return new Map(
        (found?.members ?? []).map(({ memberId, clientHost }) => [memberId, clientHost.replace(/^\//, "")]),
      );
    });
    const ended = new AbortController();
    const late = pause(LOOK_MS, ended.signal).then(() => undefined);
    const now = await Promise.race([look.catch(() => undefined), late]);
    ended.abort();
    if (now === undefined) return "the group has changed";
    this.#members = now;
    const names = (of: ReadonlyMap<string, string>, not: ReadonlyMap<string, string>) =>
      [...of].flatMap(([id, host]) => not.has(id) || id === this.#id ? [] : `${id} at ${host}`).join(", ") ||
      "nobody";
    return `members: ${now.size}, joined: ${names(now, before)}, left: ${names(before, now)}`;
  }

  /** Whether we have been silent for so long that the group considers us dead. */
  get #isSilent(): boolean {
    return performance.now() - this.#lastBeat > this.#options.sessionMs;
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

  /** Leaves the group; if that fails, the group notices when the session is over. */
  #quit(): Promise<void> {
    return this.#quitted ??= this.#other.once(async () => {
      if (this.#id !== "") {
        const coordinator = await this.#other.coordinator("group", this.group);
        await coordinator.leaveGroup({ groupId: this.group, memberId: this.#id });
      }
      await ignore(this.#options.notes?.remove(), "other members report a leftover note");
    }).catch(() => this.#options.notes?.abandon());
  }

  /** Registers on this machine. Without that, the group notices a crash only when the session is over. */
  async #note(memberId: string): Promise<void> {
    const { notes } = this.#options;
    await notes?.write(memberId).catch((error) => {
      logger.warn("cannot register the membership in {group} on this machine: {reason}", {
        group: this.group,
        reason: reasonOf(error),
      });
    });
  }

  /** Reports dead members on this machine to the group; if that fails, the group notices by itself. */
  async #bury(): Promise<void> {
    const { notes } = this.#options;
    if (notes === undefined) return;
    const burial = notes.bury((memberId) =>
      this.#other.once(async () => {
        const coordinator = await this.#other.coordinator("group", this.group);
        await coordinator.leaveGroup({ groupId: this.group, memberId }).catch((error) => {
          if (!OUT.has(kafkaType(error) ?? "")) throw error;
        });
        logger.info("reported to group {group} that {memberId} is dead", { group: this.group, memberId });
      })
    );
    await ignore(burial, "the next heartbeat tries again");
  }

  #notice(): void {
    this.#noticed.resolve();
    this.#noticed = Promise.withResolvers();
  }
}
