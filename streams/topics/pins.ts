/**
 * Versions of models that experiments pin, on the log. Starting such an experiment copies the records of the version
 * from `parameters`, which is trimmed, to the compacted topic `pins`, in the same commit.
 *
 * ```text
 *   parameters:  full 50, 51, 52, 53, ...      ──start──>   pins:  dien@52/0 = full 50, /1 = 51, /2 = 52
 *                                              ──over───>          dien@52/over = current ends of the events
 *                   events up to those ends dropped ────>          all deleted
 * ```
 *
 * A version stays on `pins` as long as an event that it may score can be read again.
 */

import { type ExperimentRecord, isExperiment, type Variant } from "../../src/assignment/experiment.ts";
import { partsOf } from "../../src/assignment/pins.ts";
import { decodeVersion, type ParameterVersion } from "../../src/serving/version.ts";
import type { Bounds, Log, LogRecord, NewRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { unreadable } from "../log/unreadable.ts";
import { prefixOf, type Topics, variantTopics } from "./topics.ts";

/** Last part of the key of the note that no experiment needs a version any longer. */
const OVER = "over";

const encoder = new TextEncoder(), decoder = new TextDecoder();

/** Variants with their pinned versions resolved, and the records that keep those versions available. */
export interface Pins {
  /** The variants; `at-start` is replaced by the number of the version. */
  readonly variants: readonly Variant[];
  /** Records for the topic `pins`. */
  readonly records: readonly Omit<NewRecord, "time">[];
  /** Versions that are not available, one sentence each. */
  readonly faults: readonly string[];
}

export async function pinVersions(log: Log, topics: Topics, variants: readonly Variant[]): Promise<Pins> {
  const records = new Map<string, Omit<NewRecord, "time">>();
  const faults: string[] = [];
  const pinned: Variant[] = [];
  for (const variant of variants) {
    const { name, model, version } = variant;
    if (version === undefined || version === "latest" || model === "prior") {
      pinned.push(variant);
      continue;
    }
    const chain = await readChain(log, topics, model, version);
    const pin = `${chain.model}@${chain.version}`;
    const put = (place: number | typeof OVER, value: Uint8Array | null) => {
      const key = `${pin}/${place}`;
      records.set(key, { topic: topics.pins, partition: 0, key, value });
    };
    // An existing pin is written again, so that a concurrent deletion cannot take effect after it.
    const found = chain.records.length > 0 || version === "at-start"
      ? chain.records
      : readable(await readPin(log, topics.pins, pin));
    found.forEach((value, at) => put(at, value));
    if (found.length > 0) put(OVER, null);
    else {
      const has = chain.count === 0 ? "none" : `${chain.count} from ${chain.oldest} to ${chain.newest}`;
      const wanted = version === "at-start" ? "the newest version" : `version ${version}`;
      faults.push(`variant ${name} needs ${wanted} of ${chain.model}: the log has ${has}`);
    }
    pinned.push({ ...variant, version: chain.version });
  }
  return { variants: pinned, records: [...records.values()], faults };
}

/** The records that make up a version. */
interface Chain {
  readonly model: string;
  readonly version: number;
  /** A full snapshot and all versions from it on; empty when the log does not have them. */
  readonly records: readonly Uint8Array[];
  /** Number of available versions; not every number was published. */
  readonly count: number;
  readonly oldest: number;
  readonly newest: number;
}

async function readChain(
  log: Log,
  topics: Topics,
  wantedModel: string | undefined,
  wanted: number | "at-start",
): Promise<Chain> {
  const last = wanted === "at-start" ? Infinity : wanted;
  const variant = wantedModel === undefined ? undefined : variantTopics(topics, wantedModel).parameters;
  const topic = variant !== undefined && (await log.topics(variant)).has(variant)
    ? variant
    : topics.parameters;
  let model = wantedModel ?? "the deployment's own model";
  let records: Uint8Array[] = [];
  let version = 0, oldest = 0, newest = 0, count = 0;
  for await (const record of readAll(log, topic, 0)) {
    const { key, value } = record;
    if (value === null || key === null || wantedModel !== undefined && key !== wantedModel) continue;
    const decoded = decodePinned(record, value);
    if (decoded === null) continue;
    model = key;
    const { kind, version: number, predecessor } = decoded;
    if (oldest === 0 && kind === "full") oldest = number;
    if (oldest > 0 && number > newest) [newest, count] = [number, count + 1];
    if (number > last || number <= version) continue;
    if (kind === "full") records = [value];
    else if (predecessor === version) records.push(value);
    else continue;
    version = number;
  }
  const found = version > 0 && (wanted === "at-start" || version === wanted);
  return {
    model,
    count,
    oldest,
    newest,
    records: found ? records : [],
    version: wanted === "at-start" ? version : wanted,
  };
}

/** A record of a pinned version. */
export type PinRecord = LogRecord & { readonly value: Uint8Array };

/** The records of a pinned version; empty when it is missing or incomplete. */
export async function readPin(log: Log, topic: string, key: string): Promise<PinRecord[]> {
  if (!(await log.topics(topic)).has(topic)) return [];
  // Until compaction, the topic still has values that were deleted later.
  const places = new Map<number, PinRecord>();
  for await (const record of readAll(log, topic, 0)) {
    const { pin, place } = placeOf(record.key ?? "");
    if (pin !== key || place === OVER) continue;
    if (record.value === null) places.delete(Number(place));
    else places.set(Number(place), { ...record, value: record.value });
  }
  const records = [...places.keys()].sort((a, b) => a - b);
  return records.every((place, n) => place === n) ? records.map((place) => places.get(place)!) : [];
}

/** Decodes a version; `null` when it cannot be read: the pin that it belongs to then counts as missing. */
export function decodePinned(record: LogRecord, value: Uint8Array): ParameterVersion | null {
  try {
    return decodeVersion(value);
  } catch (cause) {
    unreadable.leaveOut(record, cause, "versions that need it count as missing");
    return null;
  }
}

/** The values of a version's records; empty when one of them cannot be read. */
function readable(records: readonly PinRecord[]): readonly Uint8Array[] {
  const isWhole = records.every((record) => decodePinned(record, record.value) !== null);
  return isWhole ? records.map(({ value }) => value) : [];
}

function placeOf(key: string): { readonly pin: string; readonly place: string } {
  const at = key.lastIndexOf("/");
  return { pin: key.slice(0, at), place: key.slice(at + 1) };
}

/**
 * The records that clean up the topic `pins`: versions that no experiment needs are marked with the current ends of the
 * events, and deleted once the events up to there have been dropped.
 *
 * @param records experiments as they are now, and as they are about to be
 */
export async function sparePins(
  log: Log,
  topics: Topics,
  records: readonly ExperimentRecord[],
): Promise<Omit<NewRecord, "time">[]> {
  const existing = await log.topics(prefixOf(topics));
  if (!existing.has(topics.pins)) return [];
  const pins = new Map<string, Map<string, Uint8Array>>();
  for await (const { key, value } of readAll(log, topics.pins, 0)) {
    const { pin, place } = placeOf(key ?? "");
    const places = pins.get(pin) ?? new Map<string, Uint8Array>();
    if (value === null) places.delete(place);
    else places.set(place, value);
    pins.set(pin, places);
  }
  const partitions = existing.get(topics.events)?.partitions ?? 0;
  const bounds = await Promise.all(
    Array.from({ length: partitions }, (_, partition) => log.bounds(topics.events, partition)),
  );
  const changes: Omit<NewRecord, "time">[] = [];
  const put = (pin: string, place: string, value: Uint8Array | null) => {
    changes.push({ topic: topics.pins, partition: 0, key: `${pin}/${place}`, value });
  };
  for (const [pin, places] of pins) {
    if (places.size === 0) continue;
    const over = places.get(OVER);
    if (isNeeded(pin, records)) {
      if (over !== undefined) put(pin, OVER, null);
    } else if (over === undefined || endsIn(over) === null) {
      put(pin, OVER, encoder.encode(JSON.stringify(bounds.map(({ end }) => end))));
    } else if (isGone(endsIn(over), bounds)) {
      for (const place of places.keys()) put(pin, place, null);
    }
  }
  return changes;
}

/** Whether an experiment pins a version; a variant that does not name its model may mean any. */
function isNeeded(pin: string, records: readonly ExperimentRecord[]): boolean {
  const { model, version } = partsOf(pin);
  return records.some((record) =>
    isExperiment(record) && record.status !== "stopped" &&
    record.variants.some((variant) => variant.version === version && (variant.model ?? model) === model)
  );
}

/** The ends in a note; `null` when it cannot be read, in which case it is written again. */
function endsIn(note: Uint8Array): readonly number[] | null {
  try {
    const ends: unknown = JSON.parse(decoder.decode(note));
    return Array.isArray(ends) && ends.every(Number.isSafeInteger) ? ends : null;
  } catch {
    return null;
  }
}

/** Whether every event before these ends has been dropped. */
function isGone(ends: readonly number[] | null, bounds: readonly Bounds[]): boolean {
  return ends !== null && ends.every((end, partition) => (bounds[partition]?.start ?? 0) >= end);
}
