/**
 * The contents of a simulated broker, for checks: read immediately, without a network, and never written.
 *
 * @module
 */

import { decodeBatches } from "../../streams/log/kafka/protocol/record_batch.ts";
import {
  type Bounds,
  type Log,
  LogError,
  type Membership,
  type ReadOptions,
  type ReadResult,
  type TopicIdentity,
  type TopicSpec,
  type Writer,
} from "../../streams/log/log.ts";
import type { Broker } from "./broker/broker.ts";
import type { SimulatedPartition } from "./broker/partition.ts";

/** See the module. */
export class StillLog implements Log {
  readonly #broker: Broker;
  readonly #audited: ReadonlySet<string>;

  /** Shows the contents of a broker. @param audited topics that are shown as if they had never been compacted */
  constructor(broker: Broker, audited: readonly string[] = []) {
    this.#broker = broker;
    this.#audited = new Set(audited);
  }

  topics(prefix = ""): Promise<ReadonlyMap<string, TopicSpec>> {
    const found = [...this.#broker.topics].filter(([name]) => name.startsWith(prefix));
    return Promise.resolve(
      new Map(found.map(([name, { cleanup, partitions }]) => [
        name,
        { name, cleanup, partitions: partitions.length },
      ])),
    );
  }

  identify(topic: string): Promise<TopicIdentity | null> {
    const found = this.#broker.topics.get(topic);
    if (found === undefined) return Promise.resolve(null);
    return Promise.resolve({
      id: found.id.toString(16).padStart(32, "0"),
      partitions: found.partitions.length,
    });
  }

  async read(topic: string, partition: number, from: number, options: ReadOptions = {}): Promise<ReadResult> {
    const { maxRecords = 1000, maxBytes = 4 << 20 } = options;
    const found = this.#partition(topic, partition);
    const begin = Math.max(from, found.start);
    const { bytes, aborted } = found.fetch(begin, maxBytes, this.#audited.has(topic));
    if (bytes.length === 0) return { records: [], next: Math.max(begin, found.stableEnd) };
    const { records, next } = await decodeBatches(bytes, topic, partition, begin, aborted);
    if (records.length <= maxRecords) return { records, next };
    const taken = records.slice(0, maxRecords);
    return { records: taken, next: (taken.at(-1)?.offset ?? begin) + 1 };
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    const { start, stableEnd } = this.#partition(topic, partition);
    return Promise.resolve({ start, end: stableEnd });
  }

  committed(group: string, topic: string, partition: number): Promise<number | null> {
    const { offsets, expired } = this.#broker.group(group);
    const place = `${topic}/${partition}`;
    // Offsets that the broker has forgotten were once committed, and the work is done.
    return Promise.resolve((offsets.get(place) ?? expired.get(place))?.offset ?? null);
  }

  createTopics(): Promise<void> {
    return refuse();
  }

  append(): Promise<readonly number[]> {
    return refuse();
  }

  writer(id: string): Promise<Writer> {
    // A reader that resumes from a checkpoint opens a writer, but commits nothing.
    return Promise.resolve({ id, commit: refuse, [Symbol.asyncDispose]: () => Promise.resolve() });
  }

  join(): Promise<Membership> {
    return refuse();
  }

  trim(): Promise<void> {
    return refuse();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #partition(topic: string, partition: number): SimulatedPartition {
    const found = this.#broker.topics.get(topic)?.partitions[partition];
    if (found === undefined) throw new LogError("unknown-topic", `Cannot find ${topic}/${partition}`);
    return found;
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new LogError("closed", "Cannot change what is only looked at"));
}
