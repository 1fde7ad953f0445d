/**
 * A log that lives in another thread of this process.
 *
 * @module
 */

import {
  type Bounds,
  type Commit,
  type LogChannel,
  LogError,
  type LogRecord,
  type NewRecord,
  type ReadOptions,
  type ReadResult,
  type TopicSpec,
  type UngroupedLog,
  type Writer,
} from "./log.ts";
import { type PackedRecords, packRecords, unpackRead } from "./packed_records.ts";
import { PortCaller } from "./port_calls.ts";

/**
 * Asks the log behind a port (see {@linkcode serveLog}). It is the log's contract but for groups.
 */
export class RemoteLog implements UngroupedLog {
  /** Present when the log behind the port has it. */
  readonly latest?: (topic: string, partition: number, key: string) => Promise<LogRecord | null>;
  readonly #port: PortCaller;
  /** By topic and partition. */
  readonly #ahead = new Map<string, ReadAhead>();

  /** Takes over this end of a channel. */
  constructor({ port, hasLatest }: LogChannel) {
    this.#port = new PortCaller(
      port,
      () => new LogError("closed", "Cannot use the log: its port is closed"),
    );
    if (hasLatest) {
      this.latest = async (...args) => {
        const packed = await this.#port.call("latest", args) as PackedRecords;
        return unpackRead(packed)[0] ?? null;
      };
    }
  }

  /** See {@linkcode Log.createTopics}. */
  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    await this.#port.call("createTopics", [topics]);
  }

  /** See {@linkcode Log.topics}. */
  async topics(): Promise<ReadonlyMap<string, TopicSpec>> {
    return await this.#port.call("topics", []) as ReadonlyMap<string, TopicSpec>;
  }

  /** See {@linkcode Log.append}. */
  async append(records: readonly NewRecord[]): Promise<readonly number[]> {
    const packed = packRecords(records);
    return await this.#port.call("append", [packed], { transfer: [packed.bytes] }) as readonly number[];
  }

  /**
   * See {@linkcode Log.read}. Who gets something and waits for more is read ahead for, so that what comes meanwhile is
   * here when they ask.
   */
  async read(topic: string, partition: number, from: number, options: ReadOptions = {}): Promise<ReadResult> {
    const { signal, waitMs = 0, ...limits } = options;
    signal?.throwIfAborted();
    const place = `${topic}/${partition}`;
    const read = (from: number, waitMs: number, signal: AbortSignal | undefined) =>
      this.#port.call("read", [topic, partition, from, { waitMs, ...limits }], { signal }) as Promise<
        PackedRead
      >;
    const ahead = this.#ahead.get(place);
    this.#ahead.delete(place);
    const isWanted = ahead?.isFor(from, limits) ?? false;
    const found = isWanted ? await ahead?.take(waitMs, signal) : ahead?.end();
    // Who has waited for what was read ahead has waited for all that there is.
    const { records: packed, next } = found ?? await read(from, isWanted ? 0 : waitMs, signal);
    const records = unpackRead(packed);
    if (waitMs > 0 && records.length > 0) {
      this.#ahead.get(place)?.end(); // that of another reader, who came meanwhile
      this.#ahead.set(place, new ReadAhead(next, limits, (signal) => read(next, AHEAD_MS, signal)));
    }
    return { records, next };
  }

  /** See {@linkcode Log.bounds}. */
  async bounds(topic: string, partition: number): Promise<Bounds> {
    return await this.#port.call("bounds", [topic, partition]) as Bounds;
  }

  /** See {@linkcode Log.committed}. */
  async committed(group: string, topic: string, partition: number): Promise<number | null> {
    return await this.#port.call("committed", [group, topic, partition]) as number | null;
  }

  /** See {@linkcode Log.writer}. */
  async writer(id: string): Promise<Writer> {
    const handle = await this.#port.call("openWriter", [id]) as number;
    return {
      id,
      commit: async ({ records, ...commit }: Commit) => {
        const packed = packRecords(records);
        return await this.#port.call("commit", [handle, packed, commit], {
          transfer: [packed.bytes],
        }) as readonly number[];
      },
      [Symbol.asyncDispose]: async () => {
        if (!this.#port.closed) await this.#port.call("closeWriter", [handle]);
      },
    };
  }

  /** See {@linkcode Log.trim}. */
  async trim(topic: string, partition: number, before: number): Promise<void> {
    await this.#port.call("trim", [topic, partition, before]);
  }

  /** Closes the port; the log goes on. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#port.close();
    return Promise.resolve();
  }
}

interface PackedRead {
  readonly records: PackedRecords;
  readonly next: number;
}

type Limits = Pick<ReadOptions, "maxRecords" | "maxBytes">;

/** How long a read ahead waits at the other end. */
const AHEAD_MS = 60_000;

/** A read that was asked for before anybody wanted it. */
class ReadAhead {
  readonly #from: number;
  readonly #limits: Limits;
  readonly #ending = new AbortController();
  readonly #read: Promise<PackedRead>;
  #isDone = false;
  /** Whether it has ended without a record: more may have come since. */
  #isVain = false;

  constructor(from: number, limits: Limits, read: (signal: AbortSignal) => Promise<PackedRead>) {
    this.#from = from;
    this.#limits = limits;
    this.#read = read(this.#ending.signal);
    const done = (found?: PackedRead) => {
      this.#isDone = true;
      this.#isVain = found === undefined || found.records.lengths.length === 0;
    };
    this.#read.then(done, () => done());
  }

  /** Whether it is what is wanted. */
  isFor(from: number, { maxRecords, maxBytes }: Limits): boolean {
    return !this.#isVain && from === this.#from && maxRecords === this.#limits.maxRecords &&
      maxBytes === this.#limits.maxBytes;
  }

  /** What it finds within a time; else it ends. @throws the signal's reason */
  async take(waitMs: number, signal: AbortSignal | undefined): Promise<PackedRead | undefined> {
    if (this.#isDone) return await this.#read;
    // What is on its way may not be here yet: who does not wait for it must ask.
    return (waitMs > 0 ? await this.#wait(waitMs, signal) : undefined) ?? this.end();
  }

  /** Nobody wants it. */
  end(): undefined {
    this.#ending.abort();
  }

  async #wait(waitMs: number, signal: AbortSignal | undefined): Promise<PackedRead | undefined> {
    const { promise: ended, resolve: end, reject } = Promise.withResolvers<undefined>();
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    const timer = setTimeout(() => end(undefined), waitMs);
    try {
      signal?.throwIfAborted();
      return await Promise.race([this.#read, ended]);
    } catch (error) {
      this.end();
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }
}
