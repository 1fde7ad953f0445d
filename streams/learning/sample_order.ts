/**
 * The order in which a learner took the samples of several partitions. Partitions have no order among each other,
 * so the order is recorded, and repeated after a crash.
 */

import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Formats } from "../../src/codec/formats.ts";
import { times } from "../../src/values/times.ts";

/** Samples of one partition that were taken one after another. */
export interface Stretch {
  readonly partition: number;
  /** Offset after the last of them. */
  readonly end: number;
}

const FORMAT = 1;
/** Formats of orders that this release reads and writes. */
export const ORDER_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };

/** Key of a model's record on the topic `checkpoints`. */
export function orderKey(model: string): string {
  return `${model}-order`;
}

/** The order since the last checkpoint, of samples that were learnt and of those that wait for a full batch. */
export class SampleOrder {
  #sealed: Stretch[] = [];
  #open: Stretch[] = [];

  /** The order of learnt samples, oldest first. */
  get sealed(): readonly Stretch[] {
    return this.#sealed;
  }

  /** Records that a partition was read up to `end`. */
  add(partition: number, end: number): void {
    extend(this.#open, { partition, end });
  }

  /** Marks everything so far as learnt. */
  seal(): void {
    for (const stretch of this.#open) extend(this.#sealed, stretch);
    this.#open = [];
  }

  /** Drops the order of learnt samples, because a checkpoint covers them. */
  forget(): void {
    this.#sealed = [];
  }
}

/** Encodes an order: 2 bytes per stretch, and more if offsets are far apart. */
export function encodeOrder(order: readonly Stretch[]): Uint8Array {
  const to = new ByteWriter().u8(FORMAT).uint(order.length);
  const ends = new Map<number, number>();
  for (const { partition, end } of order) {
    to.uint(partition).uint(end - (ends.get(partition) ?? 0));
    ends.set(partition, end);
  }
  return to.toBytes();
}

/**
 * Decodes an order.
 *
 * @throws SyntaxError when the bytes are not such a record.
 */
export function decodeOrder(bytes: Uint8Array): Stretch[] {
  const from = new ByteReader(bytes);
  const format = from.u8();
  if (format !== FORMAT) {
    throw new SyntaxError(
      `Cannot decode an order of samples: format is ${format}, this release reads ${FORMAT}`,
    );
  }
  const ends = new Map<number, number>();
  return times(from.count(), () => {
    const partition = from.uint();
    const end = from.uint() + (ends.get(partition) ?? 0);
    ends.set(partition, end);
    return { partition, end };
  });
}

function extend(order: Stretch[], stretch: Stretch): void {
  if (order.at(-1)?.partition === stretch.partition) order.pop();
  order.push(stretch);
}
