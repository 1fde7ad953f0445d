/**
 * Rebuilds a deployment: decides what to build and up to where, builds it, compares it with the serving generation,
 * and switches.
 */

import manifest from "../../deno.json" with { type: "json" };
import { setTimeout as delay } from "node:timers/promises";
import type { ModelName } from "../../src/nn/models/registry.ts";
import type { Config } from "../../streams/config/config.ts";
import { withKeptDefaults } from "../../streams/config/kept_defaults.ts";
import { compareWith } from "../../streams/generations/agreement.ts";
import { valuesText } from "../../streams/generations/changes.ts";
import { compareSamples, comparisonText, mayServe } from "../../streams/generations/comparison.ts";
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { BUILT, type Generation, generationRecord, generationsOf } from "../../streams/topics/generations.ts";
import { goalFor, isUneven, type Positions, positionsOf } from "../../streams/generations/positions.ts";
import { measureSpent, restAfter } from "../../streams/service/jobs/processor_share.ts";
import type { RebuildOptions } from "../../streams/generations/build/options.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import type { Log } from "../../streams/log/log.ts";
import { checkSplit } from "../../streams/log/split_log.ts";
import { noteFormats } from "../../streams/topics/format_notes.ts";
import { closingRecord, servingRecord } from "../../streams/topics/serving.ts";
import { generationTopics, tasksGroup, topicNames, type Topics } from "../../streams/topics/topics.ts";
import { tasksOn } from "../flags/service_flags.ts";
import { agreementOptions } from "../run/agreement.ts";
import { checkCarried, chooseGeneration, learnerToCarry, rebuildOptions, weightsText } from "./choice.ts";
import { BuildRate, droppedText, percent } from "./progress.ts";

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
  const events = (await log.topics(topics.events)).get(topics.events);
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
  const comparison = await compareSamples(
    log,
    generationTopics(topics, serving),
    generationTopics(topics, number),
  );
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
    servingRecord(topics, number, Date.now()),
    closingRecord(topics, null, Date.now()),
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

/** Whether tasks of a generation have members, or have progressed beyond known positions. */
async function isServing(log: Log, topics: Topics, known: Positions): Promise<boolean> {
  const members = await log.members?.(tasksGroup(topics)) ?? [];
  const { tasks } = await positionsOf(log, topics);
  return members.length > 0 || tasks.some((next, task) => next > (known.tasks[task] ?? 0));
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
