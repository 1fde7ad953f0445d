/**
 * Serves a log to another thread of this process.
 *
 * @module
 */

import type { Commit, LogRecord, NewRecord, ReadOptions, TopicSpec, UngroupedLog, Writer } from "./log.ts";
import {
  type Method,
  type PackedRecords,
  packError,
  packRecords,
  type PortReply,
  type PortRequest,
  unpackRecords,
} from "./port_messages.ts";

/** Answers what a `RemoteLog` at the other end of the channel asks, until it is disposed. */
export function serveLog(log: UngroupedLog, port: MessagePort): AsyncDisposable {
  const served = new ServedLog(log, port);
  port.onmessage = ({ data }: MessageEvent<PortRequest>) => served.hear(data);
  return served;
}

class ServedLog implements AsyncDisposable {
  readonly #log: UngroupedLog;
  readonly #port: MessagePort;
  /** Calls under way, which may be cancelled. */
  readonly #calls = new Map<number, AbortController>();
  readonly #writers = new Map<number, Writer>();
  #opened = 0;
  #closed = false;

  constructor(log: UngroupedLog, port: MessagePort) {
    this.#log = log;
    this.#port = port;
  }

  hear(request: PortRequest): void {
    if ("cancel" in request) this.#calls.get(request.cancel)?.abort();
    else void this.#answer(request);
  }

  /** Closes the port, and lets go of what was opened through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#port.close();
    for (const call of this.#calls.values()) call.abort();
    await Promise.all([...this.#writers.values()].map((writer) => writer[Symbol.asyncDispose]()));
    this.#writers.clear();
  }

  async #answer(
    { call, method, args }: {
      readonly call: number;
      readonly method: Method;
      readonly args: readonly unknown[];
    },
  ): Promise<void> {
    const cancelling = new AbortController();
    this.#calls.set(call, cancelling);
    try {
      const { result, transfer = [] } = await this.#act(method, args as never[], cancelling.signal);
      this.#send({ call, result }, transfer);
    } catch (error) {
      this.#send({ call, error: packError(error) });
    } finally {
      this.#calls.delete(call);
    }
  }

  #send(reply: PortReply, transfer: Transferable[] = []): void {
    if (!this.#closed) this.#port.postMessage(reply, transfer);
  }

  /** The arguments are those that `RemoteLog` sends for the method. */
  async #act(method: Method, args: readonly never[], signal: AbortSignal): Promise<Outcome> {
    const log = this.#log;
    switch (method) {
      case "createTopics":
        return { result: await log.createTopics(...args as unknown as [TopicSpec[]]) };
      case "topics":
        return { result: new Map(await log.topics()) };
      case "append": {
        const [packed] = args as unknown as [PackedRecords<NewRecord>];
        return { result: await log.append(unpackRecords(packed)) };
      }
      case "read": {
        const [topic, partition, from, options] = args as unknown as [string, number, number, ReadOptions];
        const { records, next } = await log.read(topic, partition, from, { ...options, signal });
        const packed = packRecords(records);
        return { result: { records: packed, next }, transfer: [packed.bytes] };
      }
      case "latest": {
        const found = await log.latest?.(...args as unknown as [string, number, string]);
        const packed = packRecords<LogRecord>(found == null ? [] : [found]);
        return { result: packed, transfer: [packed.bytes] };
      }
      case "bounds":
        return { result: await log.bounds(...args as unknown as [string, number]) };
      case "committed":
        return { result: await log.committed(...args as unknown as [string, string, number]) };
      case "trim":
        return { result: await log.trim(...args as unknown as [string, number, number]) };
      case "openWriter": {
        const writer = await log.writer(...args as unknown as [string]);
        if (this.#closed) await writer[Symbol.asyncDispose]();
        else this.#writers.set(++this.#opened, writer);
        return { result: this.#opened };
      }
      case "commit": {
        const [handle, packed, commit] = args as unknown as [
          number,
          PackedRecords<NewRecord>,
          Omit<Commit, "records">,
        ];
        const writer = this.#writers.get(handle);
        if (writer === undefined) throw new RangeError(`Cannot commit with writer ${handle}: there is none`);
        return { result: await writer.commit({ ...commit, records: unpackRecords(packed) }) };
      }
      case "closeWriter": {
        // It stays known: a commit after it is refused by the writer itself.
        await this.#writers.get(...args as unknown as [number])?.[Symbol.asyncDispose]();
        return { result: undefined };
      }
    }
  }
}

interface Outcome {
  readonly result: unknown;
  readonly transfer?: Transferable[];
}
