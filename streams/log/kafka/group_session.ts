/**
 * The exchanges of a member with the coordinator of its group: joins, heartbeats, leaving.
 *
 * Members that were killed on this machine are reported before joining, and with each heartbeat.
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../../src/values/reason.ts";
import { ignore } from "../ignore.ts";
import type { GroupMember } from "../log.ts";
import { pause } from "../pause.ts";
import type { KafkaClient } from "./client.ts";
import { about, isPassing, kafkaType, OTHER_PROTOCOL } from "./protocol/errors.ts";
import {
  ASSIGNER,
  decodeMember,
  decodeShare,
  encodeMember,
  encodeShare,
  planShares,
  type Share,
} from "./group/assigner.ts";
import type { MemberNotes } from "./group/member_notes.ts";

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
const logger = getLogger(["meander", "kafka"]);

export class GroupSession {
  /** Why the group has expelled us; `undefined` = it has not. */
  expelled: string | undefined;
  /** Whether the group is changing, so that we have to join again. */
  isChanging = false;
  readonly #client: KafkaClient;
  readonly #other: KafkaClient;
  readonly #options: MemberOptions;
  readonly #onChange: () => void;
  /** Assigned by the broker; empty while we are not a member. */
  #id = "";
  #generation = -1;
  /** The members that were seen last, each with where it runs. */
  #members = new Map<string, string>();
  #beating = new AbortController();
  #lastBeat = performance.now();
  #left: Promise<void> | undefined;

  /**
   * @param client its own connection, which joining blocks for as long as the group takes
   * @param other a connection for everything else
   * @param onChange called after a heartbeat that failed: `expelled` or `isChanging` may have changed
   */
  constructor(client: KafkaClient, other: KafkaClient, options: MemberOptions, onChange: () => void) {
    this.#client = client;
    this.#other = other;
    this.#options = options;
    this.#onChange = onChange;
  }

  /** Joins, or joins again. @param held the partitions that we have */
  async join(held: readonly number[]): Promise<Share> {
    this.stop();
    this.isChanging = false;
    const { group: groupId, topics, partitions, sessionMs, rebalanceMs } = this.#options;
    const coordinator = await this.#client.coordinator("group", groupId);
    const { memberId, leaderId, generationId, members } = await coordinator.joinGroup({
      groupId,
      sessionTimeout: sessionMs,
      rebalanceTimeout: rebalanceMs,
      memberId: this.#id,
      groupProtocols: [{ name: ASSIGNER, metadata: encodeMember(topics, held) }],
    }).catch((error) => {
      throw kafkaType(error) === OTHER_PROTOCOL ? about(`join group ${groupId}`, error) : error;
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
      await this.bury();
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
          this.isChanging = true;
        } else if (isPassing(error) && !this.#isSilent) {
          await ignore(this.#client.refresh(), "the next heartbeat reports it");
        } else this.#expel(error);
        this.#onChange();
        if (this.expelled !== undefined) return;
      }
    }
  }

  /** Prepares for another attempt after one that failed. @throws the error if no attempt can mend it */
  async recover(error: unknown): Promise<void> {
    const type = kafkaType(error);
    if (OUT.has(type ?? "") || this.#isSilent) this.#expel(error);
    if (isPassing(error)) {
      await this.#client.pause(RETRY_MS);
      await ignore(this.#client.refresh(), "the next attempt reports it");
    } else if (this.expelled === undefined && type !== CHANGING) throw error;
  }

  /** Begins anew after the group has expelled us. */
  restart(): void {
    this.#id = "";
    this.expelled = undefined;
  }

  /** Sends no more heartbeats. */
  stop(): void {
    this.#beating.abort();
  }

  /** Notes that the group has expelled us, must have by now, or lets us in no more. */
  #expel(error: unknown): void {
    const type = kafkaType(error) ?? "";
    if (!OUT.has(type) && !this.#isSilent) {
      this.expelled = `the group refuses it: ${reasonOf(error)}`;
      return;
    }
    const { sessionMs } = this.#options;
    const silentMs = Math.round(performance.now() - this.#lastBeat);
    this.expelled =
      `the group has expelled it (${
        type || reasonOf(error)
      }), as it may after ${sessionMs} ms of silence; its ` +
      `last heartbeat was ${silentMs} ms ago`;
  }

  /** Looks who has joined and left since the last time, as far as the broker says in time. @returns that, for people */
  async changes(): Promise<string> {
    const before = this.#members;
    const look = this.#other.once(async () => {
      const members = await membersOf(this.#other, this.#options.group);
      return new Map(members.map(({ id, host }) => [id, host]));
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

  /** Leaves the group; if that fails, the group notices when the session is over. */
  leave(): Promise<void> {
    return this.#left ??= this.#other.once(async () => {
      if (this.#id !== "") {
        const coordinator = await this.#other.coordinator("group", this.#options.group);
        await coordinator.leaveGroup({ groupId: this.#options.group, memberId: this.#id });
      }
      await ignore(this.#options.notes?.remove(), "other members report a leftover note");
    }).catch(() => this.#options.notes?.abandon());
  }

  /** Registers on this machine. Without that, the group notices a crash only when the session is over. */
  async #note(memberId: string): Promise<void> {
    const { notes } = this.#options;
    await notes?.write(memberId).catch((error) => {
      logger.warn("cannot register the membership in {group} on this machine: {reason}", {
        group: this.#options.group,
        reason: reasonOf(error),
      });
    });
  }

  /** Reports dead members on this machine to the group; if that fails, the group notices by itself. */
  async bury(): Promise<void> {
    const { notes } = this.#options;
    if (notes === undefined) return;
    const burial = notes.bury((memberId) =>
      this.#other.once(async () => {
        const coordinator = await this.#other.coordinator("group", this.#options.group);
        await coordinator.leaveGroup({ groupId: this.#options.group, memberId }).catch((error) => {
          if (!OUT.has(kafkaType(error) ?? "")) throw error;
        });
        logger.info("reported to group {group} that {memberId} is dead", {
          group: this.#options.group,
          memberId,
        });
      })
    );
    await ignore(burial, "the next heartbeat tries again");
  }
}

/** See `Log.members`. */
export async function membersOf(client: KafkaClient, group: string): Promise<readonly GroupMember[]> {
  const coordinator = await client.coordinator("group", group);
  const { groups: [found] } = await coordinator.describeGroups({ groupIds: [group] });
  return (found?.members ?? []).map(({ memberId, clientHost, memberAssignment }) => ({
    id: memberId,
    host: clientHost.replace(/^\//, ""),
    // Members have no shares while a group rebalances.
    partitions: memberAssignment.length === 0 ? [] : decodeShare(memberAssignment).partitions,
  }));
}
