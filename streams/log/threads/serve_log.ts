/** Serves a log to another thread of this process. */

import type { LogChannel, UngroupedLog, Writer } from "../log.ts";
import type { LogCalls } from "./log_calls.ts";
import { packRecords, unpackNew } from "./packed_records.ts";
import { type Acts, PortAnswerer } from "./port_calls.ts";

/**
 * Serves the `RemoteLog` at the other end of the channel until either end is disposed. A port does not report that the
 * thread at its other end died, so the owner of that thread has to dispose of this.
 */
export function serveLog(log: UngroupedLog, port: MessagePort): AsyncDisposable {
  return new ServedLog(log, port);
}

/** Serves a log to a thread that is given the channel, until it is disposed. */
export function connectLog(log: UngroupedLog): AsyncDisposable & { readonly channel: LogChannel } {
  const { port1, port2 } = new MessageChannel();
  const served = serveLog(log, port1);
  return {
    channel: { port: port2, hasLatest: log.latest !== undefined },
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

class ServedLog implements AsyncDisposable {
  readonly #port: PortAnswerer<LogCalls>;
  readonly #writers = new Map<number, Writer>();
  #opened = 0;
  #closed = false;

  constructor(log: UngroupedLog, port: MessagePort) {
    this.#port = new PortAnswerer(port, this.#acts(log));
  }

  /** Closes the port and the writers that were opened through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#port.close();
    const writers = [...this.#writers.values()];
    this.#writers.clear();
    await Promise.all(writers.map((writer) => writer[Symbol.asyncDispose]()));
  }

  #acts(log: UngroupedLog): Acts<LogCalls> {
    return {
      createTopics: async (args) => ({ result: await log.createTopics(...args) }),
      topics: async (args) => ({ result: new Map(await log.topics(...args)) }),
      identify: async (args) => ({ result: await log.identify(...args) }),
      append: async ([packed]) => ({ result: await log.append(unpackNew(packed)) }),
      async read([topic, partition, from, options], signal) {
        const { records, ...result } = await log.read(topic, partition, from, { ...options, signal });
        const packed = packRecords(records);
        return { result: { records: packed, ...result }, transfer: [packed.bytes] };
      },
      async latest(args) {
        const found = await log.latest?.(...args);
        const packed = packRecords(found == null ? [] : [found]);
        return { result: packed, transfer: [packed.bytes] };
      },
      bounds: async (args) => ({ result: await log.bounds(...args) }),
      committed: async (args) => ({ result: await log.committed(...args) }),
      trim: async (args) => ({ result: await log.trim(...args) }),
      erase: async (args) => ({ result: await log.erase?.(...args) }),
      scrub: async () => ({ result: await log.scrub?.() ?? "clean" }),
      openWriter: async (args) => ({ result: await this.#keep(await log.writer(...args)) }),
      commit: async ([handle, packed, commit]) => {
        const writer = this.#writers.get(handle);
        if (writer === undefined) throw new RangeError(`Cannot commit with writer ${handle}: there is none`);
        return { result: await writer.commit({ ...commit, records: unpackNew(packed) }) };
      },
      closeWriter: async ([handle]) => {
        const writer = this.#writers.get(handle);
        this.#writers.delete(handle);
        return { result: await writer?.[Symbol.asyncDispose]() };
      },
      leave: async () => ({ result: await this[Symbol.asyncDispose]() }),
    };
  }

  /** Keeps a writer and returns its handle; closes the writer if the port was closed in the meantime. */
  async #keep(writer: Writer): Promise<number> {
    if (this.#closed) await writer[Symbol.asyncDispose]();
    else this.#writers.set(++this.#opened, writer);
    return this.#opened;
  }
}
