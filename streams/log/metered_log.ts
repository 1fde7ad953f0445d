/**
 * A log that tells what goes through it: how long commits and appends take, how much is written, what groups do.
 *
 * @module
 */

import {
  type Bounds,
  type Commit,
  type GroupHandlers,
  type GroupMember,
  type Log,
  type LogAddress,
  type LogConnection,
  LogError,
  type LogRecord,
  type Membership,
  type NewRecord,
  type ReadOptions,
  type ReadResult,
  type TopicIdentity,
  type TopicSpec,
  type Writer,
} from "./log.ts";

/** How much of a topic was written. */
export interface TopicSize {
  /** Name of the topic. */
  readonly topic: string;
  /** How many records. */
  readonly records: number;
  /** Bytes of their values. */
  readonly bytes: number;
}

/** A commit made in another thread. */
export interface CommitReport {
  /** How long it took, milliseconds. */
  readonly ms: number;
  /** Whether it succeeded. */
  readonly ok: boolean;
  /** What it writes. */
  readonly sizes: readonly TopicSize[];
}

/** How much records take, by topic. */
export function sizesOf(records: readonly NewRecord[]): TopicSize[] {
  const sums = new Map<string, { topic: string; records: number; bytes: number }>();
  let sum: { topic: string; records: number; bytes: number } | undefined;
  for (const { topic, value } of records) {
    if (topic !== sum?.topic) {
      sum = sums.get(topic) ?? { topic, records: 0, bytes: 0 };
      sums.set(topic, sum);
    }
    sum.records++;
    sum.bytes += value?.length ?? 0;
  }
  return [...sums.values()];
}

/** Receives what a {@linkcode MeteredLog} measures. Must not throw. */
export interface LogObserver {
  /** A commit of a writer has ended after so many milliseconds. */
  committed(writer: string, ms: number, commit: Commit, ok: boolean): void;
  /** An append has ended after so many milliseconds. */
  appended(records: readonly NewRecord[], ms: number, ok: boolean): void;
  /** A commit or append failed because the log did not accept it, not because of its content or its writer. */
  failed?(error: unknown): void;
  /** A group assigned or revoked partitions. */
  rebalanced(group: string, what: "assigned" | "revoked", partitions: readonly number[]): void;
}

/**
 * Forwards every call to another log, which it owns, and reports to an observer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { type LogObserver, MemoryLog, MeteredLog } from "@meander/meander/log";
 *
 * const appended: number[] = [];
 * const observer: LogObserver = {
 *   committed() {},
 *   appended: (records) => void appended.push(records.length),
 *   rebalanced() {},
 * };
 * await using log = new MeteredLog(new MemoryLog(), observer);
 * await log.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }]);
 * await log.append([{ topic: "clicks", key: "ann", value: null, time: Date.now() }]);
 * assert.deepEqual(appended, [1]);
 * ```
 */
export class MeteredLog implements Log {
  /** Present when the log below has it. What a log opened there does is not measured. */
  readonly address?: LogAddress;
  /** Present when the log below has it. What comes that way is not measured. */
  readonly connect?: () => LogConnection;
  /** Present when the log below has it. */
  readonly latest?: (topic: string, partition: number, key: string) => Promise<LogRecord | null>;
  /** Present when the log below has it. */
  readonly keepMs?: NonNullable<Log["keepMs"]>;
  /** Present when the log below has it. */
  readonly erase?: NonNullable<Log["erase"]>;
  /** Present when the log below has it. */
  readonly scrub?: NonNullable<Log["scrub"]>;
  /** Present when the log below has it. */
  readonly members?: (group: string) => Promise<readonly GroupMember[]>;
  readonly #log: Log;
  readonly #observer: LogObserver;
  readonly #now: () => number;

  /** Wraps a log. @param now a clock in milliseconds that never goes back */
  constructor(log: Log, observer: LogObserver, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#observer = observer;
    this.#now = now;
    if (log.address !== undefined) this.address = log.address;
    if (log.connect !== undefined) this.connect = log.connect.bind(log);
    if (log.keepMs !== undefined) this.keepMs = log.keepMs.bind(log);
    if (log.erase !== undefined) this.erase = log.erase.bind(log);
    if (log.scrub !== undefined) this.scrub = log.scrub.bind(log);
    if (log.latest !== undefined) this.latest = log.latest.bind(log);
    if (log.members !== undefined) this.members = log.members.bind(log);
  }

  /** See {@linkcode Log.createTopics}. */
  createTopics(topics: readonly TopicSpec[]): Promise<void> {
    return this.#log.createTopics(topics);
  }

  /** See {@linkcode Log.topics}. */
  topics(): Promise<ReadonlyMap<string, TopicSpec>> {
    return this.#log.topics();
  }

  /** See {@linkcode Log.identify}. */
  identify(topic: string): Promise<TopicIdentity | null> {
    return this.#log.identify(topic);
  }

  /** See {@linkcode Log.append}. */
  append(records: readonly NewRecord[]): Promise<readonly number[]> {
    return this.#timed(
      () => this.#log.append(records),
      (ms, ok) => this.#observer.appended(records, ms, ok),
    );
  }

  /** See {@linkcode Log.read}. */
  read(topic: string, partition: number, from: number, options?: ReadOptions): Promise<ReadResult> {
    return this.#log.read(topic, partition, from, options);
  }

  /** See {@linkcode Log.bounds}. */
  bounds(topic: string, partition: number): Promise<Bounds> {
    return this.#log.bounds(topic, partition);
  }

  /** See {@linkcode Log.committed}. */
  committed(group: string, topic: string, partition: number): Promise<number | null> {
    return this.#log.committed(group, topic, partition);
  }

  /** See {@linkcode Log.writer}. */
  async writer(id: string): Promise<Writer> {
    const writer = await this.#log.writer(id);
    return {
      id: writer.id,
      commit: (commit) =>
        this.#timed(
          () => writer.commit(commit),
          (ms, ok) => this.#observer.committed(id, ms, commit, ok),
        ),
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }

  /** See {@linkcode Log.join}. */
  join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    return this.#log.join(group, topics, {
      assigned: (partitions) => {
        this.#observer.rebalanced(group, "assigned", partitions);
        return handlers.assigned(partitions);
      },
      revoked: (partitions) => {
        this.#observer.rebalanced(group, "revoked", partitions);
        return handlers.revoked(partitions);
      },
    });
  }

  /** See {@linkcode Log.trim}. */
  trim(topic: string, partition: number, before: number): Promise<void> {
    return this.#log.trim(topic, partition, before);
  }

  /** Closes the log below. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }

  async #timed<Result>(
    action: () => Promise<Result>,
    tell: (ms: number, ok: boolean) => void,
  ): Promise<Result> {
    const begun = this.#now();
    let ok = false;
    try {
      const result = await action();
      ok = true;
      return result;
    } catch (error) {
      if (isFailing(error)) this.#observer.failed?.(error);
      throw error;
    } finally {
      tell(this.#now() - begun, ok);
    }
  }
}

/** Whether whatever else is written may fail as well: brokers that cannot be reached, a disk that is full. */
function isFailing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof LogError) return error.code === "corrupt" || error.code === "unreachable";
  return "code" in error && error.code === "ERR_SQLITE_ERROR";
}
