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

  /** See {@linkcode Log.read}. */
  async read(
    topic: string,
    partition: number,
    from: number,
    { signal, ...options }: ReadOptions = {},
  ): Promise<ReadResult> {
    const { records, next } = await this.#port.call("read", [topic, partition, from, options], {
      signal,
    }) as {
      readonly records: PackedRecords;
      readonly next: number;
    };
    return { records: unpackRead(records), next };
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
