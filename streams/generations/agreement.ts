/**
 * Checks that a deployment on a log was made with the process's configuration, before anything else is read or written.
 */

import { decodeVersion } from "../../src/serving/version.ts";
import type { Log } from "../log/log.ts";
import { generationTopics, type Topics } from "../topics/topics.ts";
import { type Change, changeText } from "./changes.ts";
import { checkServing } from "./check_serving.ts";
import { type Blueprint, type Generation, generationRecord, generationsOf } from "../topics/generations.ts";

/** Sizes of the weights that a configuration makes. */
export interface WeightSizes {
  /** Dense weights of the model. */
  readonly dense: number;
  /** Dense weights of the wide part. */
  readonly head: number;
}

/** What {@linkcode compareWith} compares. */
export interface AgreementOptions {
  /** The blueprint that the process is configured with. */
  readonly blueprint: Blueprint;
  /** What differs between two blueprints. */
  readonly changesOf: (before: Blueprint, now: Blueprint) => readonly Change[];
  /** Weights that the blueprint makes, for a deployment without a record. */
  readonly weights: () => WeightSizes;
  /** Called before changes that need no rebuild are recorded; after a crash in between, it is called again. */
  readonly onChanges?: (changes: readonly Change[]) => Promise<void>;
}

/** How a process and the deployment on the log agree. */
export interface Agreement {
  /** Number of the generation that serves. */
  readonly number: number;
  /** The record on the log; `null` = there is none. */
  readonly recorded: Generation | null;
  /** Differences between the configuration and the record. */
  readonly changes: readonly Change[];
  /** Why weights on the log do not fit, for a deployment without a record; `null` = they do, or there are none. */
  readonly misfit: string | null;
  /** Whether there is something on the log to resume. */
  readonly isThere: boolean;
}

/** The error for a configuration that differs from the one that made what is on the log. */
export class GenerationError extends Error {
  /** What needs a rebuild; empty when only weights were compared. */
  readonly changes: readonly Change[];

  /** Makes an error that names the differences and the remedy. */
  constructor(changes: readonly Change[], what: readonly string[]) {
    super(
      `Cannot run this deployment as configured: it was made with other options\n${
        what.map((line) => `  ${line}\n`).join("")
      }Restore these options, or build a new generation from the log, with the same flags: deno task run --rebuild ` +
        "does so while the old one serves, deno task meander rebuild while nothing does. Another deployment needs " +
        "another --prefix",
    );
    this.name = "GenerationError";
    this.changes = changes;
  }
}

/** Compares a configuration with the deployment on a log; only reads. */
export async function compareWith(
  log: Pick<Log, "identify" | "latest" | "bounds" | "read" | "topics">,
  topics: Topics,
  { blueprint, changesOf, weights }: AgreementOptions,
): Promise<Agreement> {
  const number = await checkServing(log, topics);
  const recordOf = async () => (await generationsOf(log, topics)).get(number) ?? null;
  let recorded = await recordOf();
  const learnt = recorded === null ? await learntWeights(log, generationTopics(topics, number)) : null;
  // Another process may have begun the deployment in between, and records that before it writes anything else.
  if (learnt !== null) recorded = await recordOf();
  if (recorded !== null) {
    const changes = changesOf(recorded.blueprint, blueprint);
    return { number, recorded, changes, misfit: null, isThere: true };
  }
  if (learnt === null) return { number, recorded, changes: [], misfit: null, isThere: false };
  const own = weights();
  const what = learnt.model !== blueprint.model
    ? `model was ${learnt.model}, is ${blueprint.model}`
    : learnt.dense !== own.dense || learnt.head !== own.head
    ? `features or options of ${learnt.model} have changed: the log has ${learnt.dense} + ${learnt.head} dense weights, ` +
      `the configuration makes ${own.dense} + ${own.head}`
    : null;
  return { number, recorded, changes: [], misfit: what, isThere: true };
}

/**
 * Compares, and records the deployment's blueprint if there is no record yet. Of processes that record at once, the first
 * one decides, and the others compare again.
 *
 * @param now wall clock, milliseconds since the epoch
 * @throws GenerationError when it cannot run as configured; nothing is written then
 * @throws LogError `fenced` when another process is recording: try again
 */
export async function agree(
  log: Log,
  topics: Topics,
  options: AgreementOptions,
  now: number,
): Promise<Agreement> {
  const before = await comparedWith(log, topics, options);
  if (isAgreed(before)) return before;
  const { generations } = topics;
  await log.createTopics([{ name: generations, partitions: 1, cleanup: "compact" }]);
  // Fences processes that have compared but not recorded yet, so that none overwrites a record that it has not seen.
  await using writer = await log.writer(`append-${generations}`, [{ topic: generations, partition: 0 }]);
  const agreement = await comparedWith(log, topics, options);
  if (isAgreed(agreement)) return agreement;
  const { number, recorded, changes, isThere } = agreement;
  if (changes.length > 0) await options.onChanges?.(changes);
  const { blueprint } = options;
  const generation = recorded === null
    ? { number, blueprint, since: now, isAdopted: isThere }
    : { ...recorded, blueprint };
  const records = [generationRecord(topics, generation, now)];
  await writer.commit({ records, group: writer.id, offsets: [] });
  return agreement;
}

/** Whether the record on the log is what this process would record. */
function isAgreed({ recorded, changes }: Agreement): boolean {
  return recorded !== null && changes.length === 0;
}

/** Compares. @throws GenerationError when it cannot run as configured */
async function comparedWith(log: Log, topics: Topics, options: AgreementOptions): Promise<Agreement> {
  const agreement = await compareWith(log, topics, options);
  const { changes, misfit } = agreement;
  const breaking = changes.filter(({ reach }) => reach === "rebuild");
  if (misfit !== null) {
    const unknown =
      `${topics.generations} has no record of its options: if that topic was deleted, name those whose ` +
      "defaults have changed since 0.2.0 (features.pooled, retrieval.head), which count as not set";
    throw new GenerationError([], [misfit, unknown]);
  }
  if (breaking.length > 0) throw new GenerationError(breaking, breaking.map(changeText));
  return agreement;
}

/** The model of the oldest version on the log and its sizes, which all versions share; `null` = there is none. */
async function learntWeights(
  log: Pick<Log, "identify" | "bounds" | "read">,
  { parameters }: Topics,
): Promise<WeightSizes & { readonly model: string } | null> {
  if (await log.identify(parameters) === null) return null;
  const { start } = await log.bounds(parameters, 0);
  const { records } = await log.read(parameters, 0, start, { maxRecords: 1 });
  const [record] = records;
  if (record === undefined || record.key === null || record.value === null) return null;
  try {
    const { dense, head } = decodeVersion(record.value);
    return { model: record.key, dense: dense.length, head: head.length };
  } catch {
    return null; // the process that applies it reports that
  }
}
