/** Where our own records end. */

import { LogError } from "../../log.ts";
import type { PlacedRecord } from "../protocol/requests.ts";

/** The own ends of a topic. */
interface TopicEnds {
  /** Distinguishes the topic from others of its name; `null` = brokers give no ids. */
  readonly id: string | null;
  /** By partition. */
  readonly ends: Map<number, number>;
}

/**
 * Where our own records end: reads and bounds have to reach at least that far. Another topic of the same name begins at
 * 0; that a broker does not know the name, which may pass, does not make it another one.
 */
export class OwnEnds {
  readonly #topics = new Map<string, TopicEnds>();

  /** The offset after our own newest record in a partition; 0 = none. */
  get(topic: string, partition: number): number {
    return this.#topics.get(topic)?.ends.get(partition) ?? 0;
  }

  /**
   * To be called with written records and their offsets.
   *
   * @param idOf the id of a topic; `undefined` = the one that it had
   */
  note(
    records: readonly PlacedRecord[],
    offsets: readonly number[],
    idOf: (topic: string) => string | null | undefined,
  ): void {
    for (const [i, { record: { topic }, partition }] of records.entries()) {
      const end = (offsets[i] ?? -1) + 1;
      this.confirm(topic, idOf(topic));
      const known = this.#topics.get(topic) ?? { id: idOf(topic) ?? null, ends: new Map<number, number>() };
      this.#topics.set(topic, known);
      if (end > this.get(topic, partition)) known.ends.set(partition, end);
    }
  }

  /** To be called with the id that a topic has now; `undefined` = it is not known. */
  confirm(topic: string, id: string | null | undefined): void {
    const known = this.#topics.get(topic)?.id ?? null;
    if (known !== null && id !== null && id !== undefined && known !== id) this.forget(topic);
  }

  /** To be called when a broker does not know a topic: without an id, it could not be told from another one later. */
  doubt(topic: string): void {
    if (this.#topics.get(topic)?.id === null) this.forget(topic);
  }

  /** To be called when a topic is gone. */
  forget(topic: string): void {
    this.#topics.delete(topic);
  }
}

/** The error for own writes that stay invisible, because a transaction does not end or brokers lost it. */
export function ownMissing(topic: string, partition: number, end: number): LogError {
  return new LogError("closed", `Cannot read our own records in ${topic}/${partition} before offset ${end}`);
}
