/**
 * A log that fails at a chosen operation, as if the process had died there. What the inner log holds then is
 * what a new process finds.
 *
 * @module
 */

import type { Commit, Log, Writer } from "../../streams/log/log.ts";

/** Thrown where the process dies. */
export class Crash extends Error {}

/** Wraps `inner`; operation number `at` (from 1) crashes. Writes are two operations: before and after they took place. */
export class CrashingLog implements Log {
  /** Operations so far. */
  operations = 0;
  /** Operations before which the inner log was changed: a crash at any other leaves the same as one at the operation before. */
  readonly moments: number[] = [];
  readonly latest?: NonNullable<Log["latest"]>;
  readonly #inner: Log;
  readonly #at: number;

  /** Never crashes when `at` is Infinity. */
  constructor(inner: Log, at = Infinity) {
    this.#inner = inner;
    this.#at = at;
    const latest = inner.latest?.bind(inner);
    if (latest) this.latest = (topic, partition, key) => this.#read(() => latest(topic, partition, key));
  }

  readonly createTopics: Log["createTopics"] = (specs) => this.#write(() => this.#inner.createTopics(specs));
  readonly append: Log["append"] = (records) => this.#write(() => this.#inner.append(records));
  readonly trim: Log["trim"] = (topic, partition, before) =>
    this.#write(() => this.#inner.trim(topic, partition, before));
  readonly identify: Log["identify"] = (topic) => this.#read(() => this.#inner.identify(topic));
  readonly topics: Log["topics"] = (prefix) => this.#read(() => this.#inner.topics(prefix));
  readonly read: Log["read"] = (topic, partition, from, options) =>
    this.#read(() => this.#inner.read(topic, partition, from, options));
  readonly bounds: Log["bounds"] = (topic, partition) =>
    this.#read(() => this.#inner.bounds(topic, partition));
  readonly committed: Log["committed"] = (group, topic, partition) =>
    this.#read(() => this.#inner.committed(group, topic, partition));
  readonly join: Log["join"] = (group, topics, handlers) => this.#inner.join(group, topics, handlers);

  async writer(id: string): Promise<Writer> {
    const writer = await this.#read(() => this.#inner.writer(id)); // which fences others
    this.moments.push(this.operations + 1);
    return {
      id,
      commit: (commit: Commit) => this.#write(() => writer.commit(commit)),
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }

  /** Leaves the inner log open: it is what survives. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #read<T>(operation: () => Promise<T>): Promise<T> {
    this.#step();
    return await operation();
  }

  async #write<T>(operation: () => Promise<T>): Promise<T> {
    this.#step();
    const result = await operation();
    this.moments.push(this.operations + 1);
    this.#step();
    return result;
  }

  #step(): void {
    // After its death a process does nothing more.
    if (++this.operations >= this.#at) throw new Crash(`Crash at operation ${this.operations}`);
  }
}
