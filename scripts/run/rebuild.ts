/**
 * Rebuilds a deployment: decides what to build and up to where, builds it, compares it with the serving generation,
 * and switches.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import { isDeepStrictEqual } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { type ModelName, modelName } from "../../src/nn/models/registry.ts";
import { blueprintChanges, configOf } from "../../streams/config/blueprint.ts";
import type { Config } from "../../streams/config/config.ts";
import { withKeptDefaults } from "../../streams/config/kept_defaults.ts";
import { compareWith } from "../../streams/generations/agreement.ts";
import { valuesText } from "../../streams/generations/changes.ts";
import { compareSamples, comparisonText, mayServe } from "../../streams/generations/comparison.ts";
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { valueAt } from "../../streams/settings/config_fault.ts";
import {
  type Blueprint,
  BUILT,
  type Generation,
  generationRecord,
  generationsOf,
} from "../../streams/topics/generations.ts";
import {
  goalFor,
  hasGap,
  isUneven,
  type Positions,
  positionsOf,
} from "../../streams/generations/positions.ts";
import type { ArchivedPart } from "../../streams/backup/archived_log.ts";
import { lagOf } from "../../streams/log/reading.ts";
import { measureSpent, restAfter } from "../../streams/service/jobs/processor_share.ts";
import { Rebuild, type RebuildOptions, type RebuildProgress } from "../../streams/generations/rebuild.ts";
import type { Remembered } from "../../streams/generations/remembered.ts";
import type { LearnerSpec } from "../../streams/service/jobs/learner_job.ts";
import { serviceLearning } from "../../streams/learning/options.ts";
import { learntBefore } from "../../streams/learning/learner_records.ts";
import { canErase } from "../../streams/log/capabilities.ts";
import type { Log } from "../../streams/log/log.ts";
import { checkSplit } from "../../streams/log/split_log.ts";
import { noteFormats } from "../../streams/topics/format_notes.ts";
import { closingRecord, servingRecord } from "../../streams/topics/serving.ts";
import {
  generationOf,
  generationTopics,
  rememberedTopic,
  tasksGroup,
  topicNames,
  type Topics,
} from "../../streams/topics/topics.ts";
import { tasksOn } from "../flags/service_flags.ts";
import { agreementOptions } from "./agreement.ts";
import { generationOptions } from "./service_options.ts";

export interface RebuildFlags {
  /** Prefix of the topics. */
  readonly prefix: string;
  readonly model: ModelName;
  /** Seed of weights and draws. */
  readonly seed: number;
  /** Memory for states and embeddings, bytes. */
  readonly memory?: number | undefined;
  /** Number of tasks. @default {as many as there are} */
  readonly partitions?: number | undefined;
  /** Share of a processor, in (0, 1]. */
  readonly share: number;
  /** Whether to serve it once it is built. */
  readonly switch: boolean;
  /** Whether to serve it even if it predicts worse. */
  readonly anyway?: true | undefined;
  /** Whether to start from the weights of the serving generation, without learning their samples again. */
  readonly keepWeights?: true | undefined;
  /** Folders of backups with events that the log has dropped. */
  readonly archive?: readonly string[] | undefined;
}

const PROGRESS_MS = 5000;

/** What to build. */
interface Plan {
  readonly config: Config;
  /** Topics of the first generation. */
  readonly topics: Topics;
  /** Number of the serving generation, and its record. */
  readonly serving: number;
  readonly recorded: Generation | null;
  /** Positions of its tasks. */
  readonly positions: Positions;
  readonly generation: Generation;
  /** Whether it was started before. */
  readonly isBegun: boolean;
}

/** Rebuilds a deployment whose configuration differs from what serves. @returns the exit code */
export async function rebuildDeployment(
  log: Log,
  given: Config,
  flags: RebuildFlags,
  say: (line: string) => void,
): Promise<number> {
  const plan = await planRebuild(log, given, flags, say);
  if (plan === null) return 0;
  const otherwise = await weightsText(log, plan.topics, plan.generation, flags.keepWeights);
  if (otherwise !== null) say(otherwise);
  await noteGeneration(log, plan, say);
  const isGood = await buildPlanned(log, plan, flags, say);
  const { serving, generation: { number } } = plan;
  if (!flags.switch) {
    say(
      `generation ${number} is built up to the present; the same command without --no-switch adds later events, and switches`,
    );
    return 0;
  }
  if (!isGood && flags.anyway === undefined) {
    say(
      `generation ${serving} keeps serving: the new one predicts worse by more than guard.margin; use --anyway to switch nevertheless`,
    );
    return 1;
  }
  return await switchTo(log, plan, say);
}

/** Decides what to build; `null` = nothing. @throws Error when it cannot be built */
async function planRebuild(
  log: Log,
  given: Config,
  { prefix, model, seed, keepWeights, archive, ...flags }: RebuildFlags,
  say: (line: string) => void,
): Promise<Plan | null> {
  const topics = topicNames(prefix);
  const config = await withKeptDefaults(log, topics, given);
  const events = (await log.topics()).get(topics.events);
  if (events === undefined) {
    throw new Error(`Cannot rebuild ${prefix}*: there is no topic ${topics.events} on this log`);
  }
  const partitions = flags.partitions ?? await tasksOn(log, topics);
  checkSplit(events.partitions, partitions);
  const options = agreementOptions(config, { model, variants: [], partitions, seed });
  const { blueprint } = options;
  const { number: serving, recorded, changes, misfit } = await compareWith(log, topics, options);
  const wanted = changes.filter(({ name }) => name !== "variants");
  if (misfit === null && wanted.length === 0) {
    say(`the serving generation ${serving} is made as configured: there is nothing to rebuild`);
    return null;
  }
  for (const line of misfit === null ? wanted.map(valuesText) : [misfit]) say(`changed: ${line}`);
  const positions = await positionsOf(log, generationTopics(topics, serving));
  if (isUneven(positions, partitions)) {
    throw new Error(
      `Cannot replace ${positions.tasks.length} tasks by ${partitions}: they have stopped at different offsets ` +
        "of the events; switch while they serve: deno task run --rebuild",
    );
  }
  if (keepWeights) checkCarried(recorded, blueprint);
  const chosen = await chooseGeneration(log, topics, { serving, blueprint, keepWeights, archive });
  const isBegun = (await generationsOf(log, topics)).has(chosen.number);
  const until = goalFor(positions, partitions);
  const generation = { ...chosen, sources: positions.partitions, until };
  return { config, topics, serving, recorded, positions, generation, isBegun };
}

/** Records on the log what is built. */
async function noteGeneration(
  log: Log,
  { topics, serving, recorded, generation, isBegun }: Plan,
  say: (line: string) => void,
): Promise<void> {
  const { number } = generation;
  say(isBegun ? `continuing generation ${number}` : `building generation ${number} alongside ${serving}`);
  const now = Date.now();
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  await noteFormats(log, topics, { by: manifest.version, writes: NEWEST_FORMATS, now });
  await log.append([generationRecord(topics, generation, now)]);
  if (recorded === null) {
    say(`the options of generation ${serving} were never recorded: only its weights were compared`);
  }
}

/** Builds it, and compares it with the one that serves. @returns whether it predicts well enough to serve */
async function buildPlanned(
  log: Log,
  { config, topics, serving, generation }: Plan,
  flags: RebuildFlags,
  say: (line: string) => void,
): Promise<boolean> {
  const { number } = generation;
  await buildGeneration(log, { config, flags, generation, serving }, say);
  if (generation.carries !== undefined || generation.archived !== undefined) {
    await log.append([generationRecord(topics, { ...generation, ...BUILT }, Date.now())]);
  }
  const [before, own] = [serving, number].map((of) => generationTopics(topics, of));
  const comparison = await compareSamples(log, before!, own!);
  for (const line of comparisonText(comparison, { serving, number })) say(line);
  return mayServe(comparison, config.guard);
}

/** Makes it serve from the next start on, unless the other generation has progressed. @returns the exit code */
async function switchTo(
  log: Log,
  { topics, serving, recorded, positions, generation: { number } }: Plan,
  say: (line: string) => void,
): Promise<number> {
  if (await isServing(log, generationTopics(topics, serving), positions)) {
    say(
      `generation ${serving} has applied more events: stop the processes with tasks, and run the same command again`,
    );
    return 1;
  }
  // This also ends a switch that a process has left open.
  await log.append([
    ...(recorded === null ? [] : [generationRecord(topics, { ...recorded, hasServed: true }, Date.now())]),
    ...[servingRecord(topics, number, Date.now()), closingRecord(topics, null, Date.now())],
  ]);
  say(
    `generation ${number} serves from the next start of \`run\`; generation ${serving} is kept until a user that ` +
      "it has is erased; to go back, restore the old configuration and rebuild again; to drop it: rebuild --drop " +
      serving,
  );
  return 0;
}

/** What to build, and how. */
export interface GenerationBuild extends Pick<Plan, "config" | "serving"> {
  readonly flags: RebuildFlags;
  readonly generation: Pick<Generation, "number" | "until" | "carries">;
}

/** Builds a generation, or adds what it lacks. */
export async function buildGeneration(
  log: Log,
  { config, flags, generation, serving }: GenerationBuild,
  say: (line: string) => void,
): Promise<void> {
  const first = topicNames(flags.prefix);
  const { number, until = [] } = generation;
  const carries = await learnerToCarry(log, first, generation);
  const options = rebuildOptions(config, flags, generationTopics(first, number));
  const remembers = generationTopics(first, serving);
  const { archive: archives, share } = flags;
  await build(log, { ...options, until, remembers, carries, archives }, share, say);
}

/** The learner whose weights a generation starts from, while it is built; `undefined` = it starts from scratch. */
export async function learnerToCarry(
  log: Log,
  topics: Topics,
  { carries }: Pick<Generation, "carries">,
): Promise<LearnerSpec | undefined> {
  const from = carries === undefined ? undefined : (await generationsOf(log, topics)).get(carries);
  if (from === undefined) return undefined;
  const { number, blueprint, blueprint: { seed } } = from;
  const setup = { model: modelName(blueprint.model), seed };
  return rebuildOptions(configOf(blueprint), setup, generationTopics(topics, number)).spec;
}

/** @throws Error when weights cannot be taken over */
export function checkCarried(recorded: Generation | null, blueprint: Blueprint): void {
  const { model } = blueprint;
  const was = recorded?.blueprint;
  const shapes = ({ options, seed }: Blueprint) => ({
    seed,
    embeddingWidth: valueAt(options, ["learner", "embeddingWidth"]),
    optimiser: valueAt(options, ["learner", "optimiser"]),
    admitAfter: valueAt(options, ["learner", "admitAfter"]),
    model: valueAt(options, ["models", model]),
  });
  const same = was?.model === model && isDeepStrictEqual(shapes(was), shapes(blueprint));
  if (same) return;
  throw new Error(
    `Cannot keep the weights of ${
      was?.model ?? "a deployment without a record of its options"
    } as those of ${model}: only ` +
      "fields, crosses, pooled pairs and context may differ; omit --keep-weights",
  );
}

/** Which generation is to serve next. */
export interface GenerationWanted {
  /** Number of the one that serves. */
  readonly serving: number;
  readonly blueprint: Blueprint;
  /** Whether a new one starts from the weights of the one that serves. */
  readonly keepWeights: true | undefined;
  /** Folders of backups with events that the log has dropped. */
  readonly archive: readonly string[] | undefined;
}

/** The generation that was started as configured; otherwise a new one, without a record yet. */
export async function chooseGeneration(
  log: Log,
  topics: Topics,
  { serving, blueprint, keepWeights, archive }: GenerationWanted,
): Promise<Generation> {
  const all = await generationsOf(log, topics);
  for (const generation of all.values()) {
    if (generation.number === serving) continue;
    if (blueprintChanges(generation.blueprint, blueprint).length > 0) continue;
    const { number, archived } = generation;
    if (archive === undefined && await hasGap(log, generationTopics(topics, number))) {
      // It may have missed erasures. A log that can erase has dropped the generation with the first of them.
      if (!archived && !canErase(log)) continue;
      await refuseGap(log, topics, generation);
    }
    return { ...generation, blueprint, archived: archive === undefined ? archived : true };
  }
  // Numbers are not reused: the topics of a dropped generation still exist.
  const used = [...(await log.topics()).keys()].flatMap((name) => generationOf(topics, name) ?? []);
  return {
    number: Math.max(serving, ...used, ...all.keys()) + 1,
    blueprint,
    since: Date.now(),
    isAdopted: false,
    carries: keepWeights && serving,
    archived: archive && true,
  };
}

/** The note that a begun generation continues otherwise than `--keep-weights` says; `null` = it does not. */
export async function weightsText(
  log: Log,
  topics: Topics,
  { number, blueprint: { model }, carries, hasServed }: Generation,
  keepWeights: true | undefined,
): Promise<string | null> {
  if (!(await generationsOf(log, topics)).has(number)) return null;
  const learnt = await learntBefore(log, generationTopics(topics, number), model);
  const isCarrying = carries !== undefined || learnt !== null;
  if (isCarrying === (keepWeights ?? false) || hasServed && isCarrying) return null;
  const [how, other] = isCarrying ? ["with", "learn everything anew"] : ["without", "keep weights"];
  return `generation ${number} was begun ${how} --keep-weights, and continues so; to ${other}: deno task meander rebuild ` +
    `--drop ${number}, then rebuild again`;
}

/** @throws Error when a generation was begun with backups, which are needed to continue */
async function refuseGap(log: Log, topics: Topics, { number, hasServed }: Generation): Promise<void> {
  const remembered = rememberedTopic(generationTopics(topics, number));
  if (hasServed || await log.identify(remembered) !== null && await lagOf(log, remembered, []) > 0) return;
  throw new Error(
    `Cannot continue generation ${number}: the log has dropped events that it has not read; name the backups that ` +
      `have them (--archive), or drop it: deno task meander rebuild --drop ${number}`,
  );
}

/** Whether tasks of a generation have members, or have progressed beyond known positions. */
async function isServing(log: Log, topics: Topics, known: Positions): Promise<boolean> {
  const members = await log.members?.(tasksGroup(topics)) ?? [];
  const { tasks } = await positionsOf(log, topics);
  return members.length > 0 || tasks.some((next, task) => next > (known.tasks[task] ?? 0));
}

/** How a configuration is built. */
export function rebuildOptions(
  config: Config,
  { model, seed, memory }: Pick<RebuildFlags, "model" | "seed" | "memory">,
  topics: Topics,
): Omit<RebuildOptions, "until"> {
  const { task, learning, ...own } = generationOptions({ config, model, seed }, memory);
  return {
    spec: { ...own, schema: task.schema, learning: serviceLearning(learning), topics },
    task,
    stateBytes: memory && memory / 2,
  };
}

async function build(
  log: Log,
  options: RebuildOptions,
  share: number,
  say: (line: string) => void,
): Promise<void> {
  const opened = performance.now();
  await using rebuild = await Rebuild.open(log, options);
  for (const line of droppedText(rebuild.progress, options.carries !== undefined)) say(line);
  const rate = new BuildRate(rebuild.progress);
  for (let isOpen = true; isOpen;) {
    const spent = measureSpent();
    isOpen = await rebuild.step();
    if (share < 1) await delay(restAfter(spent(), share));
    const { learning, progress, progress: { done, of } } = rebuild;
    if (isOpen && !rate.isDue) continue;
    const { perSecond, secondsLeft } = rate.measure(progress);
    const left = secondsLeft === null ? "" : `, ${secondsLeft} s left`;
    const { auc } = learning.validation.rows.report();
    say(
      `${done} of ${of} events (${percent(done, of)}), ${perSecond} events/s${isOpen ? left : ""}, ` +
        `version ${learning.version}, AUC ${auc?.toFixed(4) ?? "-"}`,
    );
  }
  say(`built in ${((performance.now() - opened) / 1000).toFixed(1)} s`);
}

/** Measures how fast a build goes, and decides when to report it. */
export class BuildRate {
  readonly #first: number;
  readonly #begun = performance.now();
  #measuredAt = this.#begun;

  /** Starts at a build that was opened, which does not count for the rate. */
  constructor({ done }: RebuildProgress) {
    this.#first = done;
  }

  /** Whether the last measurement is {@linkcode PROGRESS_MS} ago. */
  get isDue(): boolean {
    return performance.now() - this.#measuredAt >= PROGRESS_MS;
  }

  /** The rate since the start; `secondsLeft` is `null` while it is 0. */
  measure(
    { done, of }: RebuildProgress,
  ): { readonly perSecond: number; readonly secondsLeft: number | null } {
    this.#measuredAt = performance.now();
    const rate = (done - this.#first) / Math.max(1, this.#measuredAt - this.#begun) * 1000;
    return {
      perSecond: Math.round(rate),
      secondsLeft: rate > 0 ? Math.ceil((of - done) / rate) : null,
    };
  }
}

/** What remains of the effects of events that the log has dropped, in words; empty if none were dropped. */
export function droppedText(
  { remembered, archived }: Pick<RebuildProgress, "remembered" | "archived">,
  keepsWeights: boolean,
): readonly string[] {
  return [...archivedText(archived), ...rememberedText(remembered, keepsWeights)];
}

function archivedText(archived: readonly ArchivedPart[]): readonly string[] {
  if (archived.length === 0) return [];
  const sum = (name: "read" | "missing") => archived.reduce((sum, one) => sum + one[name], 0);
  const lost = sum("missing") === 0
    ? "none are missing"
    : `lost: ${sum("missing")} that are neither in them nor on the log`;
  return [`${sum("read")} offsets of events that the log has dropped are read from backups; ${lost}`];
}

function rememberedText(remembered: readonly Remembered[], keepsWeights: boolean): readonly string[] {
  if (remembered.length === 0) return [];
  const sum = (name: keyof Remembered) => remembered.reduce((sum, one) => sum + one[name], 0);
  return [
    `${sum("start")} offsets of events are no longer on the log; their effects:`,
    `  behaviours: ${sum("behaviours")} carried over; ${sum("gone")} lost, dropped from sequences`,
    `  profiles: ${sum("profiles")} carried over`,
    "  pairs, popularity, successions: recomputed from these behaviours",
    "  lists, their outcomes, values, rates of items and users: lost, recomputed from what is left",
    `  weights: ${keepsWeights ? "carried over" : "learnt from what is left"}`,
  ];
}

function percent(done: number, of: number): string {
  return `${of === 0 ? 100 : Math.floor(100 * done / of)} %`;
}
