/** The header of a learner's checkpoint: its positions and counters. */

import type { ByteReader } from "../../src/codec/byte_reader.ts";
import type { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Formats } from "../../src/codec/formats.ts";
import type { RailCounts } from "../../src/learner/guard_rails.ts";
import { times } from "../../src/values/times.ts";

/** The header of a checkpoint, before snapshots, guard and validation. */
export interface CheckpointHead extends RailCounts {
  /** Positions after the last learnt samples, by partition. */
  readonly positions: readonly number[];
  /** Newest version made. */
  readonly version: number;
  /** Number of batches whose weights were not published. */
  readonly heldBatches: number;
  /** Whether the next version must be a full snapshot. */
  readonly needsFull: boolean;
}

const FORMAT = 3;
/** Formats of checkpoints that this release reads and writes. */
export const CHECKPOINT_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };

export function encodeHead(to: ByteWriter, head: CheckpointHead): void {
  to.u8(FORMAT).uint(head.positions.length);
  for (const position of head.positions) to.uint(position);
  to.uint(head.version).uint(head.failures).uint(head.rollbacks).uint(head.heldBatches)
    .uint(head.recovery).u8(head.needsFull ? 1 : 0);
}

/**
 * Reads the header of a checkpoint.
 *
 * @throws SyntaxError when it has another format, or is cut off
 */
export function decodeHead(from: ByteReader): CheckpointHead {
  const format = from.u8();
  if (format !== FORMAT) {
    throw new SyntaxError(`Cannot decode a checkpoint: format is ${format}, this release reads ${FORMAT}`);
  }
  return {
    positions: times(from.count(), () => from.uint()),
    version: from.uint(),
    failures: from.uint(),
    rollbacks: from.uint(),
    heldBatches: from.uint(),
    recovery: from.uint(),
    needsFull: from.u8() === 1,
  };
}
