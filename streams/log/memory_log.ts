/** The log in memory: for tests, replays and trying things out. Nothing survives the process. */

import { LocalLog, type LogStore, type LogWrite, type ReadLimits } from "./local_log.ts";
import type { Cleanup, LogRecord, NewRecord, ReadResult, TopicSpec } from "./log.ts";

/** Options of {@linkcode MemoryLog}. */
export interface MemoryLogOptions {
  /** Number of the newest tombstones of a compact partition that stay readable. @default {10_000} */
  readonly tombstones?: number;
  /** Called between the steps of a write; throwing there is a crash. For tests. */
  readonly onStep?: (step: string) => void;
}

/**
 * A {@linkcode Log} in memory.
 *
 * Appending and reading cost O(1) amortised per record. A `delete` topic takes memory for what
 * {@linkcode Log.trim} has left; a `compact` topic for its live keys, its newest tombstones, and the offsets of
 * at most as many superseded records.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog } from "@meander/meander";
 *
 * await using log = new MemoryLog();
 * await log.createTopics([{ name: "events", partitions: 1, cleanup: "delete" }]);
 * const value = new TextEncoder().encode("hello");
 * await log.append([{ topic: "events", key: "ann", value, time: 0 }]);
 *
 * const { records, next } = await log.read("events", 0, 0);
 * assert.deepEqual(records.map((record) => record.key), ["ann"]);
 * assert.equal(next, 1);
 * ```
 */
export class MemoryLog extends LocalLog {
  /** Makes an empty log. */
  constructor(options: MemoryLogOptions = {}) {
    super(new MemoryStore(options), (flush) => flush());
  }
}

class MemoryStore implements LogStore {
  readonly topics = new Map<string, TopicSpec>();
  readonly #partitions = new Map<string, readonly Partition[]>();
  readonly #ids = new Map<string, string>();
  readonly #offsets = new Map<string, number>();
  readonly #tombstones: number;
  readonly #step: (step: string) => void;
  readonly #room = new ByteRoom();

  constructor({ tombstones = 10_000, onStep = () => {} }: MemoryLogOptions) {
    this.#tombstones = tombstones;
    this.#step = onStep;
  }

  id(topic: string): string {
    return this.#ids.get(topic) ?? "";
  }

  createTopics(topics: readonly TopicSpec[]): void {
    for (const { name, partitions, cleanup } of topics) {
      this.topics.set(name, { name, partitions, cleanup });
      const made = Array.from({ length: partitions }, () => new Partition(cleanup, this.#tombstones));
      this.#partitions.set(name, made);
      this.#ids.set(name, crypto.randomUUID());
    }
  }

  write(writes: readonly LogWrite[]): number[][] {
    this.#step("begin");
    const staged = writes.map(({ records, partitions }) =>
      records.map((record, i) => {
        const copy = this.#keep(record, partitions[i] ?? 0);
        this.#step("record");
        return copy;
      })
    );
    this.#step("commit");
    // From here on nothing can fail, and nothing else can run in between: one visible step.
    for (const { group, offsets } of writes) {
      for (const { topic, partition, offset } of offsets) {
        this.#offsets.set(`${group}/${topic}/${partition}`, offset);
      }
    }
    const result = staged.map((records) =>
      records.map((record) => this.#at(record.topic, record.partition).append(record))
    );
    this.#step("committed");
    return result;
  }

  read(topic: string, partition: number, from: number, limits: ReadLimits): ReadResult {
    return this.#at(topic, partition).read(from, limits);
  }

  start(topic: string, partition: number): number {
    return this.#at(topic, partition).start;
  }

  end(topic: string, partition: number): number {
    return this.#at(topic, partition).end;
  }

  committed(group: string, topic: string, partition: number): number | null {
    return this.#offsets.get(`${group}/${topic}/${partition}`) ?? null;
  }

  latest(topic: string, partition: number, key: string): LogRecord | null {
    return this.#at(topic, partition).latest(key);
  }

  trim(topic: string, partition: number, before: number): void {
    this.#at(topic, partition).trim(before);
  }

  erase(topic: string, partition: number, offsets: readonly number[]): void {
    this.#at(topic, partition).erase(offsets);
  }

  scrub(): "clean" {
    return "clean";
  }

  close(): void {
    this.topics.clear();
    this.#partitions.clear();
    this.#offsets.clear();
  }

  /** Copies a record, because the caller may reuse its bytes and headers. */
  #keep({ topic, key, value, time, headers }: NewRecord, partition: number): KeptRecord {
    const own = headers === undefined ? NO_HEADERS : { ...headers };
    const room = this.topics.get(topic)?.cleanup === "delete" ? this.#room : null;
    const bytes = value === null ? null : room?.copy(value) ?? value.slice();
    return { topic, partition, offset: 0, key, value: bytes, time, headers: own };
  }

  #at(topic: string, partition: number): Partition {
    const found = this.#partitions.get(topic)?.[partition];
    if (found === undefined) throw new RangeError(`Cannot find ${topic}/${partition}`);
    return found;
  }
}

/**
 * One partition: slots in offset order. A slot whose record was superseded or trimmed is `null` until such slots
 * outnumber the rest; then the arrays are rebuilt without them, at amortised constant cost.
 */
class Partition {
  end = 0;
  #records: (LogRecord | null)[] = [];
  #offsets: number[] = [];
  #dead = 0;
  /** No slot below this one has a record. */
  #first = 0;
  #trimmed = 0;
  /** The slot of each key, in a compact partition. */
  readonly #slots: Map<string, number> | undefined;
  /** Offsets of tombstones, oldest first; superseded ones too. */
  #tombstones: number[] = [];
  readonly #maxTombstones: number;

  constructor(cleanup: Cleanup, maxTombstones: number) {
    this.#slots = cleanup === "compact" ? new Map() : undefined;
    this.#maxTombstones = maxTombstones;
  }

  /** Smallest offset that can still be read. */
  get start(): number {
    if (this.#slots === undefined) return this.#trimmed;
    while (this.#records[this.#first] === null) this.#first++;
    return this.#offsets[this.#first] ?? this.end;
  }

  append(record: KeptRecord): number {
    const offset = record.offset = this.end++;
    const slot = this.#records.push(record) - 1;
    this.#offsets.push(offset);
    if (this.#slots !== undefined && record.key !== null) {
      const superseded = this.#slots.get(record.key);
      this.#slots.set(record.key, slot);
      if (superseded !== undefined) this.#drop(superseded);
      if (record.value === null) this.#bury(offset);
    }
    return offset;
  }

  read(from: number, { maxRecords, maxBytes }: ReadLimits): ReadResult {
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let slot = this.#slotAt(from); slot < this.#records.length; slot++) {
      const record = this.#records[slot];
      if (record === null || record === undefined) continue;
      records.push(record);
      bytes += record.value?.length ?? 0;
      if (records.length >= maxRecords || bytes >= maxBytes) return { records, next: record.offset + 1 };
    }
    return { records, next: this.end };
  }

  latest(key: string): LogRecord | null {
    const slot = this.#slots?.get(key);
    return slot === undefined ? null : this.#records[slot] ?? null;
  }

  trim(before: number): void {
    if (before <= this.#trimmed) return;
    const until = this.#slotAt(before);
    for (let slot = this.#slotAt(this.#trimmed); slot < until; slot++) this.#records[slot] = null;
    this.#dead = until;
    this.#trimmed = before;
    this.#sweep();
  }

  erase(offsets: readonly number[]): void {
    for (const offset of offsets) {
      const slot = this.#slotAt(offset);
      const record = this.#records[slot];
      if (record?.offset !== offset) continue;
      if (record.key !== null && this.#slots?.get(record.key) === slot) this.#slots.delete(record.key);
      this.#drop(slot);
    }
  }

  /** Adds a tombstone, and drops the oldest once they exceed the limit by an eighth. */
  #bury(offset: number): void {
    this.#tombstones.push(offset);
    const excess = this.#tombstones.length - this.#maxTombstones;
    if (excess <= this.#maxTombstones / 8) return;
    for (const old of this.#tombstones.splice(0, excess)) {
      const slot = this.#slotAt(old);
      const record = this.#records[slot];
      if (this.#offsets[slot] !== old || !record || record.key === null) continue;
      this.#slots?.delete(record.key);
      this.#drop(slot);
    }
  }

  #drop(slot: number): void {
    this.#records[slot] = null;
    this.#dead++;
    this.#sweep();
  }

  #sweep(): void {
    if (this.#dead <= 64 || this.#dead * 2 <= this.#records.length) return;
    this.#offsets = this.#offsets.filter((_, slot) => this.#records[slot] !== null);
    this.#records = this.#records.filter((record) => record !== null);
    this.#dead = 0;
    this.#first = 0;
    if (this.#slots === undefined) return;
    for (const [slot, record] of this.#records.entries()) {
      if (record && record.key !== null) this.#slots.set(record.key, slot);
    }
  }

  /** The first slot with an offset at or above `from`. */
  #slotAt(from: number): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] ?? Infinity) < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A record that gets its offset when it is appended. */
type KeptRecord = LogRecord & { offset: number };

/**
 * Copies bytes into large blocks, since a small array costs more than the record that it holds. Records that expire in
 * order, as those of a `delete` topic do, free a block together.
 */
class ByteRoom {
  #block = new Uint8Array(0);
  #used = 0;

  /** A copy, or `null` when there are too many bytes for a block. */
  copy(bytes: Uint8Array): Uint8Array | null {
    const { length } = bytes;
    if (length > MAX_SMALL_BYTES) return null;
    if (this.#used + length > this.#block.length) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#used = 0;
    }
    const copy = this.#block.subarray(this.#used, this.#used += length);
    copy.set(bytes);
    return copy;
  }
}

const BLOCK_BYTES = 1 << 16;
const MAX_SMALL_BYTES = 1 << 13;
const NO_HEADERS = Object.freeze({});
