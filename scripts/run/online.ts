/**
 * `run --rebuild`: serves a deployment as it was made while what is configured is built beside it, and switches.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { blueprintChanges, blueprintOf, configOf } from "../../streams/config/blueprint.ts";
import type { Config } from "../../streams/config/config.ts";
import { withKeptDefaults } from "../../streams/config/kept_defaults.ts";
import { compareWith } from "../../streams/generations/agreement.ts";
import { type Change, valuesText } from "../../streams/generations/changes.ts";
import { compareSamples } from "../../streams/generations/comparison.ts";
import type { Blueprint, Generation } from "../../streams/topics/generations.ts";
import { type OnlineOptions, rebuildOnline } from "../../streams/generations/online.ts";
import type { RebuildProgress } from "../../streams/generations/rebuild.ts";
import type { Log } from "../../streams/log/log.ts";
import type { Replaceable } from "../../streams/service/replaceable.ts";
import { snapshotFolder } from "../../streams/service/service.ts";
import { generationTopics, tasksGroup, type Topics } from "../../streams/topics/topics.ts";
import { agreementOptions } from "./agreement.ts";
import { REBUILD_SHARE } from "./flags.ts";
import { carriedText, chooseGeneration, comparisonText, mayFollow, rebuildOptions } from "./rebuild.ts";
import type { RunParts } from "./service_options.ts";
import type { RunSettings } from "./settings.ts";
import { workerPermissions } from "./thread_permissions.ts";

const PROGRESS_MS = 5000;
/** Share of the thread that serves, at first, for the last legs. */
const SERVING_SHARE = 0.3;
/** Most events of a round: requests wait for it. */
const ROUND_EVENTS = 32;

const logger = getLogger(["meander", "rebuild"]);

/** As what a deployment is made. */
export interface Made {
  readonly config: Config;
  readonly model: ModelName;
  readonly seed: number;
}

/** What is built beside what. */
export interface OnlinePlan {
  /** Number of the generation that serves. */
  readonly serving: number;
  /** As what it was made. */
  readonly serves: Made;
  /** Number of its tasks. */
  readonly servesTasks: number;
  /** What is built. */
  readonly generation: Generation;
  /** As what it is made, with the defaults that the deployment keeps. */
  readonly makes: Made;
  /** What differs. */
  readonly changes: readonly Change[];
}

/**
 * What is to be built; `null` = the deployment is made as configured.
 *
 * @throws Error when it cannot serve as it was made
 */
export async function planOnline(
  log: Log,
  topics: Topics,
  { config: given, model, seed }: Made,
  { partitions, variants }: { readonly partitions: number; readonly variants: readonly ModelName[] },
): Promise<OnlinePlan | null> {
  const config = await withKeptDefaults(log, topics, given);
  const options = agreementOptions(config, { model, variants, partitions, seed });
  const { number: serving, recorded, changes, misfit } = await compareWith(log, topics, options);
  if (misfit !== null) {
    throw new Error(
      `Cannot serve generation ${serving} while another is built: it has no record of its options; run it once as it ` +
        "was configured, or rebuild it at rest: deno task meander rebuild",
    );
  }
  const breaking = changes.filter(({ reach }) => reach === "rebuild");
  if (recorded === null || breaking.length === 0) return null;
  if (variants.length > 0) {
    throw new Error(
      "Cannot rebuild while models of variants serve: leave --variant-models out until it is done",
    );
  }
  const serves = madeAs(recorded.blueprint, config);
  const generation = await chooseGeneration(log, topics, serving, options.blueprint);
  const { partitions: servesTasks } = recorded.blueprint;
  return { serving, serves, servesTasks, generation, makes: { config, model, seed }, changes: breaking };
}

/** How a deployment serves that was made so: what is not of its blueprint is as configured now. */
function madeAs(blueprint: Blueprint, now: Config): Made {
  const { seed } = blueprint;
  const model = blueprint.model as ModelName;
  const config = { ...now, ...configOf(blueprint) };
  const flags = { ...blueprint, model, variants: blueprint.variants as ModelName[] };
  const lost = blueprintChanges(blueprint, blueprintOf(config, flags));
  if (lost.length === 0) return { config, model, seed };
  throw new Error(
    `Cannot serve a generation as it was made while another is built: this release has it otherwise (${
      lost.map(valuesText).join("; ")
    }); rebuild at rest: deno task meander rebuild`,
  );
}

/** Where and how it is built. */
export interface OnlineRun {
  readonly log: Log;
  readonly topics: Topics;
  readonly settings: RunSettings;
  readonly parts: RunParts;
  readonly place: Replaceable;
  /** See {@linkcode OnlineOptions}. */
  readonly ends: OnlineOptions["ends"];
  readonly start: OnlineOptions["start"];
  readonly signal: AbortSignal;
}

/** Builds, and switches unless the new generation predicts worse. @returns whether it serves */
export async function runOnline(plan: OnlinePlan, run: OnlineRun): Promise<boolean> {
  const { serving, generation, changes, makes: made } = plan;
  const { number } = generation;
  const { log, topics, settings, parts: { memory, encodeLists }, place, ends, start, signal } = run;
  const { flags: { rebuildShare: share = REBUILD_SHARE, anyway }, config, kind, delivery, snapshots } =
    settings;
  const now = () => performance.now();
  for (const change of changes) logger.info("changed: {text}", { text: valuesText(change) });
  logger.info("builds generation {number} beside {serving}, which serves", { number, serving });
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  const own = generationTopics(topics, number), before = generationTopics(topics, serving);
  const { until: _, ...rebuild } = rebuildOptions(made.config, { ...made, memory }, own, []);
  const progress = new Progress();
  const { isSwitched, pauseMs } = await rebuildOnline(log, {
    topics,
    serving,
    generation,
    rebuild: {
      ...rebuild,
      remembers: before,
      task: { ...rebuild.task, nowMicros: () => Math.round(performance.now() * 1000) },
      roundEvents: ROUND_EVENTS,
      service: (partition) => ({
        delivery,
        surfaceTopics: config.surfaceTopics,
        encodeLists,
        snapshot: snapshots &&
          { ...snapshots, folder: snapshotFolder(snapshots.folder, own, partition), now },
      }),
    },
    place,
    ends,
    start,
    thread: {
      share,
      permissions: workerPermissions(kind.capabilities),
      onProgress: (figures) => progress.tell(figures, figures.version),
    },
    share: Math.min(share, SERVING_SHARE),
    signal,
    clock: now,
    now: Date.now,
    onStep: (now, { learning }) => progress.tell(now, learning.version),
    async mayServe(gentle) {
      const comparison = await compareSamples(gentle, before, own);
      logger.info("{text}", { text: comparisonText(comparison, { serving, number }) });
      const others = (await log.members?.(tasksGroup(before)) ?? []).length;
      if (others > 1) {
        logger.error(
          "generation {serving} goes on serving: {others} processes have its tasks, and only one may while generation " +
            "{number} takes over; stop the others, and start this one again",
          { serving, number, others },
        );
        return false;
      }
      if (mayFollow(made.config, comparison) || anyway) return true;
      logger.error(
        "generation {serving} goes on serving: {number} predicts worse by more than guard.margin; --anyway switches",
        { serving, number },
      );
      return false;
    },
  });
  if (isSwitched) {
    logger.info(
      "generation {number} serves, after a pause of {pauseMs} ms; generation {serving} is kept: the old configuration " +
        "with --rebuild goes back to it, deno task meander rebuild --drop {serving} drops it",
      { number, serving, pauseMs: Math.round(pauseMs) },
    );
    if (place.current.tasks.size === 0) {
      logger.warn("no task of generation {number} is at work in this process yet: requests wait", { number });
    }
  } else logger.warn("generation {serving} goes on serving", { serving });
  return isSwitched;
}

/** Says how far it is, now and then. */
class Progress {
  #begun = performance.now();
  #saidAt = this.#begun;
  #first: number | undefined;

  tell({ done, of, carried }: RebuildProgress, version: number): void {
    const now = performance.now();
    if (this.#first === undefined) {
      this.#first = done;
      for (const line of carriedText(carried, false)) logger.warn("{line}", { line });
    }
    if (now - this.#saidAt < PROGRESS_MS) return;
    this.#saidAt = now;
    const rate = (done - this.#first) / (now - this.#begun) * 1000;
    logger.info("{done} of {of} events, {rate} events/s, {left} s left, version {version}", {
      done,
      of,
      rate: Math.round(rate),
      left: rate > 0 ? Math.ceil((of - done) / rate) : "?",
      version,
    });
  }
}
