/**
 * Kafka's record batches (magic 2), read and written.
 *
 * ```text
 * batch  = baseOffset int64, length int32, leaderEpoch int32, magic int8 = 2, crc int32 (CRC-32C of what follows),
 *          attributes int16 (0-2 compression, 3 log append time, 4 transactional, 5 control),
 *          lastOffsetDelta int32, baseTimestamp int64, maxTimestamp int64,
 *          producerId int64, producerEpoch int16, baseSequence int32, count int32, records
 * record = length varint, attributes int8, timestampDelta varlong, offsetDelta varint,
 *          key varbytes, value varbytes, count varint, (header key varbytes, header value varbytes) *
 * ```
 */

import { reasonOf } from "../../../../src/values/reason.ts";
import { LogError, type LogRecord, type NewRecord } from "../../log.ts";
import { COMPRESS, type CompressionChoice, compressionFor, COMPRESSIONS, DECOMPRESS } from "./codecs.ts";
import { crc32c } from "./crc32c.ts";
import type { EpochRun } from "./leader_epochs.ts";
import { WireReader, WireWriter } from "./wire.ts";

const MAGIC = 2;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const COMPRESSION_MASK = 0x07;
/** Type of a control record that ends an aborted transaction. */
const ABORT = 0;
/** Bytes before `attributes`, where the checksum begins. */
const CHECKED_FROM = 21;
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** The producer of a batch, for which the broker drops repeats and refuses batches that are out of order. */
export interface BatchProducer {
  /** Assigned by the broker. */
  readonly id: number;
  /** Assigned by the broker, which fences older ones. */
  readonly epoch: number;
  /** Whether the batch belongs to a transaction. */
  readonly transactional: boolean;
}

/** An aborted transaction: the producer's records from this offset up to the next marker must not be read. */
export interface AbortedTransaction {
  readonly producerId: number;
  /** Offset of its first record. */
  readonly firstOffset: number;
}

/** The decoded content of a fetch of one partition. */
export interface DecodedBatches {
  /** Committed records at or above the wanted position, in offset order. */
  readonly records: LogRecord[];
  /** Position after the last batch, even without records; the wanted one when there was no batch. */
  readonly next: number;
  /** The epochs in which they were written, in offset order. */
  readonly epochs: readonly EpochRun[];
}

/**
 * Encodes records as one batch.
 *
 * @param sequence number of records that this producer has written to the partition in its epoch, modulo 2^31
 */
export async function encodeBatch(
  records: readonly NewRecord[],
  producer: BatchProducer,
  sequence: number,
  choice: CompressionChoice,
): Promise<Uint8Array> {
  const baseTime = records[0]?.time ?? 0;
  const body = new WireWriter(records.length * 256);
  let maxTime = 0;
  for (const [i, record] of records.entries()) {
    maxTime = Math.max(maxTime, record.time);
    encodeRecord(body, record, record.time - baseTime, i);
  }
  const compression = compressionFor(choice, body.length);
  const packed = await COMPRESS[compression](body.bytes);
  const writer = new WireWriter(packed.length + 64)
    .int64(0)
    .int32(0)
    .int32(-1)
    .int8(MAGIC)
    .int32(0)
    .int16(COMPRESSIONS.indexOf(compression) | (producer.transactional ? TRANSACTIONAL : 0))
    .int32(records.length - 1)
    .int64(baseTime)
    .int64(maxTime)
    .int64(producer.id)
    .int16(producer.epoch)
    .int32(sequence)
    .int32(records.length)
    .raw(packed);
  writer.setInt32(8, writer.length - 12);
  writer.setInt32(17, crc32c(writer.bytes.subarray(CHECKED_FROM)));
  return writer.bytes;
}

const scratch = new WireWriter(1024);

function encodeRecord(body: WireWriter, record: NewRecord, timeDelta: number, offsetDelta: number): void {
  const { key, value, headers = NO_HEADERS } = record;
  scratch.reset();
  scratch.int8(0).varint(timeDelta).varint(offsetDelta).varBytes(key).varBytes(value);
  const names = Object.keys(headers);
  scratch.varint(names.length);
  for (const name of names) scratch.varBytes(name).varBytes(headers[name] ?? "");
  body.varint(scratch.length).raw(scratch.bytes);
}

/**
 * Decodes the batches of a fetch and leaves out aborted records. Values are views of the fetched bytes.
 *
 * @param from the wanted position; a batch may begin below it
 * @param aborted as the broker listed them, in any order
 * @throws LogError `corrupt` when a batch is older than Kafka 0.11, has an unknown compression or is damaged; or when
 * the bytes contain no whole batch, although brokers always send at least one
 */
export async function decodeBatches(
  bytes: Uint8Array,
  topic: string,
  partition: number,
  from: number,
  aborted: readonly AbortedTransaction[],
): Promise<DecodedBatches> {
  const reader = new WireReader(bytes);
  const transactions = new AbortedTransactions(aborted);
  const records: LogRecord[] = [];
  const epochs: EpochRun[] = [];
  let next = from;
  while (reader.left > 12) {
    const baseOffset = reader.int64();
    const length = reader.int32();
    if (length > reader.left) break; // cut off by the limit of the fetch
    try {
      const batch = new WireReader(bytes.subarray(reader.position, reader.position + Math.max(0, length)));
      const head = readHead(batch, baseOffset);
      const isWanted = transactions.isCommitted(head, batch) && head.lastOffset >= from;
      const own = isWanted ? await decodeRecords(batch, head, topic, partition) : [];
      for (const record of own) if (record.offset >= from) records.push(record);
      next = Math.max(next, head.lastOffset + 1);
      const last = epochs.at(-1);
      const isSame = last?.epoch === head.epoch;
      const run = { from: isSame ? last.from : baseOffset, to: head.lastOffset + 1, epoch: head.epoch };
      epochs.splice(isSame ? -1 : epochs.length, 1, run);
    } catch (cause) {
      throw corruptBatch(`${topic}/${partition}@${baseOffset}`, cause);
    }
    reader.position += length;
  }
  if (bytes.length > 0 && next === from) {
    const cause = new RangeError(`${bytes.length} bytes contain no whole batch`);
    throw corruptBatch(`${topic}/${partition}@${from}`, cause);
  }
  return { records, next, epochs };
}

/** Follows the aborted transactions of a fetch from batch to batch. */
class AbortedTransactions {
  readonly #begun: readonly AbortedTransaction[];
  #seen = 0;
  /** Producers with an open transaction that is going to be aborted. */
  readonly #open = new Set<number>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#begun = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether the records of the next batch were committed; false for markers. */
  isCommitted({ attributes, count, lastOffset, producerId }: BatchHead, batch: WireReader): boolean {
    for (; (this.#begun[this.#seen]?.firstOffset ?? Infinity) <= lastOffset; this.#seen++) {
      this.#open.add(this.#begun[this.#seen]?.producerId ?? -1);
    }
    if ((attributes & CONTROL) === 0) {
      return (attributes & TRANSACTIONAL) === 0 || !this.#open.has(producerId);
    }
    // Compaction may leave an empty batch in place of a marker.
    if (count > 0 && isAbort(batch)) this.#open.delete(producerId);
    return false;
  }
}

interface BatchHead {
  /** The epoch of the leader that wrote it. */
  readonly epoch: number;
  readonly attributes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly baseTime: number;
  readonly maxTime: number;
  readonly producerId: number;
  /** Number of records; after compaction, fewer than the offsets suggest. */
  readonly count: number;
}

/** Reads the header of a batch, after its length. */
function readHead(reader: WireReader, baseOffset: number): BatchHead {
  const epoch = reader.int32();
  const magic = reader.int8();
  if (magic !== MAGIC) {
    const old = magic === 0 || magic === 1 ? ", that of clients before Kafka 0.11" : "";
    throw new RangeError(`its format is ${magic}${old}, not ${MAGIC}`);
  }
  reader.position += 4;
  const attributes = reader.int16();
  const lastOffset = baseOffset + reader.int32();
  const baseTime = reader.int64();
  const maxTime = reader.int64();
  const producerId = reader.int64();
  reader.position += 6;
  const count = reader.int32();
  if (!(baseOffset >= 0 && lastOffset >= baseOffset && lastOffset < Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`its offsets are ${baseOffset} to ${lastOffset}`);
  }
  if (!(count >= 0 && count <= lastOffset - baseOffset + 1)) {
    throw new RangeError(`it has ${count} records, at offsets ${baseOffset} to ${lastOffset}`);
  }
  return { epoch, attributes, baseOffset, lastOffset, baseTime, maxTime, producerId, count };
}

async function decodeRecords(
  batch: WireReader,
  head: BatchHead,
  topic: string,
  partition: number,
): Promise<LogRecord[]> {
  const { attributes, baseOffset, lastOffset } = head;
  const source = await unpack(batch, attributes & COMPRESSION_MASK);
  const records: LogRecord[] = [];
  let last = baseOffset - 1;
  for (let i = 0; i < head.count; i++) {
    const record = decodeRecord(source, head, topic, partition);
    if (!(record.offset > last && record.offset <= lastOffset)) {
      throw new RangeError(`a record is at offset ${record.offset}, not at ${last + 1} to ${lastOffset}`);
    }
    last = record.offset;
    records.push(record);
  }
  return records;
}

async function unpack(batch: WireReader, code: number): Promise<WireReader> {
  const compression = COMPRESSIONS[code];
  if (compression === undefined) {
    throw new RangeError(`its compression is ${code}, none of ${COMPRESSIONS.join(", ")}`);
  }
  if (compression === "none") return batch;
  try {
    const unpacked = await DECOMPRESS[compression](batch.bytes.subarray(batch.position));
    // A plain view: callers must not get a Buffer as a value.
    return new WireReader(new Uint8Array(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength));
  } catch (cause) {
    throw new RangeError(`its ${compression} cannot be unpacked: ${reasonOf(cause)}`, { cause });
  }
}

/** The error for a batch that cannot be read, with a remedy. */
function corruptBatch(place: string, cause: unknown): LogError {
  const text =
    `Cannot read ${place}: ${reasonOf(cause)}; a disk or a program in between has damaged the batch, ` +
    "or a client wrote it in a way that Kafka's own clients cannot read: restore the topic from a copy, or, if old " +
    "records may be dropped, drop those up to the batch's end with kafka-delete-records";
  return new LogError("corrupt", text, { cause });
}

function decodeRecord(
  reader: WireReader,
  { attributes, baseOffset, baseTime, maxTime }: BatchHead,
  topic: string,
  partition: number,
): LogRecord {
  const length = reader.varint();
  const end = reader.position + length;
  if (length < 0 || length > reader.left) {
    throw new RangeError(`a record of ${length} bytes, with only ${reader.left} left`);
  }
  reader.position++;
  const time = baseTime + reader.varint();
  const offset = baseOffset + reader.varint();
  const key = reader.text(reader.varint());
  const value = reader.take(reader.varint());
  const count = reader.varint();
  const headers = count === 0 ? NO_HEADERS : decodeHeaders(reader, count);
  if (reader.position > end) {
    throw new RangeError(`the record at ${offset} is longer than its ${length} bytes`);
  }
  reader.position = end;
  const record = { topic, partition, offset, key, value, headers };
  return attributes & LOG_APPEND_TIME ? { ...record, time: maxTime, isLogTime: true } : { ...record, time };
}

/** Of headers with the same name, the last one counts. */
function decodeHeaders(reader: WireReader, count: number): Record<string, string> {
  return Object.fromEntries(reader.items(count, () => {
    const name = reader.text(reader.varint()) ?? "";
    return [name, reader.text(reader.varint()) ?? ""];
  }));
}

/** Whether a control batch ends an aborted transaction. */
function isAbort(reader: WireReader): boolean {
  reader.varint();
  reader.position++;
  reader.varint();
  reader.varint();
  const key = reader.take(reader.varint());
  return key !== null && new WireReader(key.subarray(2)).int16() === ABORT;
}
