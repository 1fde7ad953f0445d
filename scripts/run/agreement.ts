/** Compares the configuration of a process with the deployment on the log, for `run` and `check`. */

import { getLogger } from "@logtape/logtape";
import { setTimeout as delay } from "node:timers/promises";
import type { FormerDefaults } from "../../src/assignment/phases.ts";
import { createHead } from "../../src/features/rows/assembler.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import {
  blueprintChanges,
  blueprintOf,
  type DeploymentFlags,
  SERVICE_PROFILE,
} from "../../streams/config/blueprint.ts";
import { type Config, learnerOptions, modelConfig, taskOptions } from "../../streams/config/config.ts";
import { withKeptDefaults } from "../../streams/config/kept_defaults.ts";
import { agree, type AgreementOptions } from "../../streams/generations/agreement.ts";
import { type Change, changeText } from "../../streams/generations/changes.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { generationsOf } from "../../streams/topics/generations.ts";
import { canErase, isShared } from "../../streams/log/capabilities.ts";
import { type Log, LogError } from "../../streams/log/log.ts";
import { makeModel } from "../../streams/service/jobs/learner_job.ts";
import type { Topics } from "../../streams/topics/topics.ts";

/** Longest pause before a process that was fenced looks again. */
const LONGEST_PAUSE_MS = 1000;

const logger = getLogger(["meander", "run"]);

/** Options of the comparison of a configuration with the deployment. */
export function agreementOptions(config: Config, flags: DeploymentFlags): AgreementOptions {
  return {
    blueprint: blueprintOf(config, flags),
    changesOf: blueprintChanges,
    weights: () => weightsOf(config, flags.model, flags.seed),
  };
}

function weightsOf(config: Config, model: ModelName, seed: number): { dense: number; head: number } {
  const task = taskOptions(SERVICE_PROFILE, config, model);
  const { schema } = task;
  const learner = learnerOptions(task, config, seed);
  const made = makeModel({ model, modelConfig: modelConfig(model, config), schema, learner });
  return { dense: made.parameters.values.length, head: createHead(schema).values.length };
}

/**
 * Records how the deployment is made, or reports what is configured differently from before.
 *
 * @returns the configuration with the defaults that the deployment keeps, and the number of the generation that serves
 * @throws GenerationError when it cannot continue as configured
 */
export async function agreeOn(
  log: Log,
  topics: Topics,
  given: Config,
  flags: DeploymentFlags,
): Promise<{ readonly config: Config; readonly number: number }> {
  const { config, agreement } = await agreed(log, topics, given, flags);
  const { number, recorded, changes, isThere } = agreement;
  if (recorded === null && isThere) {
    logger.info(
      "accepting the deployment as it is, with {model} and {partitions} partitions: its options were never recorded, " +
        "so only its weights were compared; from now on, changed options are detected",
      { model: flags.model, partitions: flags.partitions },
    );
  }
  const kept = [...(await generationsOf(log, topics)).keys()].filter((one) => one !== number);
  if (kept.length > 0) {
    const how = canErase(log)
      ? "each is dropped as soon as one of its users is erased"
      : "erased users stay in them until they are dropped with deno task meander rebuild --drop <n>";
    const values = { kept: kept.join(", "), number, how };
    logger.warn("generation {number} serves; generations {kept} are kept: {how}", values);
  }
  for (const change of changes) {
    const text = changeText(change);
    const others = isShared(log) ? "; other processes keep the old value until they are restarted" : "";
    logger.info("the configuration has changed: {text}{others}", { text, others });
  }
  return { config, number };
}

/** Tells running experiments of defaults that they vary and that have changed. */
async function changeDefaults(log: Log, topics: Topics, changes: readonly Change[]): Promise<void> {
  if (await log.identify(topics.experiments) === null) return;
  const former = formerDefaults(changes);
  await new ExperimentRegistry(log, topics, { models: [], now: Date.now }).changeDefaults(former);
}

/** Former defaults of settings that variants may change, from the changed options. */
function formerDefaults(changes: readonly Change[]): FormerDefaults {
  const settings = { policy: "policy", "retrieval.maxCandidates": "maxCandidates", ranking: "retrieval" };
  return Object.fromEntries(
    changes.flatMap(({ name, before }) =>
      Object.entries(settings).filter(([option]) => name === option || name.startsWith(`${option}.`))
        .map(([, setting]) => [setting, before ?? null])
    ),
  );
}

/** Agrees; while another process records as well, one of them is fenced, and looks again. */
async function agreed(log: Log, topics: Topics, given: Config, flags: DeploymentFlags) {
  for (;;) {
    const config = await withKeptDefaults(log, topics, given);
    const options = agreementOptions(config, flags);
    const onChanges = (changes: readonly Change[]) => changeDefaults(log, topics, changes);
    try {
      return { config, agreement: await agree(log, topics, { ...options, onChanges }, Date.now()) };
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "fenced") throw error;
      await delay(Math.random() * LONGEST_PAUSE_MS); // so that they do not fence each other for ever
    }
  }
}
