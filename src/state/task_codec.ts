/**
 * Binary records of the `statistics` topic: one an item (key `item:<id>`), one for the task (key `task`).
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { ExperimentRecord } from "../experiments/experiment.ts";
import type { Attributes } from "../events/event.ts";
import type { Catalogue, CatalogueItem } from "./catalogue.ts";
import { joined } from "./popularity.ts";
import type { TaskCounter } from "./task_counters.ts";
import type { TaskState } from "./task_state.ts";

const FORMAT = 1;
/** Format 1 of the task's own record knows no experiments. */
const TASK_FORMAT = 2;

/** Key of the task's own record. */
export const TASK_KEY = "task";

/** Key of an item's record. */
export function itemKey(id: string): string {
  return `item:${id}`;
}

/** The item that a key of {@linkcode itemKey} names. */
export function itemOfKey(key: string): string {
  return key.slice("item:".length);
}

/** What catalogue records say of items, in words: it seldom changes, and statistics with each outcome. */
const words = new Map<CatalogueItem, CatalogueWords>();
/** Items whose words are kept at most: then all are forgotten. */
const MAX_WORDS = 1 << 12;
const encoder = new TextEncoder();

interface CatalogueWords {
  readonly categories: readonly string[];
  readonly fields: readonly (string | null)[];
  readonly attributes: Attributes;
  readonly bytes: Uint8Array;
}

function wordsOf(item: CatalogueItem): Uint8Array {
  const { categories, fields, crosses, attributes } = item;
  const known = words.get(item);
  const isSame = known !== undefined && known.categories === categories && known.fields === fields &&
    known.attributes === attributes;
  if (isSame) return known.bytes;
  const bytes = encoder.encode(JSON.stringify([categories, fields, crosses, attributes]));
  if (words.size >= MAX_WORDS) words.clear();
  words.set(item, { categories, fields, attributes, bytes });
  return bytes;
}

/** Scratch of the item in hand. */
const itemState = new ByteWriter(1024);

/** Encodes what the task knows of an item. */
export function encodeItemState(item: CatalogueItem): Uint8Array {
  const { statistics: s } = item;
  itemState.reset();
  return itemState
    .u8(FORMAT)
    .u8((item.listed ? 1 : 0) | (item.hidden ? 2 : 0))
    .bytes(wordsOf(item))
    .f64(item.expires).f64(item.firstTime).f64(item.recordTime).f64(item.ownPopularity)
    .uint(s.outcomes).uint(s.positives).f64(s.recent).uint(s.values).f64(s.valueSum).f64(s.valueResidual)
    .toBytes();
}

/**
 * Reads a record of {@linkcode encodeItemState} into the catalogue.
 *
 * @throws SyntaxError when the bytes are not such a record.
 */
export function decodeItemState(id: string, bytes: Uint8Array, catalogue: Catalogue): CatalogueItem {
  const from = new ByteReader(bytes);
  checkFormat(from, `item ${id}`);
  const flags = from.u8();
  // Records from before filters on attributes have none.
  const [categories, fields, crosses, attributes = {}] = JSON.parse(from.string()) as [
    string[],
    string[],
    string[],
    Attributes?,
  ];
  const item = catalogue.intern(id, 0);
  item.listed = (flags & 1) !== 0;
  item.hidden = (flags & 2) !== 0;
  item.categories = categories;
  item.fields = fields;
  item.crosses = crosses;
  item.attributes = attributes;
  item.expires = from.f64();
  item.firstTime = from.f64();
  item.recordTime = from.f64();
  item.ownPopularity = from.f64();
  item.popularity = joined(item.ownPopularity, item.othersPopularity);
  const { statistics: s } = item;
  s.outcomes = from.uint();
  s.positives = from.uint();
  s.recent = from.f64();
  s.values = from.uint();
  s.valueSum = from.f64();
  s.valueResidual = from.f64();
  return item;
}

/** Encodes the task's own numbers: clock, overall statistics, counters, and the position in the catalogue topic. */
export function encodeTask(task: TaskState, itemsNext: number): Uint8Array {
  const { overall } = task.statistics;
  const to = new ByteWriter()
    .u8(TASK_FORMAT).uint(task.join.nextSequence).uint(itemsNext)
    .uint(overall.outcomes).uint(overall.positives).uint(overall.values).f64(overall.valueSum);
  const counters = Object.entries(task.counters);
  to.uint(counters.length);
  for (const [name, value] of counters) to.string(name).uint(value);
  task.clock.encode(to);
  to.uint(task.experiments.size);
  for (const record of task.experiments.values()) to.string(JSON.stringify(record));
  return to.toBytes();
}

/**
 * Reads a record of {@linkcode encodeTask} into a fresh task.
 *
 * @returns The position in the catalogue topic.
 * @throws SyntaxError when the bytes are not such a record.
 */
export function decodeTask(bytes: Uint8Array, task: TaskState): number {
  const from = new ByteReader(bytes);
  const format = checkFormat(from, "the task", TASK_FORMAT);
  task.join.nextSequence = from.uint();
  const itemsNext = from.uint();
  const { overall } = task.statistics;
  overall.outcomes = from.uint();
  overall.positives = from.uint();
  overall.values = from.uint();
  overall.valueSum = from.f64();
  for (let n = from.count(); n > 0; n--) {
    const name = from.string();
    const value = from.uint();
    if (Object.hasOwn(task.counters, name)) task.counters[name as TaskCounter] = value;
  }
  task.clock.decode(from);
  const experiments: ExperimentRecord[] = [];
  for (let n = format > 1 ? from.count() : 0; n > 0; n--) {
    experiments.push(JSON.parse(from.string()) as ExperimentRecord);
  }
  task.applyExperiments(experiments);
  return itemsNext;
}

function checkFormat(from: ByteReader, what: string, newest = FORMAT): number {
  const format = from.u8();
  if (format < 1 || format > newest) {
    throw new SyntaxError(
      `Cannot decode the state of ${what}: format is ${format}, this reads 1 to ${newest}`,
    );
  }
  return format;
}
