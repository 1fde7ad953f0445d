/** A log that lives in another thread of this process. */

import { ignore } from "../ignore.ts";
import {
  type Bounds,
  type Commit,
  type LogChannel,
  LogError,
  type LogRecord,
  type NewRecord,
  type Place,
  type ReadOptions,
  type ReadResult,
  type TopicIdentity,
  type TopicSpec,
  type UngroupedLog,
  type Writer,
} from "../log.ts";
import type { LogCalls } from "./log_calls.ts";
import { packRecords, unpackRead } from "./packed_records.ts";
import { PortCaller } from "./port_calls.ts";

/** The log behind a port (see {@linkcode serveLog}), without groups. */
export class RemoteLog implements UngroupedLog {
  /** Present when the log behind the port has it. */
  readonly latest?: (topic: string, partition: number, key: string) => Promise<LogRecord | null>;
  /** Present when the log behind the port indexes its keys: such a log stores its own records, so it can erase them. */
  readonly erase?: NonNullable<UngroupedLog["erase"]>;
  /** As {@linkcode RemoteLog.erase}. */
  readonly scrub?: NonNullable<UngroupedLog["scrub"]>;
  readonly #port: PortCaller<LogCalls>;

  /** Takes over this end of a channel. */
  constructor({ port, hasLatest }: LogChannel) {
    this.#port = new PortCaller(
      port,
      () => new LogError("closed", "Cannot use the log: its port is closed"),
    );
    if (hasLatest) {
      this.latest = async (...args) => {
        return unpackRead(await this.#port.call("latest", args))[0] ?? null;
      };
      this.erase = async (...args) => await this.#port.call("erase", args);
      this.scrub = async () => await this.#port.call("scrub", []);
    }
  }

  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    await this.#port.call("createTopics", [topics]);
  }

  async topics(prefix = ""): Promise<ReadonlyMap<string, TopicSpec>> {
    return await this.#port.call("topics", [prefix]);
  }

  async identify(topic: string): Promise<TopicIdentity | null> {
    return await this.#port.call("identify", [topic]);
  }

  async append(records: readonly NewRecord[]): Promise<readonly number[]> {
    const packed = packRecords(records);
    return await this.#port.call("append", [packed], { transfer: [packed.bytes] });
  }

  async read(topic: string, partition: number, from: number, options: ReadOptions = {}): Promise<ReadResult> {
    const { signal, ...limits } = options;
    const { records, ...result } = await this.#port.call("read", [topic, partition, from, limits], {
      signal,
    });
    return { records: unpackRead(records), ...result };
  }

  async bounds(topic: string, partition: number): Promise<Bounds> {
    return await this.#port.call("bounds", [topic, partition]);
  }

  async committed(group: string, topic: string, partition: number): Promise<number | null> {
    return await this.#port.call("committed", [group, topic, partition]);
  }

  async writer(id: string, places: readonly Place[] = []): Promise<Writer> {
    const handle = await this.#port.call("openWriter", [id, places]);
    let isClosed = false;
    return {
      id,
      commit: async ({ records, ...commit }: Commit) => {
        if (isClosed) throw new LogError("closed", `Cannot commit with writer ${id}: it is closed`);
        const packed = packRecords(records);
        return await this.#port.call("commit", [handle, packed, commit], { transfer: [packed.bytes] });
      },
      [Symbol.asyncDispose]: async () => {
        if (isClosed || this.#port.closed) return;
        isClosed = true;
        await this.#port.call("closeWriter", [handle]);
      },
    };
  }

  async trim(topic: string, partition: number, before: number): Promise<void> {
    await this.#port.call("trim", [topic, partition, before]);
  }

  /** Closes the port and the writers that were opened through it; the log stays open. */
  [Symbol.asyncDispose](): Promise<void> {
    ignore(this.#port.call("leave", []), "the port is closed before an answer");
    this.#port.close();
    return Promise.resolve();
  }
}
