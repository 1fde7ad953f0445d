/** `run --rebuild`: serves the present generation, builds the configured one alongside, then switches to it. */

import { getLogger } from "@logtape/logtape";
import { modelName } from "../../src/nn/models/registry.ts";
import { blueprintOf, configOf, generationChanges } from "../../streams/config/blueprint.ts";
import type { Config } from "../../streams/config/config.ts";
import { withKeptDefaults } from "../../streams/config/kept_defaults.ts";
import { compareWith } from "../../streams/generations/agreement.ts";
import { type Change, valuesText } from "../../streams/generations/changes.ts";
import { compareSamples, comparisonText, mayServe } from "../../streams/generations/comparison.ts";
import { type Blueprint, type Generation, generationsOf } from "../../streams/topics/generations.ts";
import { builderGroup } from "../../streams/generations/online/build_snapshots.ts";
import { type OnlineOptions, rebuildOnline } from "../../streams/generations/online/online.ts";
import { ThreadedBuild } from "../../streams/generations/online/threaded_build.ts";
import type { RebuildProgress } from "../../streams/generations/build/rebuild.ts";
import { inTurn } from "../../streams/service/jobs/turn.ts";
import { isShared } from "../../streams/log/capabilities.ts";
import type { Log } from "../../streams/log/log.ts";
import { untilSettled } from "../../streams/service/readiness.ts";
import { checkSplit } from "../../streams/log/split_log.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { generationTopics, type Topics } from "../../streams/topics/topics.ts";
import { agreementOptions } from "./agreement.ts";
import { settle } from "../../src/options/option.ts";
import { HTTP_LIMITS } from "../../streams/http/contract/limits.ts";
import { type Flags, REBUILD_SHARE } from "./flags.ts";
import {
  checkCarried,
  chooseGeneration,
  learnerToCarry,
  rebuildOptions,
  weightsText,
} from "../rebuild/choice.ts";
import { BuildRate, droppedText } from "../rebuild/progress.ts";
import type { GenerationSetup, RunParts } from "./service_options.ts";
import type { RunSettings } from "./settings.ts";
import { workerPermissions } from "./permissions.ts";
import type { OnlineResult } from "../../streams/generations/online/hand_over.ts";

/** Share of the serving thread for comparing both generations and restoring, while requests wait. */
const SERVING_SHARE = 0.5;
/** Share of the answer timeout that the last leg may take: tasks stop before it, and are opened after it. */
const LAST_LEG = 0.25;
/** Most events of a round: requests are served between its reads, but wait for its commit. */
const ROUND_EVENTS = 256;

const logger = getLogger(["meander", "rebuild"]);

/** What to build, and alongside which generation. */
export interface OnlinePlan {
  /** Number of the generation that serves. */
  readonly serving: number;
  /** How the serving generation is made. */
  readonly servingSetup: GenerationSetup;
  /** What to build, as far as it is known at the start. */
  readonly generation: Generation;
  /** How it is made, with the defaults that the deployment keeps. */
  readonly newSetup: GenerationSetup;
  /** What differs. */
  readonly changes: readonly Change[];
}

/**
 * Plans what to build; `null` = the deployment is already made as configured.
 *
 * @throws Error when it cannot serve as it was made
 */
export async function planOnline(
  log: Log,
  topics: Topics,
  { config: given, ...flags }: GenerationSetup,
  { keepWeights, archive }: Pick<Flags, "keepWeights" | "archive"> = {},
): Promise<OnlinePlan | null> {
  const config = await withKeptDefaults(log, topics, given);
  const options = agreementOptions(config, flags);
  const { number: serving, recorded, changes, misfit } = await compareWith(log, topics, options);
  if (misfit !== null) {
    throw new Error(
      `Cannot serve generation ${serving} while another is built: its options were never recorded; run it once as it ` +
        "was configured, or stop it and run deno task meander rebuild",
    );
  }
  const breaking = changes.filter(({ reach }) => reach === "rebuild");
  if (recorded === null || breaking.length === 0) return null;
  if (flags.variants.length > 0) {
    throw new Error(
      "Cannot rebuild while variant models serve: omit --variant-models until the rebuild is done",
    );
  }
  checkSplit((await log.topics(topics.events)).get(topics.events)!.partitions, flags.partitions);
  const { blueprint } = options;
  if (keepWeights) checkCarried(recorded, blueprint);
  const servingSetup = setupFrom(recorded.blueprint, config);
  const generation = await chooseGeneration(log, topics, { serving, blueprint, keepWeights, archive });
  return { serving, servingSetup, generation, newSetup: { config, ...flags }, changes: breaking };
}

/**
 * Whether to build the planned generation: one that served before is only returned to with `--roll-back`.
 *
 * @throws Error when the generation that `--roll-back` would return to has never served
 */
export function isToBuild(
  { generation, serving, changes }: OnlinePlan,
  { rollBack }: Pick<Flags, "rollBack">,
): boolean {
  const { hasServed = false, number: former } = generation;
  if (rollBack && !hasServed) {
    throw new Error(
      `Cannot roll back: no kept generation that served before was made as configured (${
        changes.map(valuesText).join("; ")
      }); restore the old configuration, or omit --roll-back to build one`,
    );
  }
  if (rollBack || !hasServed) return true;
  logger.warn(
    "the configured generation {former} was replaced by {serving}, which this process runs; use --roll-back to go back",
    { former, serving },
  );
  return false;
}

/** How a generation was made, for a process that is configured differently. @throws Error when it cannot run it */
export async function setupOf(
  log: Log,
  topics: Topics,
  number: number,
  now: Config,
): Promise<GenerationSetup> {
  const generation = (await generationsOf(log, topics)).get(number);
  if (generation === undefined) {
    throw new Error(`Cannot run generation ${number}, which serves: its options were never recorded`);
  }
  return setupFrom(generation.blueprint, now);
}

/** How to serve a deployment made by a blueprint: everything outside the blueprint is as configured now. */
function setupFrom(blueprint: Blueprint, now: Config): GenerationSetup {
  const { seed, partitions } = blueprint;
  const [model, variants] = [modelName(blueprint.model), blueprint.variants.map(modelName)];
  const setup = { config: { ...now, ...configOf(blueprint) }, model, seed, partitions, variants };
  const lost = generationChanges(blueprint, blueprintOf(setup.config, setup));
  if (lost.length === 0) return setup;
  throw new Error(
    `Cannot serve the generation as it is recorded: this release would make it differently (${
      lost.map(valuesText).join("; ")
    }); start with the configuration that it was made with, or stop and run deno task meander rebuild`,
  );
}

/** Where and how to build. */
export interface OnlineRun {
  readonly log: Log;
  readonly topics: Topics;
  readonly settings: RunSettings;
  readonly parts: RunParts;
  readonly succession: OnlineOptions["succession"];
  readonly start: OnlineOptions["start"];
  readonly signal: AbortSignal;
}

/**
 * Builds once it is this process's turn, and switches unless the new generation predicts worse.
 *
 * @returns whether the new generation serves
 */
export async function runOnline(plan: OnlinePlan, run: OnlineRun): Promise<boolean> {
  const { serving, changes } = plan;
  const { log, topics, settings, succession, signal } = run;
  for (const change of changes) logger.info("changed: {text}", { text: valuesText(change) });
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  if (isShared(log)) logger.info("waiting: only one process at a time builds or rolls back");
  const { number, isSwitched, pauseMs } = await inTurn(log, {
    group: builderGroup(topics),
    topic: topics.generations,
    name: "rebuild",
    thread: succession.place.current.thread,
    signal,
    now: () => performance.now(),
    work: async (own) => {
      await untilSettled(succession.place.current, own); // a concurrent build would slow its start
      // Another process may have begun or finished.
      const { blueprint } = plan.generation;
      const { keepWeights, archive } = settings.flags;
      const generation = await chooseGeneration(log, topics, { serving, blueprint, keepWeights, archive });
      const { number } = generation;
      if (await servingGeneration(log, topics) !== serving) return { number, isSwitched: false, pauseMs: 0 };
      const otherwise = await weightsText(log, topics, generation, keepWeights);
      if (otherwise !== null) logger.warn("{otherwise}", { otherwise });
      logger.info("building generation {number} alongside {serving}, which serves", { number, serving });
      return { number, ...await buildOnline({ ...plan, generation }, { ...run, signal: own }) };
    },
  });
  const now = await servingGeneration(log, topics);
  logOutcome({ number, serving, now, isSwitched, pauseMs, rollBack: settings.flags.rollBack });
  if (isSwitched && succession.place.current.tasks.size === 0) {
    logger.warn("no task of generation {number} runs in this process yet: requests wait", { number });
  }
  return now !== serving;
}

export interface Outcome extends OnlineResult {
  /** Number of the generation to build. */
  readonly number: number;
  /** Generation that served before. */
  readonly serving: number;
  /** Generation that serves now. */
  readonly now: number;
  /** Whether this process was to roll back. */
  readonly rollBack?: boolean | undefined;
}

/** Logs which generation serves, and what to do. */
export function logOutcome({ number, serving, now, isSwitched, pauseMs, rollBack }: Outcome): void {
  if (isSwitched) {
    logger.info(
      "generation {number} serves, after a pause of {pauseMs} ms; generation {serving} is kept: its configuration " +
        "with --rebuild --roll-back returns to it, deno task meander rebuild --drop {serving} drops it",
      { number, serving, pauseMs: Math.round(pauseMs) },
    );
    if (rollBack) {
      logger.warn(
        "omit --roll-back from now on: with it, this process would go back to generation {number} if it restarts while " +
          "another one serves",
        { number },
      );
    }
  } else if (now === number) {
    logger.info("generation {number} serves: another process has switched to it", { number });
  } else if (now === serving) logger.warn("generation {now} keeps serving", { now });
  else {
    logger.warn(
      "generation {now} serves: another process has switched to it, so this one does not continue to {number}; start it " +
        "again to replace {now}",
      { now, number },
    );
  }
}

async function buildOnline(
  { serving, generation, newSetup: setup }: OnlinePlan,
  run: OnlineRun,
): Promise<OnlineResult> {
  const { number } = generation;
  const { log, topics, settings, parts: { memory, outputs }, succession, start, signal } = run;
  const {
    flags: { rebuildShare: share = REBUILD_SHARE, anyway, archive: archives },
    config,
    kind,
    delivery,
    snapshots,
  } = settings;
  const now = () => performance.now();
  const own = generationTopics(topics, number), before = generationTopics(topics, serving);
  const rebuild = rebuildOptions(setup.config, { ...setup, memory }, own);
  const carries = await learnerToCarry(log, topics, generation);
  const progress = new Progress(carries !== undefined);
  return await rebuildOnline(log, {
    topics,
    serving,
    generation,
    rebuild: {
      ...rebuild,
      remembers: before,
      carries,
      archives,
      roundEvents: ROUND_EVENTS,
      snapshots,
    },
    service: { delivery, surfaceTopics: config.surfaceTopics, ...outputs },
    succession,
    start,
    apart: (log, spec) =>
      new ThreadedBuild(log, spec, () => succession.place.current, {
        share,
        permissions: workerPermissions(kind.capabilities, {
          hasSnapshots: snapshots !== undefined,
          reads: archives,
        }),
        onProgress: (figures) => progress.tell(figures, figures.version),
      }),
    share: Math.min(share, SERVING_SHARE),
    lastLegMs: settle(HTTP_LIMITS, config.http).answerTimeoutMs * LAST_LEG,
    signal,
    clock: now,
    now: Date.now,
    async mayServe(gentle) {
      const comparison = await compareSamples(gentle, before, own);
      for (const text of comparisonText(comparison, { serving, number })) logger.info("{text}", { text });
      if (mayServe(comparison, setup.config.guard) || anyway) return true;
      logger.error(
        "generation {serving} keeps serving: {number} predicts worse by more than guard.margin; use --anyway to switch nevertheless",
        { serving, number },
      );
      return false;
    },
  });
}

/** Reports progress at intervals. */
class Progress {
  readonly #keepsWeights: boolean;
  #rate: BuildRate | undefined;

  constructor(keepsWeights: boolean) {
    this.#keepsWeights = keepsWeights;
  }

  tell(progress: RebuildProgress, version: number): void {
    const { done, of } = progress;
    if (this.#rate === undefined) {
      this.#rate = new BuildRate(progress);
      for (const line of droppedText(progress, this.#keepsWeights)) logger.warn("{line}", { line });
    }
    if (!this.#rate.isDue) return;
    const { perSecond: rate, secondsLeft } = this.#rate.measure(progress);
    const left = secondsLeft ?? "?";
    logger.info("{done} of {of} events, {rate} events/s, {left} s left, version {version}", {
      done,
      of,
      rate,
      left,
      version,
    });
  }
}
