/**
 * A partition of a simulated broker: record batches as producers sent them, what readers of committed records may see
 * of them, and how old ones are dropped.
 *
 * @module
 */

import { crc32c } from "../../../streams/log/kafka/protocol/crc32c.ts";
import { WireReader, WireWriter } from "../../../streams/log/kafka/protocol/wire.ts";

/** Kafka's error codes. */
export const CODE = {
  ok: 0,
  offsetOutOfRange: 1,
  unknownTopic: 3,
  notCoordinator: 16,
  illegalGeneration: 22,
  unknownMember: 25,
  rebalancing: 27,
  invalidTimestamp: 32,
  topicExists: 36,
  outOfOrderSequence: 45,
  invalidEpoch: 47,
  invalidState: 48,
  concurrentTransactions: 51,
  unstableOffset: 88,
  unknownTopicId: 100,
} as const;

/** A batch as stored. */
interface Batch {
  readonly base: number;
  readonly last: number;
  readonly bytes: Uint8Array;
  readonly producer: number;
  readonly transactional: boolean;
  readonly control: boolean;
}

interface Aborted {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly marker: number;
}

/** What a producer wrote last, to recognise repetitions. */
interface Sequence {
  epoch: number;
  next: number;
  /** Of the last five batches. */
  readonly recent: { readonly first: number; readonly base: number }[];
}

/** The header of a batch. */
export interface BatchHead {
  readonly producer: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly count: number;
  readonly lastDelta: number;
  readonly maxTime: number;
  readonly transactional: boolean;
}

const HEAD_BYTES = 61;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const COMPRESSION = 0x07;
const MAX_SEQUENCE = 2 ** 31;
const COMMIT = 1;
const ABORT = 0;

/** Reads the header of a batch. */
export function headOf(bytes: Uint8Array): BatchHead {
  const reader = new WireReader(bytes);
  reader.position = 21;
  const attributes = reader.int16();
  const lastDelta = reader.int32();
  reader.int64();
  const maxTime = reader.int64();
  const producer = reader.int64();
  const epoch = reader.int16();
  const sequence = reader.int32();
  const count = reader.int32();
  const transactional = (attributes & TRANSACTIONAL) !== 0;
  return { producer, epoch, sequence, count, lastDelta, maxTime, transactional };
}

/** One partition. */
export class SimulatedPartition {
  /** Smallest offset that can be read. */
  start = 0;
  /** The next offset. */
  end = 0;
  #batches: Batch[] = [];
  /** All batches there ever were, to audit a compacted topic. */
  readonly #history: Batch[] = [];
  #aborted: Aborted[] = [];
  /** Where open transactions begin, by producer. */
  readonly #open = new Map<number, number>();
  readonly #sequences = new Map<number, Sequence>();

  /** Offset below which every transaction has ended. */
  get stableEnd(): number {
    return Math.min(this.end, ...this.#open.values());
  }

  /** Appends a batch, once. @returns its offset, or an error code */
  append(bytes: Uint8Array, head: BatchHead): { readonly code: number; readonly offset: number } {
    const { producer, epoch, sequence, count, lastDelta, transactional } = head;
    if (producer >= 0) {
      const known = this.#sequences.get(producer);
      if (known !== undefined && known.epoch > epoch) return { code: CODE.invalidEpoch, offset: -1 };
      if (known !== undefined && known.epoch === epoch) {
        const again = known.recent.find(({ first }) => first === sequence);
        if (again !== undefined) return { code: CODE.ok, offset: again.base };
        if (known.next !== sequence) return { code: CODE.outOfOrderSequence, offset: -1 };
      } else if (sequence !== 0) return { code: CODE.outOfOrderSequence, offset: -1 };
      const same = known !== undefined && known.epoch === epoch ? known : { epoch, next: 0, recent: [] };
      same.next = (sequence + count) % MAX_SEQUENCE;
      same.recent.push({ first: sequence, base: this.end });
      if (same.recent.length > 5) same.recent.shift();
      this.#sequences.set(producer, same);
    }
    const base = this.end;
    if (transactional && !this.#open.has(producer)) this.#open.set(producer, base);
    const own = bytes.slice();
    const view = new DataView(own.buffer);
    view.setInt32(0, Math.floor(base / 2 ** 32));
    view.setInt32(4, base % 2 ** 32);
    this.#push({ base, last: base + lastDelta, bytes: own, producer, transactional, control: false });
    this.end = base + lastDelta + 1;
    return { code: CODE.ok, offset: base };
  }

  /** Ends a transaction here, which leaves a marker. */
  mark(producer: number, epoch: number, committed: boolean): void {
    const firstOffset = this.#open.get(producer);
    this.#open.delete(producer);
    const base = this.end++;
    if (!committed && firstOffset !== undefined) {
      this.#aborted.push({ producerId: producer, firstOffset, marker: base });
    }
    const bytes = markerBytes(base, producer, epoch, committed ? COMMIT : ABORT);
    this.#push({ base, last: base, bytes, producer, transactional: true, control: true });
  }

  /** The records of a fetch from an offset. @param isAudit whether to include what compaction has dropped */
  fetch(
    from: number,
    maxBytes: number,
    isAudit = false,
  ): { readonly bytes: Uint8Array; readonly aborted: readonly Aborted[] } {
    const stable = this.stableEnd;
    const parts: Uint8Array[] = [];
    const batches = isAudit ? this.#history : this.#batches;
    let [size, last] = [0, from];
    for (let at = firstAt(batches, from); at < batches.length; at++) {
      const batch = batches[at]!;
      if (batch.base >= stable || size > 0 && size + batch.bytes.length > maxBytes) break;
      parts.push(batch.bytes);
      size += batch.bytes.length;
      last = batch.last;
    }
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const aborted = size === 0
      ? []
      : this.#aborted.filter(({ firstOffset, marker }) => firstOffset <= last && marker >= from);
    return { bytes, aborted };
  }

  /** Drops what is below an offset, like retention. */
  trim(before: number): void {
    this.start = Math.max(this.start, Math.min(before, this.end));
    this.#batches = this.#batches.filter(({ last }) => last >= this.start);
  }

  /** Loses what is after an offset, like an unclean election. */
  cutAt(end: number): void {
    this.#batches = this.#batches.filter(({ last }) => last < end);
    this.end = Math.min(this.end, Math.max(this.start, end));
    for (const [producer, first] of this.#open) if (first >= this.end) this.#open.delete(producer);
  }

  /**
   * Drops records for whose key there is a newer one, and tombstones that are old enough.
   *
   * @param tombstonesBefore those below this offset go
   */
  compact(tombstonesBefore: number): void {
    const stable = this.stableEnd;
    const newest = new Map<string, number>();
    const isSeen = (batch: Batch) =>
      !this.#aborted.some((one) =>
        batch.transactional && one.producerId === batch.producer && batch.base >= one.firstOffset &&
        batch.last < one.marker
      );
    const plain = this.#batches.filter((batch) => !batch.control && batch.last < stable);
    for (const batch of plain.filter(isSeen)) {
      for (const { key, offset } of recordsOf(batch)) if (key !== null) newest.set(key, offset);
    }
    this.#batches = this.#batches.flatMap((batch) => {
      if (batch.control || batch.last >= stable) return [batch];
      if (!isSeen(batch)) return [];
      const records = recordsOf(batch);
      const kept = records.filter(({ key, offset, isTombstone }) =>
        (key === null || newest.get(key) === offset) && !(isTombstone && offset < tombstonesBefore)
      );
      if (kept.length === records.length) return [batch];
      return kept.length === 0
        ? []
        : [{ ...batch, bytes: rebuilt(batch.bytes, kept.map(({ bytes }) => bytes)) }];
    });
  }

  #push(batch: Batch): void {
    this.#batches.push(batch);
    this.#history.push(batch);
  }
}

/** The index of the batch that has an offset, or of the first one after it. */
function firstAt(batches: readonly Batch[], offset: number): number {
  let [low, high] = [0, batches.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (batches[middle]!.last < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface RawRecord {
  readonly key: string | null;
  readonly offset: number;
  readonly isTombstone: boolean;
  readonly bytes: Uint8Array;
}

/** The records of an uncompressed batch. */
function recordsOf({ bytes, base }: Batch): RawRecord[] {
  const reader = new WireReader(bytes);
  reader.position = 21;
  if (reader.int16() & COMPRESSION) throw new Error("Cannot compact what is compressed");
  reader.position = HEAD_BYTES - 4;
  const count = reader.int32();
  return Array.from({ length: count }, () => {
    const begin = reader.position;
    const length = reader.varint();
    const end = reader.position + length;
    reader.position++;
    reader.varint();
    const offset = base + reader.varint();
    const key = reader.text(reader.varint());
    const isTombstone = reader.varint() < 0;
    reader.position = end;
    return { key, offset, isTombstone, bytes: bytes.subarray(begin, end) };
  });
}

/** A batch with some of its records, at their original offsets. */
function rebuilt(bytes: Uint8Array, kept: readonly Uint8Array[]): Uint8Array {
  const writer = new WireWriter(bytes.length).raw(bytes.subarray(0, HEAD_BYTES - 4)).int32(kept.length);
  for (const record of kept) writer.raw(record);
  writer.setInt32(8, writer.length - 12);
  writer.setInt32(17, crc32c(writer.bytes.subarray(21)));
  return writer.bytes.slice();
}

function markerBytes(base: number, producer: number, epoch: number, type: number): Uint8Array {
  const key = new WireWriter(4).int16(0).int16(type).bytes.slice();
  const value = new WireWriter(8).int16(0).int32(0).bytes.slice();
  const record = new WireWriter(64).int8(0).varint(0).varint(0).varint(key.length).raw(key)
    .varint(value.length).raw(value).varint(0);
  const writer = new WireWriter(128)
    .int64(base).int32(0).int32(-1).int8(2).int32(0)
    .int16(TRANSACTIONAL | CONTROL).int32(0).int64(0).int64(0)
    .int64(producer).int16(epoch).int32(-1).int32(1)
    .varint(record.length).raw(record.bytes);
  writer.setInt32(8, writer.length - 12);
  writer.setInt32(17, crc32c(writer.bytes.subarray(21)));
  return writer.bytes.slice();
}
