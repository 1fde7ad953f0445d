/** Measures the traffic of a log: times of commits and appends, what is written, what groups assign. */

import { type Commit, type Log, LogError, type NewRecord, type UngroupedLog } from "./log.ts";

/** How much was written to a topic. */
export interface TopicSize {
  /** Name of the topic. */
  readonly topic: string;
  /** Number of records. */
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
  /** Number and bytes of its records, by topic. */
  readonly sizes: readonly TopicSize[];
}

/** Number and bytes of records by topic. */
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

/** Receives what {@linkcode meteredLog} measures. Must not throw. */
export interface LogObserver {
  /** Called after each commit of a writer, with its duration. */
  committed(writer: string, ms: number, commit: Commit, ok: boolean): void;
  /** Called after each append, with its duration. */
  appended(records: readonly NewRecord[], ms: number, ok: boolean): void;
  /** Called when the log itself failed, not because of a record or a fenced writer. */
  failed?(error: unknown): void;
  /** Called when a quota of the log makes it wait, with the duration in milliseconds. */
  throttled?(ms: number): void;
  /** Called when a group assigns or revokes partitions. */
  rebalanced(group: string, what: "assigned" | "revoked", partitions: readonly number[]): void;
}

/**
 * A log that reports its traffic to an observer, with the capabilities of the underlying log. Neither a log opened at
 * its address nor a thread connected to it is measured.
 *
 * @param now a monotonic clock in milliseconds
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { type LogObserver, MemoryLog, meteredLog } from "@meander/meander/log";
 *
 * const appended: number[] = [];
 * const observer: LogObserver = {
 *   committed() {},
 *   appended: (records) => void appended.push(records.length),
 *   rebalanced() {},
 * };
 * await using log = meteredLog(new MemoryLog(), observer);
 * await log.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }]);
 * await log.append([{ topic: "clicks", key: "ann", value: null, time: Date.now() }]);
 * assert.deepEqual(appended, [1]);
 * ```
 */
export function meteredLog(
  log: Log,
  observer: LogObserver,
  now: () => number = () => performance.now(),
): Log {
  const timed = async <Result>(
    action: () => Promise<Result>,
    tell: (ms: number, ok: boolean) => void,
  ): Promise<Result> => {
    const begun = now();
    let ok = false;
    try {
      const result = await action();
      ok = true;
      return result;
    } catch (error) {
      if (isFailing(error)) observer.failed?.(error);
      throw error;
    } finally {
      tell(now() - begun, ok);
    }
  };
  log.watchThrottling?.((ms) => observer.throttled?.(ms));
  return layered(log, {
    append: (records) => timed(() => log.append(records), (ms, ok) => observer.appended(records, ms, ok)),
    async writer(id, places) {
      const writer = await log.writer(id, places);
      return {
        id,
        commit: (commit) =>
          timed(() => writer.commit(commit), (ms, ok) => observer.committed(id, ms, commit, ok)),
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
    join: (group, topics, handlers) =>
      log.join(group, topics, {
        assigned(partitions) {
          observer.rebalanced(group, "assigned", partitions);
          return handlers.assigned(partitions);
        },
        revoked(partitions, why) {
          observer.rebalanced(group, "revoked", partitions);
          return handlers.revoked(partitions, why);
        },
      }),
  });
}

/** A log with some methods replaced; all other calls, and disposal, go to the underlying log. */
export function layered<L extends UngroupedLog>(below: L, own: Partial<Log>): L {
  return new Proxy(below, {
    get(_, name) {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name);
      const member: unknown = Reflect.get(below, name, below);
      return typeof member === "function" ? member.bind(below) : member;
    },
  });
}

/** Whether other writes may fail as well, as with unreachable brokers or a full disk. */
function isFailing(error: unknown): boolean {
  if (!(error instanceof LogError)) return false;
  return ["corrupt", "full", "unreachable", "unknown-topic"].includes(error.code);
}
