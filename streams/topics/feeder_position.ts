/**
 * The position of a feeder: its own record, committed with what it appends. The offset of its group is not used, since
 * brokers expire it: a file that is fed once a month would be fed again from its start.
 */

import type { Log, NewRecord, Writer } from "../log/log.ts";
import { newestOf, readAll } from "../log/reading.ts";
import { corruptRecord, remedyByCopy } from "../log/unreadable.ts";
import type { Topics } from "./topics.ts";

/** What is left of a source's allowance of rejections. */
export interface AllowanceState {
  /** Bytes. */
  readonly left: number;
  /** Of each kind of which some came without room: how many did, and how many were left out since the last kept one. */
  readonly beyond: Readonly<Record<string, readonly [came: number, leftOut: number]>>;
}

export interface FilePosition {
  /** Number of records of the source that were appended. */
  readonly next: number;
  /** Their checksum. */
  readonly sum: number;
  /** Checksum without the last of them, if that was rejected: a line may have been cut off, and be whole by now. */
  readonly sumBefore?: number | undefined;
  /** Added to their times, milliseconds. @default {0} */
  readonly shiftMs?: number | undefined;
}

export interface TopicPosition {
  /** See `TopicIdentity.id`, of the topic that is fed. */
  readonly id: string | null;
  /** Offset of the next record, by partition. */
  readonly next: readonly number[];
  /** See `ReadResult.epoch`, by partition; `null` = unknown. @default {unknown} */
  readonly epochs?: readonly (number | null)[];
  /** For a learner: number of offsets that the log had dropped before they were learnt. @default {0} */
  readonly lost?: number;
  /** For a source: number of offsets that the log had dropped before they were fed, by partition. @default {none} */
  readonly unfed?: readonly number[];
  /** For a source that rejects late records: its newest time and what confirms that, Base64. */
  readonly clock?: string;
  /** For a source: what is left of its allowance of rejections. @default {all} */
  readonly allowance?: AllowanceState | undefined;
}

/** Opens the writer of a feeder, which fences any other; its position is then read behind what that has committed. */
export async function feederWriter(
  log: Pick<Log, "writer">,
  { positions }: Pick<Topics, "positions">,
  feeder: string,
): Promise<Writer> {
  return await log.writer(feeder, [{ topic: positions, partition: 0 }]);
}

/** The newest record of a feeder, or `null` when it has none. @throws LogError `corrupt` when it cannot be read */
export async function feederPosition<Position extends FilePosition | TopicPosition>(
  log: Pick<Log, "latest" | "read" | "bounds" | "identify">,
  { positions }: Pick<Topics, "positions">,
  feeder: string,
): Promise<Position | null> {
  if (await log.identify(positions) === null) return null; // not created yet
  const record = await newestOf(log, positions, 0, feeder);
  if (record === null || record.value === null) return null;
  try {
    const position = JSON.parse(new TextDecoder().decode(record.value));
    if (!Array.isArray(position?.next) && !Number.isInteger(position?.next)) {
      throw new TypeError("it is not a position");
    }
    return position;
  } catch (cause) {
    throw corruptRecord(`find the position of ${feeder}`, record, cause, remedyByCopy(record));
  }
}

/** Whether any feeder has a position in a topic. @param id of the topic */
export async function isFed(
  log: Pick<Log, "read" | "bounds">,
  { positions }: Pick<Topics, "positions">,
  id: string,
): Promise<boolean> {
  const needle = JSON.stringify(id); // records are not parsed, so that a damaged record of another feeder does no harm
  for await (const { value } of readAll(log, positions, 0)) {
    if (value !== null && new TextDecoder().decode(value).includes(needle)) return true;
  }
  return false;
}

/** Epochs as they stand in a {@linkcode TopicPosition}: left out if none is known. */
export function knownEpochs(epochs: readonly (number | undefined)[]): Pick<TopicPosition, "epochs"> {
  return epochs.some((epoch) => epoch !== undefined) ? { epochs: epochs.map((epoch) => epoch ?? null) } : {};
}

/** The record of a feeder, to be committed with what it appends. */
export function positionRecord(
  { positions }: Pick<Topics, "positions">,
  feeder: string,
  position: FilePosition | TopicPosition,
): NewRecord {
  const value = new TextEncoder().encode(JSON.stringify(position));
  return { topic: positions, partition: 0, key: feeder, value, time: 0 };
}
