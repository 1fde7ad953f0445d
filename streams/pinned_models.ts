/**
 * Versions of models that experiments pin. Whoever starts such an experiment copies what makes the version up from
 * `parameters`, where it will not stay, to the compacted topic `pins`, in the same commit; tasks make it of that.
 *
 * ```text
 *   parameters:  full 50, 51, 52, 53, ...      ──start──>   pins:  dien@52/0 = full 50, /1 = 51, /2 = 52
 * ```
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { partsOf } from "../src/experiments/pins.ts";
import type { Variant } from "../src/experiments/experiment.ts";
import { decodeVersion } from "../src/learner/version.ts";
import type { Serving } from "../src/scorer/serving.ts";
import type { ServingModel } from "../src/scorer/serving_model.ts";
import type { Log, NewRecord } from "./log/log.ts";
import { readAll } from "./log/read_all.ts";
import { type Topics, variantTopics } from "./topics.ts";

const logger = getLogger(["meander", "experiments"]);

/** Variants whose versions are numbers, and what has to be written for them to stay available. */
export interface Pins {
  /** The variants; one that wanted the version at the start has it as a number. */
  readonly variants: readonly Variant[];
  /** Records of the topic `pins`. */
  readonly records: readonly Omit<NewRecord, "time">[];
  /** Versions that cannot be had, a sentence each. */
  readonly faults: readonly string[];
}

/** Finds the versions that variants want. */
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
    const key = `${chain.model}@${chain.version}`;
    if (chain.records.length > 0) {
      chain.records.forEach((value, at) => {
        records.set(`${key}/${at}`, { topic: topics.pins, partition: 0, key: `${key}/${at}`, value });
      });
    } else if (typeof version !== "number" || (await readPin(log, topics.pins, key)).length === 0) {
      const has = chain.count === 0 ? "none" : `${chain.count} from ${chain.oldest} to ${chain.newest}`;
      const wanted = version === "at-start" ? "the newest version" : `version ${version}`;
      faults.push(`variant ${name} wants ${wanted} of ${chain.model}: the log has ${has}`);
    }
    pinned.push({ ...variant, version: chain.version });
  }
  return { variants: pinned, records: [...records.values()], faults };
}

/** What makes a version up. */
interface Chain {
  readonly model: string;
  readonly version: number;
  /** A full snapshot and all versions from it on; empty when the log does not have them. */
  readonly records: readonly Uint8Array[];
  /** Versions that can be had; not each number has been published. */
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
  const topic = variant !== undefined && (await log.topics()).has(variant) ? variant : topics.parameters;
  let model = wantedModel ?? "the own model";
  let records: Uint8Array[] = [];
  let version = 0, oldest = 0, newest = 0, count = 0;
  for await (const { key, value } of readAll(log, topic, 0)) {
    if (value === null || key === null || wantedModel !== undefined && key !== wantedModel) continue;
    model = key;
    const { kind, version: number, predecessor } = decodeVersion(value);
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
    ...{ model, count, oldest, newest, records: found ? records : [] },
    version: wanted === "at-start" ? version : wanted,
  };
}

/** The records that make a pinned version up; none when it is not there. */
async function readPin(log: Log, topic: string, key: string): Promise<Uint8Array[]> {
  if (!(await log.topics()).has(topic)) return [];
  const records: Uint8Array[] = [];
  for await (const record of readAll(log, topic, 0)) {
    if (record.key === null || record.value === null || !record.key.startsWith(`${key}/`)) continue;
    records[Number(record.key.slice(key.length + 1))] = record.value;
  }
  return records;
}

/** Who has pinned versions. */
export type PinSource = Pick<PinnedModels, "need">;

/** The pinned versions of a process, which its tasks share. One that nobody needs any more is let go. */
export class PinnedModels {
  readonly #log: Log;
  readonly #topic: string;
  readonly #make: (model: string, key: string) => ServingModel | undefined;
  readonly #needed = new Map<number, ReadonlySet<string>>();
  readonly #models = new Map<string, Promise<ServingModel | undefined>>();

  /** Nothing is loaded. @param make A model at version 0 with a name of its own; `undefined` when it is not run here */
  constructor(
    log: Log,
    topics: Topics,
    make: (model: string, key: string) => ServingModel | undefined,
  ) {
    this.#log = log;
    this.#topic = topics.pins;
    this.#make = make;
  }

  /**
   * The pinned versions that a task needs from now on.
   *
   * @param keys full keys
   * @returns Those that are there.
   */
  async need(partition: number, keys: ReadonlySet<string>): Promise<Serving[]> {
    this.#needed.set(partition, keys);
    const all = new Set([...this.#needed.values()].flatMap((keys) => [...keys]));
    for (const key of this.#models.keys()) if (!all.has(key)) this.#models.delete(key);
    const found: Serving[] = [];
    for (const key of keys) {
      const loading = this.#models.get(key) ?? this.#load(key);
      this.#models.set(key, loading);
      loading.catch(() => this.#models.delete(key));
      const serving = await loading;
      if (serving !== undefined) found.push(serving);
    }
    return found;
  }

  async #load(key: string): Promise<ServingModel | undefined> {
    const { model, version } = partsOf(key);
    const serving = this.#make(model, key);
    if (serving === undefined) return undefined;
    const records = await readPin(this.#log, this.#topic, key);
    for (const record of records) serving.apply(decodeVersion(record));
    if (serving.version === version) return serving;
    logger.warn("version {version} of {model} is pinned, and is not on {topic}: its variants are left out", {
      model,
      version,
      topic: this.#topic,
    });
    return undefined;
  }
}
