/** What the monitor writes to the topic `figures`: records for itself, each experiment and each user. */

import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Formats } from "../../src/codec/formats.ts";
import { newestOf } from "../log/reading.ts";
import type { Log, LogRecord } from "../log/log.ts";
import type { RecordPlace } from "../log/unreadable.ts";
import type { Topics } from "../topics/topics.ts";
import { times } from "../../src/values/times.ts";

const FORMAT = 5;
/** The first format whose moments include the rewards of all users, uncut. */
const UNCUT = 4;
/** Formats of figures that this release reads. */
export const FIGURES_FORMATS: Formats = { oldest: UNCUT, newest: FORMAT };
/** Keys on the topic `figures`: the monitor, experiments, users. */
export const MONITOR_KEY = "monitor", EXPERIMENT_KEY = "experiment/", USER_KEY = "user/";

/** Header of the monitor's record: ids of the topics that its positions refer to. */
export const IDS = "ids";

/** Progress within a partition of events. */
export interface PartitionClock {
  /** Event time up to which all lists are final. */
  settled: number;
}

export interface FiguresRecord extends RecordPlace {
  readonly value: Uint8Array;
  readonly headers: LogRecord["headers"];
}

/** The encoded state of the monitor itself. */
export interface MonitorHead {
  readonly time: number;
  readonly clocks: readonly PartitionClock[];
  /** By topic and partition. */
  readonly positions: ReadonlyMap<string, number>;
  /** Offsets dropped before they were counted. */
  readonly lost: number;
  /** Whether the figures written with it are in a format without cut rewards. */
  readonly isUncut: boolean;
}

/** Encodes the state of the monitor itself. @param positions of each partition of recommendations, then of samples */
export function encodeHead(
  { time, clocks, positions, lost }: Omit<MonitorHead, "positions" | "isUncut"> & {
    readonly positions: readonly number[];
  },
): Uint8Array {
  const to = new ByteWriter().u8(FORMAT).f64(time).uint(clocks.length);
  for (const { settled } of clocks) to.f64(settled).f64(0).int(-1).int(-1);
  for (const position of positions) to.uint(position);
  to.uint(lost);
  return to.toBytes();
}

/** Decodes the output of {@linkcode encodeHead}. @throws SyntaxError when invalid */
export function decodeHead(bytes: Uint8Array, { recommendations, samples }: Topics): MonitorHead {
  const from = new ByteReader(bytes);
  const format = from.u8();
  if (format !== FORMAT && format !== UNCUT) {
    throw new SyntaxError(
      `Cannot decode figures: format is ${format}, this release reads ${UNCUT} to ${FORMAT}`,
    );
  }
  const time = from.f64();
  const clocks = times(from.count(), (): PartitionClock => {
    const settled = from.f64() - from.f64(); // 0.2.0 wrote a deadline and the outcome window,
    from.int(); // and the newest input as an offset
    from.int(); // and an index
    return { settled };
  });
  const positions = new Map<string, number>();
  for (const topic of [recommendations, samples]) {
    for (let p = 0; p < clocks.length; p++) positions.set(`${topic}/${p}`, from.uint());
  }
  return { time, clocks, positions, lost: from.uint(), isUncut: format === UNCUT };
}

/** Ids of topics, by name; empty without a header. @throws SyntaxError when corrupt */
export function decodeIds(header: string | undefined): ReadonlyMap<string, string | null> {
  if (header === undefined) return new Map();
  return new Map(Object.entries(JSON.parse(header) ?? {}));
}

/**
 * Offsets of recommendations and samples that a deployment's monitor has lost, from its last written state; 0 when that
 * is missing or unreadable.
 */
export async function lostFigures(
  log: Pick<Log, "latest" | "read" | "bounds">,
  topics: Topics,
): Promise<number> {
  const value = (await newestOf(log, topics.figures, 0, MONITOR_KEY))?.value;
  try {
    return value == null ? 0 : decodeHead(value, topics).lost;
  } catch {
    return 0; // the monitor reports it when it starts
  }
}

/** Reads the newest value of each key. A concurrent commit is read as a whole. */
export async function readFigures(log: Log, topic: string): Promise<Map<string, FiguresRecord>> {
  const values = new Map<string, FiguresRecord>();
  for (let from = 0;;) {
    const { records, next } = await log.read(topic, 0, from);
    for (const { partition, offset, key, value, headers } of records) {
      if (key === null) continue;
      if (value === null) values.delete(key);
      else values.set(key, { topic, partition, offset, value, headers });
    }
    if (records.length === 0) return values;
    from = next;
  }
}
