/**
 * What logs inside one process share: checks, grouped writes, waiting readers, fencing, groups. The underlying
 * {@linkcode LogStore} only stores, synchronously.
 */

import { setTimeout as delay } from "node:timers/promises";
import {
  checkOffset,
  checkPartition,
  checkSame,
  checkSpec,
  checkStart,
  checkTrim,
  placeOf,
} from "./checks.ts";
import { LocalGroups } from "./group.ts";
import {
  type Bounds,
  type Commit,
  type GroupHandlers,
  type GroupOffset,
  type Log,
  LogError,
  type LogRecord,
  type Membership,
  type NewRecord,
  type ReadOptions,
  type ReadResult,
  type Scrubbed,
  type TopicIdentity,
  type TopicSpec,
  type Writer,
} from "./log.ts";

/** Longest timer; a longer one fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Pause after a step of {@linkcode LocalLog.scrub}, as a multiple of the time that it took. */
const SCRUB_PAUSES = 4;

/** Records and group offsets that become visible together. */
export interface LogWrite {
  /** To be appended in order. */
  readonly records: readonly NewRecord[];
  /** The partition of each record, all valid. */
  readonly partitions: readonly number[];
  /** The group whose offsets are stored. */
  readonly group: string;
  /** Positions of the group; may be empty. */
  readonly offsets: readonly GroupOffset[];
}

/** The storage under a {@linkcode LocalLog}. Arguments have been checked: topics and partitions exist. */
export interface LogStore {
  /** The topics that exist, by name. */
  readonly topics: ReadonlyMap<string, TopicSpec>;
  /** Identity of an existing topic, different from that of any other topic of the same name. */
  id(topic: string): string;
  /** Creates topics that do not exist, all or none. */
  createTopics(topics: readonly TopicSpec[]): void;
  /** Makes all writes visible and returns their offsets. If it throws, none is visible. */
  write(writes: readonly LogWrite[]): readonly (readonly number[])[];
  /** Reads from a position, which is at most the end. */
  read(topic: string, partition: number, from: number, limits: ReadLimits): ReadResult;
  /** The newest record of a key of a compacted topic, or `null`. */
  latest(topic: string, partition: number, key: string): LogRecord | null;
  /** Smallest offset that can be read. */
  start(topic: string, partition: number): number;
  /** The next offset. */
  end(topic: string, partition: number): number;
  /** The position of a group, or `null`. */
  committed(group: string, topic: string, partition: number): number | null;
  /** Drops the records below an offset, which is at most the end. */
  trim(topic: string, partition: number, before: number): void;
  /** Erases single records. */
  erase(topic: string, partition: number, offsets: readonly number[]): void;
  /** Overwrites some remains of erased records. @returns what remains; `more` = call again */
  scrub(): Scrubbed | "more";
  /** Frees its resources; the last call. */
  close(): Promise<void> | void;
}

/** Limits of a read. */
export interface ReadLimits {
  /** At most this many records. */
  readonly maxRecords: number;
  /** Stop after the record that reaches this many bytes of values. */
  readonly maxBytes: number;
}

/** A write that waits for its turn. */
interface PendingWrite {
  readonly write: LogWrite;
  readonly writer: LocalWriter | undefined;
  readonly resolve: (offsets: readonly number[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A log inside one process. Checks, grouped writes, waiting readers, fencing and consumer groups are here; the store
 * only stores.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { LocalLog, type LogStore } from "@meander/meander/log";
 *
 * // A log over a store of your own; what is written in one turn of the event loop is written together.
 * class OwnLog extends LocalLog {
 *   constructor(store: LogStore) {
 *     super(store, (flush) => setImmediate(flush));
 *   }
 * }
 * assert.ok("append" in OwnLog.prototype);
 * ```
 */
export class LocalLog implements Log {
  readonly #store: LogStore;
  readonly #schedule: (flush: () => void) => void;
  readonly #now: () => number;
  readonly #pause: (ms: number) => Promise<unknown>;
  readonly #groups = new LocalGroups();
  readonly #writers = new Map<string, LocalWriter>();
  /** Readers that wait for a record, by topic and partition. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #pending: PendingWrite[] = [];
  #closing: Promise<void> | undefined;
  #closed = false;

  /**
   * Makes a log over a store.
   *
   * @param schedule decides when to write; writes that arrive until it calls back become one write of the store
   * @param clock a monotonic time in milliseconds, and a pause of so many, in which others have the thread
   */
  constructor(
    store: LogStore,
    schedule: (flush: () => void) => void,
    clock: { readonly now?: () => number; readonly pause?: (ms: number) => Promise<unknown> } = {},
  ) {
    this.#store = store;
    this.#schedule = schedule;
    this.#now = clock.now ?? (() => performance.now());
    this.#pause = clock.pause ?? delay; // a mere turn of the event loop would not poll sockets
  }

  createTopics(topics: readonly TopicSpec[]): Promise<void> {
    return Promise.try(() => {
      const known = this.#open().topics;
      const missing = new Map<string, TopicSpec>();
      for (const topic of topics) {
        checkSpec(topic);
        const existing = known.get(topic.name) ?? missing.get(topic.name);
        if (existing === undefined) missing.set(topic.name, topic);
        else checkSame(existing, topic);
      }
      if (missing.size > 0) this.#store.createTopics([...missing.values()]);
    });
  }

  topics(prefix = ""): Promise<ReadonlyMap<string, TopicSpec>> {
    return Promise.try(() => new Map([...this.#open().topics].filter(([name]) => name.startsWith(prefix))));
  }

  identify(topic: string): Promise<TopicIdentity | null> {
    return Promise.try(() => {
      const store = this.#open();
      const spec = store.topics.get(topic);
      return spec === undefined ? null : { id: store.id(topic), partitions: spec.partitions };
    });
  }

  append(records: readonly NewRecord[]): Promise<readonly number[]> {
    return this.#write({ records, group: "", offsets: [] });
  }

  read(topic: string, partition: number, from: number, options: ReadOptions = {}): Promise<ReadResult> {
    return Promise.try(() => {
      const { maxRecords = 1000, maxBytes = 4 << 20, waitMs = 0, signal } = options;
      signal?.throwIfAborted();
      const { cleanup } = this.#check(topic, partition);
      const end = this.#store.end(topic, partition);
      checkStart({ topic, partition }, from, end);
      const read = () => {
        const result = this.#store.read(topic, partition, from, { maxRecords, maxBytes });
        if (cleanup === "compact") return result;
        const dropped = this.#store.start(topic, partition) - Math.max(0, from);
        return dropped > 0 ? { ...result, dropped } : result;
      };
      const result = read();
      if (result.records.length > 0 || waitMs <= 0) return result;
      return this.#waitFor(`${topic}/${partition}`, read, waitMs, signal);
    });
  }

  latest(topic: string, partition: number, key: string): Promise<LogRecord | null> {
    return Promise.try(() => {
      this.#check(topic, partition);
      return this.#store.latest(topic, partition, key);
    });
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    return Promise.try(() => {
      this.#check(topic, partition);
      return { start: this.#store.start(topic, partition), end: this.#store.end(topic, partition) };
    });
  }

  committed(group: string, topic: string, partition: number): Promise<number | null> {
    return Promise.try(() => {
      this.#check(topic, partition);
      return this.#store.committed(group, topic, partition);
    });
  }

  writer(id: string): Promise<Writer> {
    return Promise.try(() => {
      this.#open();
      const writer: LocalWriter = new LocalWriter(id, (commit) => this.#write(commit, writer));
      this.#writers.set(id, writer);
      return writer;
    });
  }

  join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    return Promise.try(() => {
      if (this.#closing !== undefined) {
        throw new LogError("closed", `Cannot join group ${group}: the log is closing`);
      }
      return this.#groups.join(group, topics.map((topic) => this.#spec(topic)), handlers);
    });
  }

  trim(topic: string, partition: number, before: number): Promise<void> {
    return Promise.try(() => {
      const spec = this.#check(topic, partition);
      checkTrim(spec, partition, before, this.#store.end(topic, partition));
      this.#store.trim(topic, partition, before);
    });
  }

  erase(topic: string, partition: number, offsets: readonly number[]): Promise<void> {
    return Promise.try(() => {
      this.#check(topic, partition);
      this.#store.erase(topic, partition, offsets);
    });
  }

  async scrub(): Promise<Scrubbed> {
    for (;;) {
      const begun = this.#now();
      const state = this.#open().scrub();
      if (state !== "more") return state;
      await this.#pause(SCRUB_PAUSES * (this.#now() - begun));
    }
  }

  /** Revokes the members' partitions, writes what is pending, then closes. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    try {
      await this.#groups.close();
    } finally {
      this.#flush();
      this.#closed = true;
      for (const wake of [...this.#waiting.values()].flatMap((readers) => [...readers])) wake();
      await this.#store.close();
    }
  }

  #open(): LogStore {
    if (this.#closed) throw new LogError("closed", "Cannot use the log: it is closed");
    return this.#store;
  }

  #spec(topic: string): TopicSpec {
    const spec = this.#open().topics.get(topic);
    if (spec === undefined) {
      throw new LogError("unknown-topic", `Cannot find topic ${topic}: it does not exist`);
    }
    return spec;
  }

  #check(topic: string, partition: number): TopicSpec {
    const spec = this.#spec(topic);
    checkPartition(spec, partition);
    return spec;
  }

  #write(commit: Commit, writer?: LocalWriter): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      const { records, group, offsets } = commit;
      const partitions = records.map((record) => placeOf(record, this.#spec(record.topic)));
      for (const offset of offsets) {
        this.#check(offset.topic, offset.partition);
        checkOffset(group, offset);
      }
      this.#pending.push({ write: { records, partitions, group, offsets }, writer, resolve, reject });
      if (this.#pending.length === 1) this.#schedule(() => this.#flush());
    });
  }

  #flush(): void {
    const pending = this.#pending.filter(({ writer, reject }) => {
      const error = writer && this.#errorOf(writer);
      if (error !== undefined) reject(error);
      return error === undefined;
    });
    this.#pending = [];
    if (pending.length === 0) return;
    try {
      const offsets = this.#open().write(pending.map(({ write }) => write));
      pending.forEach(({ resolve }, i) => resolve(offsets[i] ?? []));
    } catch (error) {
      for (const { reject } of pending) reject(error);
    } finally {
      // Also after an error: the store may have failed after its last step, and waking readers is cheap.
      if (this.#waiting.size > 0) this.#wake(pending.map(({ write }) => write));
    }
  }

  /** Why a writer may not commit. */
  #errorOf(writer: LocalWriter): LogError | undefined {
    if (writer.closed) return new LogError("closed", `Cannot commit with writer ${writer.id}: it is closed`);
    if (this.#writers.get(writer.id) === writer) return undefined;
    return new LogError(
      "fenced",
      `Cannot commit with writer ${writer.id}: another writer with its id was opened`,
    );
  }

  #wake(writes: readonly LogWrite[]): void {
    const places = new Set<string>();
    for (const { records, partitions } of writes) {
      for (let i = 0; i < records.length; i++) {
        const { topic } = records[i]!;
        // Adjacent records usually share a partition, and comparing is cheaper than building its name.
        if (i > 0 && topic === records[i - 1]!.topic && partitions[i] === partitions[i - 1]) continue;
        places.add(`${topic}/${partitions[i]}`);
      }
    }
    for (const place of places) for (const wake of [...this.#waiting.get(place) ?? []]) wake();
  }

  #waitFor(place: string, read: () => ReadResult, waitMs: number, signal?: AbortSignal): Promise<ReadResult> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadResult>();
    const readers = this.#waiting.get(place) ?? new Set();
    this.#waiting.set(place, readers);
    const attempt = (last: boolean) => {
      try {
        this.#open();
        const result = read();
        if (result.records.length === 0 && !last) return;
        resolve(result);
      } catch (error) {
        reject(error);
      }
      finish();
    };
    const wake = () => attempt(false);
    const abort = () => {
      reject(signal?.reason);
      finish();
    };
    const timer = setTimeout(() => attempt(true), Math.min(waitMs, MAX_TIMEOUT_MS));
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      readers.delete(wake);
      if (readers.size === 0) this.#waiting.delete(place);
    };
    readers.add(wake);
    signal?.addEventListener("abort", abort);
    return promise;
  }
}

class LocalWriter implements Writer {
  readonly id: string;
  closed = false;
  readonly #commit: (commit: Commit) => Promise<readonly number[]>;

  constructor(id: string, commit: (commit: Commit) => Promise<readonly number[]>) {
    this.id = id;
    this.#commit = commit;
  }

  async commit(commit: Commit): Promise<readonly number[]> {
    return await this.#commit(commit);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}
