/**
 * The log port: what meander requires of a partitioned, append-only log. Kafka's semantics are the model; the
 * memory and SQLite logs have the same semantics, and one contract suite (`tests/contracts/log_contract.ts`)
 * holds all logs to them.
 *
 * Offsets are integers that increase within a partition, possibly with gaps (Kafka's transaction markers and
 * compaction leave holes): "the next record" is the one with the smallest offset at or above a position, never
 * `offset + 1`. Readers see committed records only.
 *
 * A reader of a `compact` topic, as in Kafka, sees in offset order at least the final record of every key, if that
 * is at or above its position; offsets are never reused. Earlier records of a key may be missing. Tombstones are
 * removed as well, after a while (Kafka: after `delete.retention.ms`; embedded logs: after some number of newer
 * tombstones): a reader that may have fallen further behind has to start over.
 *
 * @module
 */

/** What may be dropped: old records by position (`delete`), or all but the newest of each key (`compact`). */
export type Cleanup = "delete" | "compact";

/** A topic to create. */
export interface TopicSpec {
  /** 1 to 249 of the characters `a-z A-Z 0-9 . _ -`. */
  readonly name: string;
  /** Number of partitions; 1 to 1024 in a new topic. */
  readonly partitions: number;
  /** What may be dropped. */
  readonly cleanup: Cleanup;
}

/** A record to append. */
export interface NewRecord {
  /** Topic to write to. */
  readonly topic: string;
  /** Partition to write to; when absent, {@linkcode partitionOf} the key (a keyless record goes to 0). */
  readonly partition?: number | undefined;
  /** Well-formed UTF-16; never `null` on a `compact` topic. */
  readonly key: string | null;
  /** `null` is a tombstone: compaction forgets the key. Must not change until the append has resolved. */
  readonly value: Uint8Array | null;
  /**
   * Milliseconds since the epoch, a non-negative integer. Brokers refuse times more than an hour ahead, so the log on
   * Kafka limits times to 55 minutes ahead.
   */
  readonly time: number;
  /** Names and values, well-formed UTF-16. @default {{}} */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A record as read. */
export interface LogRecord {
  /** Topic it was read from. */
  readonly topic: string;
  /** Partition it was read from. */
  readonly partition: number;
  /** Its position in the partition. */
  readonly offset: number;
  /** As appended. */
  readonly key: string | null;
  /** As appended. Read only: a log in memory hands out the bytes it holds. */
  readonly value: Uint8Array | null;
  /** As appended, milliseconds since the epoch. */
  readonly time: number;
  /** Whether the time is when the log received the record, not the producer's. @default {false} */
  readonly isLogTime?: boolean;
  /** As appended; empty when there were none. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The readable range `[start, end)` of a partition. */
export interface Bounds {
  /** Smallest offset that can still be read. */
  readonly start: number;
  /** Smallest offset that the next record can have; a reader that has reached it has read everything. */
  readonly end: number;
}

/** Options of {@linkcode Log.read}. */
export interface ReadOptions {
  /** At most this many records, at least 1. @default {1000} */
  readonly maxRecords?: number;
  /** Stop after the record that reaches this many bytes of values. @default {4 MiB} */
  readonly maxBytes?: number;
  /** How long to wait for a first record, milliseconds. @default {0} */
  readonly waitMs?: number;
  /**
   * @internal {@linkcode ReadResult.epoch} of the read that ended at `from`: rejects with `beyond-end` if the log has
   * lost the record before `from`, even if it has another one there. @default {not checked}
   */
  readonly epoch?: number | undefined;
  /** Ends the wait: the read then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A batch of records and the position to continue from. */
export interface ReadResult {
  /** In offset order. */
  readonly records: readonly LogRecord[];
  /** Position to read from next: past the last record and past any hole after it. */
  readonly next: number;
  /**
   * Number of offsets from `from` on that the log dropped before this read, by {@linkcode Log.trim} or retention;
   * `records` come after them. Absent when there were none, and on `compact` topics.
   */
  readonly dropped?: number;
  /**
   * @internal In which epoch of the partition the record before `next` was written; absent if that is not known. To be
   * kept with the position: see {@linkcode ReadOptions.epoch}.
   */
  readonly epoch?: number | undefined;
}

/** Distinguishes a topic from earlier and later ones of the same name. */
export interface TopicIdentity {
  /** Unique among all topics that ever have this name; `null` if the log gives topics no ids. */
  readonly id: string | null;
  /** Current number of partitions, which can grow. */
  readonly partitions: number;
  /** @internal Partitions that are hidden, although others may write to them. @default {0} */
  readonly unread?: number;
}

/** An input position to commit together with outputs. */
export interface GroupOffset {
  /** The input topic. */
  readonly topic: string;
  /** The input partition. */
  readonly partition: number;
  /** Offset of the next record to read. */
  readonly offset: number;
  /** @internal {@linkcode ReadResult.epoch} of that position. @default {unknown} */
  readonly epoch?: number | undefined;
}

/** What one atomic commit makes visible, all or nothing. */
export interface Commit {
  /** Outputs, appended in order. */
  readonly records: readonly NewRecord[];
  /** The group whose offsets are stored. */
  readonly group: string;
  /** Input positions. */
  readonly offsets: readonly GroupOffset[];
}

/**
 * A transactional writer. Opening a second writer with the same id fences the first: its commits fail with
 * a {@linkcode LogError} of code `fenced`, and what it had not committed is never seen.
 */
export interface Writer extends AsyncDisposable {
  /** The id it was opened with. */
  readonly id: string;
  /**
   * Appends the records and stores the group's offsets atomically; resolves with the records' offsets when both
   * are durable. One call at a time. When it rejects with anything but `fenced`, {@linkcode Log.committed} shows
   * whether it succeeded.
   */
  commit(commit: Commit): Promise<readonly number[]>;
}

/**
 * Callbacks that a membership awaits; never called with an empty list, nor two at a time. A log may revoke more
 * partitions than it takes away and then assign the others again. A handler that throws ends the membership: its
 * partitions count as released, all others are revoked, and the group continues without the member. Handlers must
 * not wait for a join or leave of their own group.
 */
export interface GroupHandlers {
  /** These partitions (of every joined topic) are now ours alone. */
  assigned(partitions: readonly number[]): Promise<void>;
  /**
   * These partitions go to another member as soon as this resolves: finish, commit, release.
   *
   * @param why for people
   */
  revoked(partitions: readonly number[], why: string): Promise<void>;
}

/** Membership in a consumer group; the joined topics are co-partitioned. */
export interface Membership extends AsyncDisposable {
  /** The group's name. */
  readonly group: string;
  /** The partitions held now, ascending: from the call of `assigned` until `revoked` has settled. */
  readonly partitions: readonly number[];
  /**
   * Resolves when the membership ends by {@linkcode Membership.leave}, or because the log closes. Rejects with what a
   * handler threw, or why the log lost it. Handle it: an unhandled rejection ends the process.
   */
  readonly ended: Promise<void>;
  /**
   * Revokes the partitions held, then leaves the group. Resolves when others may take over.
   *
   * @throws what `revoked` threw; the member has left all the same
   */
  leave(): Promise<void>;
}

/** A member of a group, seen from outside. */
export interface GroupMember {
  /** Its name on the log. */
  readonly id: string;
  /** Where it runs. */
  readonly host: string;
  /** The partitions assigned to it. */
  readonly partitions: readonly number[];
}

/** How another thread opens a log itself; can be cloned. */
export interface LogAddress {
  /** The kind of log. */
  readonly kind: string;
  /** Options to open it with. */
  readonly options: unknown;
}

/** A channel to a log in another thread of the process; its port is transferred. */
export interface LogChannel {
  /** The client's end; the owner of the log serves the other end. */
  readonly port: MessagePort;
  /** Whether the log indexes its keys. */
  readonly hasLatest: boolean;
}

/** A partitioned, durable, append-only log. */
export interface Log extends AsyncDisposable {
  /**
   * How another thread opens the log itself. Absent on a log with one owner, which serves it to other threads instead.
   */
  readonly address?: LogAddress;
  /** @internal Whether partitions that were added to topics of a deployment are hidden already. */
  readonly hidesAdded?: true;
  /**
   * Creates the topics that do not exist.
   *
   * @throws LogError `topic-mismatch` when a topic exists with another spec.
   */
  createTopics(topics: readonly TopicSpec[]): Promise<void>;
  /**
   * The topics that exist and whose names begin with a prefix, by name.
   *
   * @param prefix leaves out other topics, since each one that is listed costs a shared log time. @default {""}
   */
  topics(prefix?: string): Promise<ReadonlyMap<string, TopicSpec>>;
  /** Identity of the topic that has this name now, or `null`; never cached. */
  identify(topic: string): Promise<TopicIdentity | null>;
  /**
   * Appends in order, all or nothing, and resolves with the offsets once durable.
   *
   * @throws TypeError or RangeError when a key, header or time is not as {@linkcode NewRecord} requires
   * @throws LogError `too-large` when a record is larger than its topic allows
   */
  append(records: readonly NewRecord[]): Promise<readonly number[]>;
  /**
   * Reads committed records at or above `from`, in offset order. A `from` below the start begins there.
   *
   * @throws LogError `beyond-end` when `from` is above the end: this log never returned that position, or has lost records
   */
  read(topic: string, partition: number, from: number, options?: ReadOptions): Promise<ReadResult>;
  /**
   * The newest record of a key of a compacted topic, or `null`. Only logs that index keys have it; with it, a task need
   * not hold every user in memory.
   */
  latest?(topic: string, partition: number, key: string): Promise<LogRecord | null>;
  /** The readable range of a partition. */
  bounds(topic: string, partition: number): Promise<Bounds>;
  /**
   * The first offset whose record has a time of `time` or later, milliseconds since the epoch; `null` = none. Only
   * logs with an index of times have it.
   */
  since?(topic: string, partition: number, time: number): Promise<number | null>;
  /** The committed position of a group, or `null` if it never committed. */
  committed(group: string, topic: string, partition: number): Promise<number | null>;
  /**
   * The epoch that a group has committed with its position, if that is the given one. Only logs with epochs have it.
   *
   * @internal
   */
  committedEpoch?(group: string, at: GroupOffset): Promise<number | undefined>;
  /**
   * Opens a transactional writer, fencing any other with this id.
   *
   * @param places partitions whose reads and bounds on this log must from now on include all that the fenced writers
   * have committed, even when a broker that is cut off from the others answers
   * @throws LogError `fenced` when another one with this id is opened meanwhile
   */
  writer(
    id: string,
    places?: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<Writer>;
  /**
   * Joins a group; `assigned` has resolved when this resolves. All members join the same topics. Partitions
   * are shared in a balanced and sticky way; members beyond the number of partitions get none.
   *
   * @throws what this member's own handlers threw; it is then not a member
   * @throws LogError `topic-mismatch` when the topics differ in their number of partitions, `closed` when the log is
   * closing
   */
  join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership>;
  /** The members of a group, in any process. Only logs shared by processes have it. */
  members?(group: string): Promise<readonly GroupMember[]>;
  /**
   * Drops the records below `before` of a `delete` topic.
   *
   * @throws LogError `topic-mismatch` when the topic is compact
   * @throws RangeError when `before` is above the end
   */
  trim(topic: string, partition: number, before: number): Promise<void>;
  /**
   * How long the topic's own retention keeps a record; on a `compact` topic, a replaced or deleted one. Only logs with
   * their own retention have it.
   *
   * @returns Milliseconds from the record's time; `null` = forever, or we lack the right to ask
   */
  keepMs?(topic: string): Promise<number | null>;
  /**
   * Erases single records; their offsets become holes, and no other offset changes. On a `compact` topic, erase only
   * what no reader needs. Offsets without a record are ignored. Only logs that can rewrite their records have it.
   */
  erase?(topic: string, partition: number, offsets: readonly number[]): Promise<void>;
  /**
   * Overwrites what erased records left on disk. Costs nothing if nothing was erased since the last call. Present
   * whenever {@linkcode Log.erase} is.
   */
  scrub?(): Promise<Scrubbed>;
  /**
   * Checks every record and the storage of the log. Blocks until it is done. Only logs that store their own records have
   * it.
   *
   * @param tell called for each partition, before it is read
   */
  verify?(tell?: (topic: string, partition: number) => void): Verified;
  /**
   * Ends of partitions: of what can be read (`readable`), or of everything written, including open transactions
   * (`written`). Only logs that are copied record by record have it.
   *
   * @internal
   */
  endsOf?(places: readonly Place[], of: "readable" | "written"): Promise<readonly number[]>;
  /**
   * Writes records at their original offsets, into a partition that has never had any; other offsets stay empty. The
   * partition then starts at `start`, and ends at `end` or one after it. Present whenever {@linkcode Log.endsOf} is.
   *
   * @internal
   */
  refill?(topic: string, partition: number, records: AsyncIterable<LogRecord>, bounds: Bounds): Promise<void>;
  /**
   * Calls a listener, which replaces any earlier one, whenever a quota makes the log wait, with the duration. Only logs
   * with quotas have it.
   *
   * @internal
   */
  watchThrottling?(listener: (ms: number) => void): void;
  /**
   * Reviews how the log is configured for a deployment. Only logs that administrators configure have it.
   *
   * @internal
   */
  review?(use: LogUse): Promise<readonly LogRemark[]>;
}

/** @internal A partition of a topic. */
export interface Place {
  /** Name of the topic. */
  readonly topic: string;
  readonly partition: number;
}

/** @internal How a deployment uses a log. */
export interface LogUse {
  /** Prefix of its topics. */
  readonly prefix: string;
  /** Topics that it writes to, which exist. */
  readonly topics: readonly string[];
  /** Those of them that must not drop records by age or size. */
  readonly kept: readonly string[];
  /** The topic to which others write events; `null` if it does not exist, or is hidden. */
  readonly events: string | null;
  /** A group whose offsets it stores. */
  readonly group: string;
  /** Whether to test every right, in a transaction that is then aborted. */
  readonly triesRights: boolean;
}

/** @internal A finding about how a log is configured. */
export interface LogRemark {
  /** What is wrong, or worth knowing. */
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
  /** Whether it is a problem, rather than a note. */
  readonly isProblem: boolean;
}

/** What {@linkcode Log.verify} found. */
export interface Verified {
  /** Number of records read. */
  readonly records: number;
  /** Problems of records or of the file, one sentence each. */
  readonly problems: readonly string[];
}

/**
 * What is left of erased records: nothing (`clean`); fragments in unused parts of the file until it is rewritten
 * (`fragments`); or everything, because a reader blocks the rewriting, so try again later (`busy`).
 */
export type Scrubbed = "clean" | "fragments" | "busy";

/** A log without consumer groups: the part that threads other than its owner can use. */
export type UngroupedLog = Omit<Log, "join" | "members" | "address">;

/** @internal What can be read of a log, also of one that belongs to another process. */
export type ReadableLog =
  & Pick<Log, "topics" | "identify" | "bounds" | "read" | "latest" | "committed">
  & AsyncDisposable;

/** Codes of {@linkcode LogError}. */
export const LOG_ERROR_CODES = [
  "unknown-topic",
  "unknown-partition",
  "topic-mismatch",
  "beyond-end",
  "too-large",
  "fenced",
  "locked",
  "closed",
  "unreachable",
  "full",
  "corrupt",
] as const;

/** One of {@linkcode LOG_ERROR_CODES}. */
export type LogErrorCode = (typeof LOG_ERROR_CODES)[number];

/** Options of a {@linkcode LogError}. */
export interface LogErrorOptions extends ErrorOptions {
  /** See {@linkcode LogError.records}. @default {[]} */
  readonly records?: readonly number[] | undefined;
  /** See {@linkcode LogError.end}. */
  readonly end?: number | undefined;
}

/**
 * An error of a log, with a code by which callers can handle it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { LogError, MemoryLog } from "@meander/meander/log";
 *
 * await using log = new MemoryLog();
 * const isUnknown = (error: unknown) => error instanceof LogError && error.code === "unknown-topic";
 * await assert.rejects(log.read("clicks", 0, 0), isUnknown);
 * ```
 */
export class LogError extends Error {
  /** Which kind of failure it is. */
  readonly code: LogErrorCode;
  /** For `too-large`: indexes of the records that are too large, in the call; empty when the log cannot tell. */
  readonly records: readonly number[];
  /** For `beyond-end`: the offset up to which the log has what was read, as far as it can tell. */
  readonly end: number | undefined;

  /** Makes an error with a code and a message. */
  constructor(code: LogErrorCode, message: string, { records = [], end, ...options }: LogErrorOptions = {}) {
    super(message, options);
    this.name = "LogError";
    this.code = code;
    this.records = records;
    this.end = end;
  }
}

/**
 * Whether an error may be temporary: a writer that was fenced or broke, a log that is closed, cannot be reached or has no
 * room.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { isTransient, LogError } from "@meander/meander/log";
 *
 * assert.ok(isTransient(new LogError("fenced", "another writer was opened")));
 * assert.ok(!isTransient(new LogError("corrupt", "a checksum is wrong")));
 * ```
 */
export function isTransient(error: unknown): boolean {
  return error instanceof LogError && ["fenced", "closed", "unreachable", "full"].includes(error.code);
}
