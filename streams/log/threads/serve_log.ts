/**
 * Serves a log to another thread of this process. Calls are methods of the log, or of a writer that was opened through
 * the port.
 *
 * @module
 */

import type { Commit, Log, LogConnection, NewRecord, ReadOptions, UngroupedLog, Writer } from "../log.ts";
import { type PackedRecords, packRecords, unpackNew } from "./packed_records.ts";
import { type Outcome, PortAnswerer } from "./port_calls.ts";

/**
 * Serves the `RemoteLog` at the other end of the channel until it is disposed, here or there. A port does not report
 * that the thread at its other end died: the owner of that thread disposes of this.
 */
export function serveLog(log: UngroupedLog, port: MessagePort): AsyncDisposable {
  return new ServedLog(log, port);
}

/** Connects another thread to a log: to the thread in which it lives, or to this one. */
export function connectLog(log: Log): LogConnection {
  if (log.connect !== undefined) return log.connect();
  const { port1, port2 } = new MessageChannel();
  const served = serveLog(log, port1);
  return {
    channel: { port: port2, hasLatest: log.latest !== undefined },
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

/** Methods whose arguments and results are cloned as they are. */
const PLAIN = ["createTopics", "identify", "bounds", "committed", "trim", "erase", "scrub"] as const;

class ServedLog implements AsyncDisposable {
  readonly #log: UngroupedLog;
  readonly #port: PortAnswerer;
  readonly #writers = new Map<number, Writer>();
  #opened = 0;
  #closed = false;

  constructor(log: UngroupedLog, port: MessagePort) {
    this.#log = log;
    this.#port = new PortAnswerer(
      port,
      (method, args, signal) => this.#act(method, args as readonly never[], signal),
    );
  }

  /** Closes the port, and releases what was opened through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#port.close();
    const writers = [...this.#writers.values()];
    this.#writers.clear();
    await Promise.all(writers.map((writer) => writer[Symbol.asyncDispose]()));
  }

  /** Carries out a call with the arguments that `RemoteLog` sends for the method. */
  async #act(method: string, args: readonly never[], signal: AbortSignal): Promise<Outcome> {
    const log = this.#log;
    const plain = PLAIN.find((name) => name === method);
    if (plain !== undefined) {
      return {
        result: await (log[plain] as ((...args: readonly never[]) => unknown) | undefined)?.call(
          log,
          ...args,
        ),
      };
    }
    // Arguments are those that `RemoteLog` gives a method: types do not cross threads.
    switch (method) {
      case "topics":
        return { result: new Map(await log.topics()) };
      case "append": {
        const [packed] = args as unknown as [PackedRecords];
        return { result: await log.append(unpackNew(packed)) };
      }
      case "read": {
        const [topic, partition, from, options] = args as unknown as [string, number, number, ReadOptions];
        const { records, ...result } = await log.read(topic, partition, from, { ...options, signal });
        const packed = packRecords(records);
        return { result: { records: packed, ...result }, transfer: [packed.bytes] };
      }
      case "latest": {
        const found = await log.latest?.(...args as unknown as [string, number, string]);
        const packed = packRecords(found == null ? [] : [found]);
        return { result: packed, transfer: [packed.bytes] };
      }
      case "openWriter": {
        const writer = await log.writer(...args as unknown as Parameters<Log["writer"]>);
        if (this.#closed) await writer[Symbol.asyncDispose]();
        else this.#writers.set(++this.#opened, writer);
        return { result: this.#opened };
      }
      case "commit": {
        const [handle, packed, commit] = args as unknown as [number, PackedRecords, Omit<Commit, "records">];
        const writer = this.#writers.get(handle);
        if (writer === undefined) throw new RangeError(`Cannot commit with writer ${handle}: there is none`);
        const records: NewRecord[] = unpackNew(packed);
        return { result: await writer.commit({ ...commit, records }) };
      }
      case "closeWriter": {
        const [handle] = args as unknown as [number];
        const writer = this.#writers.get(handle);
        this.#writers.delete(handle);
        await writer?.[Symbol.asyncDispose]();
        return { result: undefined };
      }
      case "leave":
        await this[Symbol.asyncDispose]();
        return { result: undefined };
      default:
        throw new TypeError(`Cannot ask a log for ${method}`);
    }
  }
}
