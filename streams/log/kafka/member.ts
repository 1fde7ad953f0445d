/**
 * Membership in a consumer group, spoken with the brokers directly: kafkajs' consumer has no way to wait for those
 * who must let go of a partition.
 *
 * ```text
 *   ┌──> join and sync ──> revoked(what was lost) ──> assigned(what was gained) ──┬─ lost something? ──┐
 *   │                                                                            │ no                 │ yes
 *   │    heartbeats go on from here ─────────────────────────────────────────── wait                   │
 *   └───────────────── the group changes ────────────────────────────────────────┴────────────────────┘
 * ```
 * A member that the group has given up (it was silent for too long) lets go of everything before it joins again.
 * Members that were killed on this machine are reported before we join, and with each heartbeat.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
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
import { inOurWords, isPassing, type KafkaClient, kafkaType } from "./client.ts";
import type { MemberNotes } from "./member_notes.ts";

/** What a {@linkcode KafkaMember} joins, and how. */
export interface MemberOptions {
  /** Name of the group. */
  readonly group: string;
  /** The co-partitioned topics. */
  readonly topics: readonly string[];
  /** Number of partitions of each topic. */
  readonly partitions: number;
  /** After so long without a heartbeat, the group gives its partitions to others. */
  readonly sessionMs: number;
  /** Time between heartbeats; as long does it take to notice a change of the group. */
  readonly heartbeatMs: number;
  /** How long the group waits for a member whose handlers are busy. */
  readonly rebalanceMs: number;
  /** Where members of this machine note that they live. */
  readonly notes?: MemberNotes;
}

/** What the broker says to a member that is out. */
const OUT: ReadonlySet<string> = new Set(["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_INSTANCE_ID"]);
/** Time between heartbeats of a member that waits for what another lets go. */
const EXPECTING_MS = 50;
/** Pause before joining again when brokers cannot be reached. */
const RETRY_MS = 100;
const CHANGING = "REBALANCE_IN_PROGRESS";

const logger = getLogger(["meander", "kafka"]);

/** A member of a group. */
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
  /** Given by the broker; empty when it knows us not. */
  #id = "";
  #generation = -1;
  /** Whether the group changes and we have to join again. */
  #isChanging = false;
  /** Whether the group has given us up. */
  #isOut = false;
  /** Whether we wait for the group; no handler runs then. */
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
   * @param client its own, disposed at the end: joining blocks a connection for as long as the group takes
   * @param other another one, to leave by
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
      member.ended.catch(() => {}); // told here
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
    if (this.#isOver) return; // `ended` has told why
    this.ended.catch(() => {}); // told here
    this.#isLeaving = true;
    this.#notice();
    if (this.#isJoining) {
      // The group may take long; it answers as soon as we are out.
      await this.#release().catch(() => {}); // told by `ended`
      await this.#quit();
    }
    await this.ended;
  }

  async #run(): Promise<void> {
    const errors: unknown[] = [];
    await this.#live().catch((error) => errors.push(error));
    await this.#release().catch((error) => errors.push(error));
    this.#beating.abort();
    await this.#quit();
    await this.#client[Symbol.asyncDispose]().catch(() => {}); // the connections are gone in any case
    this.#isOver = true;
    if (errors.length === 0) {
      this.#joined.reject(new LogError("closed", `Cannot join group ${this.group}: the log closes`));
      return this.#end.resolve();
    }
    const error = errors.length === 1
      ? inOurWords(errors[0])
      : new AggregateError(errors, `Cannot end the membership in ${this.group} cleanly`);
    this.#joined.reject(error);
    this.#end.reject(error);
  }

  /** Follows the group until it is told to leave. */
  async #live(): Promise<void> {
    await this.#bury();
    for (;;) {
      const share = await this.#share();
      if (share === undefined) return;
      const held = this.partitions;
      const lost = held.filter((partition) => !share.partitions.includes(partition));
      await this.#revoke(lost);
      await this.#assign(share.partitions.filter((partition) => !held.includes(partition)));
      if (!share.more) this.#joined.resolve();
      // What was lost waits for us to say so; otherwise there is time until something changes.
      while (lost.length === 0 && !this.#isChanging && !this.#isOut && !this.#isLeaving) {
        await this.#noticed.promise;
      }
    }
  }

  /** Joins until the group has told our share; `undefined` when it is time to leave. */
  async #share(): Promise<Share | undefined> {
    for (;;) {
      if (this.#isOut) {
        await this.#revoke(this.partitions);
        this.#id = "";
        this.#isOut = false;
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
        if (OUT.has(type ?? "") || this.#isSilent) this.#isOut = true;
        if (isPassing(error)) {
          await this.#client.pause(RETRY_MS);
          await this.#client.refresh().catch(() => {}); // the next try tells
        } else if (!this.#isOut && type !== CHANGING) throw error;
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
   * Tells the group that we live, and notices what it tells; ends with the signal.
   *
   * @param isExpecting whether another round is about to come, which nobody should wait for
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
        // Heartbeats go on while the group changes: our handlers may be busy for longer than a session.
        if (kafkaType(error) === CHANGING) {
          this.#lastBeat = performance.now();
          this.#isChanging = true;
        } else if (isPassing(error) && !this.#isSilent) await this.#client.refresh().catch(() => {});
        else this.#isOut = true;
        this.#notice();
        if (this.#isOut) return;
      }
    }
  }

  /** Whether the group must think that we are dead. */
  get #isSilent(): boolean {
    return performance.now() - this.#lastBeat > this.#options.sessionMs;
  }

  /** Lets partitions go; they are gone also when the handler fails. */
  async #revoke(lost: readonly number[]): Promise<void> {
    if (lost.length === 0) return;
    try {
      await this.#handlers.revoked(lost);
    } finally {
      this.partitions = this.partitions.filter((partition) => !lost.includes(partition));
    }
  }

  /** Takes partitions; when the handler fails, they are not held. */
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

  /** Lets everything go, once and for all. */
  #release(): Promise<void> {
    return this.#released ??= this.#revoke(this.partitions);
  }

  /** Tells the group that we leave; if that fails, it finds out when the session is over. */
  #quit(): Promise<void> {
    return this.#quitted ??= this.#other.once(async () => {
      if (this.#id !== "") {
        const coordinator = await this.#other.coordinator("group", this.group);
        await coordinator.leaveGroup({ groupId: this.group, memberId: this.#id });
      }
      await this.#options.notes?.remove().catch(() => {}); // whoever finds it tells what is known
    }).catch(() => this.#options.notes?.abandon());
  }

  /** Without a note we are found dead when the session is over, as anywhere else. */
  async #note(memberId: string): Promise<void> {
    const { notes } = this.#options;
    await notes?.write(memberId).catch((error) => {
      logger.warn("cannot note the membership in {group}: {reason}", {
        group: this.group,
        reason: (error as Error).message,
      });
    });
  }

  /** Tells the group of members of this machine that are dead; if that fails, it finds out by itself. */
  async #bury(): Promise<void> {
    await this.#options.notes?.bury((memberId) =>
      this.#other.once(async () => {
        const coordinator = await this.#other.coordinator("group", this.group);
        await coordinator.leaveGroup({ groupId: this.group, memberId }).catch((error) => {
          if (!OUT.has(kafkaType(error) ?? "")) throw error;
        });
        logger.info("told group {group} that {memberId} is dead", { group: this.group, memberId });
      })
    ).catch(() => {}); // tried again with the next heartbeat
  }

  #notice(): void {
    this.#noticed.resolve();
    this.#noticed = Promise.withResolvers();
  }
}
