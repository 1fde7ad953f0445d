/**
 * The committed state of a SQLite log without its records: topics, bounds of partitions, positions of groups. A few
 * kilobytes, kept next to the log to detect lost records; see `end_file.ts`.
 *
 * ```text
 * JSON of {topics, positions}, U+0000, then float64: start and end of each partition, offset of each position
 * ```
 */

import type { Bounds, GroupOffset, TopicSpec } from "../../log.ts";

/** A topic as the file has it. */
export interface StatedTopic extends TopicSpec {
  /** Unique among all topics that ever have its name. */
  readonly id: string;
}

/** A partition with missing records. */
export interface Shortfall {
  readonly topic: string;
  readonly partition: number;
  /** First missing offset. */
  readonly from: number;
  /** Offset after the last missing one. */
  readonly to: number;
}

interface Encoded {
  readonly bytes: Uint8Array;
  /** The part after the JSON. */
  readonly cells: DataView;
}

/** See the module. */
export class CommittedState {
  readonly #topics: StatedTopic[] = [];
  readonly #positions: (readonly [group: string, topic: string, partition: number])[] = [];
  /** First cell of a topic's partitions, by topic; the cell of a position, by its name. */
  readonly #at = new Map<string, number>();
  readonly #partitionCells: number[] = [];
  readonly #positionCells: number[] = [];
  /** The encoded state, which is updated in place until a topic or position is added. */
  #encoded: Encoded | undefined;

  /** Adds a topic; each partition starts and ends at 0 until {@linkcode CommittedState.setBounds} says otherwise. */
  addTopic({ name, partitions, cleanup, id }: StatedTopic): void {
    this.#at.set(name, this.#partitionCells.length);
    this.#topics.push({ name, partitions, cleanup, id });
    for (let p = 0; p < partitions; p++) this.#partitionCells.push(0, 0);
    this.#encoded = undefined;
  }

  setBounds(topic: string, partition: number, start: number, end: number): void {
    const at = (this.#at.get(topic) ?? NaN) + 2 * partition;
    this.#partitionCells[at] = start;
    this.#partitionCells[at + 1] = end;
    this.#encoded?.cells.setFloat64(8 * at, start, true);
    this.#encoded?.cells.setFloat64(8 * at + 8, end, true);
  }

  setPosition(group: string, { topic, partition, offset }: GroupOffset): void {
    const name = positionName(group, topic, partition);
    let at = this.#at.get(name);
    if (at === undefined) {
      this.#at.set(name, at = this.#positions.length);
      this.#positions.push([group, topic, partition]);
      this.#encoded = undefined;
    }
    this.#positionCells[at] = offset;
    this.#encoded?.cells.setFloat64(8 * (this.#partitionCells.length + at), offset, true);
  }

  /** The encoded state; valid until the next change. */
  get bytes(): Uint8Array {
    return (this.#encoded ??= this.#encode()).bytes;
  }

  #encode(): Encoded {
    const names = new TextEncoder().encode(
      `${JSON.stringify({ topics: this.#topics, positions: this.#positions })}\0`,
    );
    const all = [...this.#partitionCells, ...this.#positionCells];
    const bytes = new Uint8Array(names.length + 8 * all.length);
    bytes.set(names);
    const cells = new DataView(bytes.buffer, names.length);
    for (const [i, cell] of all.entries()) cells.setFloat64(8 * i, cell, true);
    return { bytes, cells };
  }

  /** Decodes {@linkcode CommittedState.bytes}. */
  static from(bytes: Uint8Array): CommittedState {
    const length = bytes.indexOf(0);
    const { topics, positions }: {
      readonly topics: readonly StatedTopic[];
      readonly positions: readonly (readonly [string, string, number])[];
    } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
    const view = new DataView(bytes.buffer, bytes.byteOffset + length + 1);
    let at = 0;
    const next = () => view.getFloat64((at += 8) - 8, true);
    const state = new CommittedState();
    for (const topic of topics) {
      state.addTopic(topic);
      for (let p = 0; p < topic.partitions; p++) state.setBounds(topic.name, p, next(), next());
    }
    for (const [group, topic, partition] of positions) {
      state.setPosition(group, { topic, partition, offset: next() });
    }
    return state;
  }

  /** What this state has and another one lacks. Positions are only compared for existence. */
  missingIn(
    other: CommittedState,
  ): { readonly shortfalls: readonly Shortfall[]; readonly others: readonly string[] } {
    const shortfalls: Shortfall[] = [];
    const others: string[] = [];
    for (const { name, id, partitions, cleanup } of this.#topics) {
      const found = other.#topics.find((topic) => topic.name === name);
      if (found === undefined) others.push(`topic ${name} is missing`);
      else if (found.id !== id || found.partitions !== partitions || found.cleanup !== cleanup) {
        others.push(`topic ${name} was replaced`);
      }
      for (let p = 0; p < partitions; p++) {
        const here = this.#bounds(name, p);
        const there = found === undefined || p >= found.partitions
          ? { start: 0, end: 0 }
          : other.#bounds(name, p);
        if (there.end < here.end) {
          shortfalls.push({ topic: name, partition: p, from: Math.max(there.end, here.start), to: here.end });
        } else if (there.start < here.start) {
          others.push(`${name}/${p} starts at ${there.start}, but was trimmed up to ${here.start}`);
        }
      }
    }
    for (const [group, topic, partition] of this.#positions) {
      if (other.#at.has(positionName(group, topic, partition))) continue;
      others.push(`the position of group ${group} in ${topic}/${partition} is missing`);
    }
    return { shortfalls, others };
  }

  /** Where the partitions of its `delete` topics end, in words. */
  describeEnds(): string {
    const topics = this.#topics.filter(({ cleanup }) => cleanup === "delete");
    return topics.map(({ name, partitions }) =>
      `${Array.from({ length: partitions }, (_, p) => this.#bounds(name, p).end).join(", ")} of ${name}`
    ).join("; ");
  }

  #bounds(topic: string, partition: number): Bounds {
    const at = (this.#at.get(topic) ?? NaN) + 2 * partition;
    return { start: this.#partitionCells[at] ?? 0, end: this.#partitionCells[at + 1] ?? 0 };
  }
}

/** Unambiguous, because names of topics contain no spaces. */
function positionName(group: string, topic: string, partition: number): string {
  return `${topic} ${partition} ${group}`;
}
