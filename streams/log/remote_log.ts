/**
 * A log that lives in another thread of this process.
 *
 * @module
 */

import {
  type Bounds,
  type Commit,
  LogError,
  type LogRecord,
  type NewRecord,
  type ReadOptions,
  type ReadResult,
  type TopicSpec,
  type UngroupedLog,
  type Writer,
} from "./log.ts";
import {
  type Method,
  type PackedRecords,
  packRecords,
  type PortReply,
  type PortRequest,
  unpackError,
  unpackRecords,
} from "./port_messages.ts";

/**
 * Asks the log behind a port (see {@linkcode serveLog}). It is the log's contract but for groups: those are joined
 * where the log is.
 */
export class RemoteLog implements UngroupedLog {
  /** Present when the log behind the port has it. */
  readonly latest?: (topic: string, partition: number, key: string) => Promise<LogRecord | null>;
  readonly #port: MessagePort;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #last = 0;
  #closed = false;

  /** Takes over this end of a channel. @param hasLatest whether the log indexes its keys */
  constructor(port: MessagePort, hasLatest: boolean) {
    this.#port = port;
    if (hasLatest) {
      this.latest = async (...args) => {
        const packed = await this.#ask("latest", args) as PackedRecords<LogRecord>;
        return unpackRecords(packed)[0] ?? null;
      };
    }
    port.onmessage = ({ data }: MessageEvent<PortReply>) => this.#hear(data);
  }

  /** See {@linkcode Log.createTopics}. */
  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    await this.#ask("createTopics", [topics]);
  }

  /** See {@linkcode Log.topics}. */
  async topics(): Promise<ReadonlyMap<string, TopicSpec>> {
    return await this.#ask("topics", []) as ReadonlyMap<string, TopicSpec>;
  }

  /** See {@linkcode Log.append}. */
  async append(records: readonly NewRecord[]): Promise<readonly number[]> {
    const packed = packRecords(records);
    return await this.#ask("append", [packed], { transfer: [packed.bytes] }) as readonly number[];
  }

  /** See {@linkcode Log.read}. */
  async read(
    topic: string,
    partition: number,
    from: number,
    { signal, ...options }: ReadOptions = {},
  ): Promise<ReadResult> {
    const { records, next } = await this.#ask("read", [topic, partition, from, options], { signal }) as {
      readonly records: PackedRecords<LogRecord>;
      readonly next: number;
    };
    return { records: unpackRecords(records), next };
  }

  /** See {@linkcode Log.bounds}. */
  async bounds(topic: string, partition: number): Promise<Bounds> {
    return await this.#ask("bounds", [topic, partition]) as Bounds;
  }

  /** See {@linkcode Log.committed}. */
  async committed(group: string, topic: string, partition: number): Promise<number | null> {
    return await this.#ask("committed", [group, topic, partition]) as number | null;
  }

  /** See {@linkcode Log.writer}. */
  async writer(id: string): Promise<Writer> {
    const handle = await this.#ask("openWriter", [id]) as number;
    return {
      id,
      commit: async ({ records, ...commit }: Commit) => {
        const packed = packRecords(records);
        return await this.#ask("commit", [handle, packed, commit], {
          transfer: [packed.bytes],
        }) as readonly number[];
      },
      [Symbol.asyncDispose]: async () => {
        if (!this.#closed) await this.#ask("closeWriter", [handle]);
      },
    };
  }

  /** See {@linkcode Log.trim}. */
  async trim(topic: string, partition: number, before: number): Promise<void> {
    await this.#ask("trim", [topic, partition, before]);
  }

  /** Closes the port; the log goes on. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#port.close();
    for (const { reject } of this.#calls.values()) reject(closed());
    this.#calls.clear();
    return Promise.resolve();
  }

  async #ask(
    method: Method,
    args: readonly unknown[],
    { transfer = [], signal }: {
      readonly transfer?: Transferable[];
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<unknown> {
    if (this.#closed) throw closed();
    signal?.throwIfAborted();
    const call = ++this.#last;
    const answer = Promise.withResolvers<unknown>();
    this.#calls.set(call, answer);
    const cancel = () => {
      this.#send({ cancel: call });
      this.#calls.delete(call);
      answer.reject(signal?.reason);
    };
    signal?.addEventListener("abort", cancel);
    this.#send({ call, method, args }, transfer);
    try {
      return await answer.promise;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  #send(request: PortRequest, transfer: Transferable[] = []): void {
    this.#port.postMessage(request, transfer);
  }

  #hear({ call, result, error }: PortReply): void {
    const answer = this.#calls.get(call);
    this.#calls.delete(call);
    if (error === undefined) answer?.resolve(result);
    else answer?.reject(unpackError(error));
  }
}

function closed(): LogError {
  return new LogError("closed", "Cannot use the log: its port is closed");
}
