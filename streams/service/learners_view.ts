/**
 * Learners and the monitor, seen from outside: what they have published, their progress, and whether they run.
 */

import { type Experiment, experimentsIn } from "../../src/assignment/experiment.ts";
import { MODEL_NAMES } from "../../src/nn/models/registry.ts";
import { PRIOR } from "../../src/serving/prior_serving.ts";
import { decodeVersion } from "../../src/serving/version.ts";
import { ExperimentRegistry } from "../experiments/registry.ts";
import { lostSamples, writerOf } from "../learning/learner_records.ts";
import type { GroupMember, Log } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { unreadable } from "../log/unreadable.ts";
import { monitorGroup, type Topics, variantTopics } from "../topics/topics.ts";
import type { Problem } from "./problem.ts";
import type { SeenDeployment } from "./topics_view.ts";

/** The learner of a model, seen from outside. */
export interface LearnerView {
  readonly model: string;
  /** Whether it belongs to the deployment's own model, not to a variant of an experiment. */
  readonly isOwn: boolean;
  /** Newest version on the log. */
  readonly version: number;
  /** Samples that are in no checkpoint yet, including holes in the log. */
  readonly lag: number;
  /** Offsets of samples that were dropped before they were learnt, by its last checkpoint. */
  readonly lost: number;
  /** The members that learn or stand by; `undefined` = unknown to the log. */
  readonly members: readonly GroupMember[] | undefined;
}

/** The learners of the deployment's own model and of variants, by the versions that they have published. */
export async function lookAtLearners(deployment: SeenDeployment): Promise<readonly LearnerView[]> {
  const { log, topics, existing } = deployment;
  const learners: LearnerView[] = [];
  const ofVariants = MODEL_NAMES.map((model) => variantTopics(topics, model).parameters);
  for (const topic of [topics.parameters, ...ofVariants]) {
    if (!existing.has(topic)) continue;
    for (const [model, version] of await newestVersions(log, topic)) {
      const isOwn = topic === topics.parameters;
      learners.push({ ...await lookAtLearner(deployment, model, version), isOwn });
    }
  }
  return learners;
}

/** Problems of models without a learner. @param wanted models that experiments use */
export function learnerProblems(
  learners: readonly LearnerView[],
  wanted: ReadonlySet<string>,
): readonly Problem[] {
  const remedyBy = (flag: string, model: string) =>
    `run a process with the role \`learner\` and ${flag} ${model}`;
  const idle = learners.filter(({ model, members, isOwn }) =>
    members?.length === 0 && (isOwn || wanted.has(model))
  );
  const missing = [...wanted].filter((model) => !learners.some((learner) => learner.model === model));
  return [
    ...idle.map(({ model, isOwn }) => ({
      what: `no learner runs for ${model}`,
      remedy: remedyBy(isOwn ? "--model" : "--variant-models", model),
    })),
    ...missing.map((model) => ({
      what: `no learner has run for ${model}, which an experiment uses`,
      remedy: remedyBy("--variant-models", model),
    })),
  ];
}

/** Problems of running experiments without a monitor. */
export async function monitorProblems(
  log: Log,
  names: Topics,
  experiments: readonly Experiment[],
): Promise<readonly Problem[]> {
  if (!experiments.some(({ status }) => status === "running")) return [];
  if ((await log.members?.(monitorGroup(names)))?.length !== 0) return [];
  return [{
    what: "no monitor watches the guard rails of experiments",
    remedy: "run a process with the role `monitor`",
  }];
}

export async function experimentsOf(log: Log, names: Topics): Promise<readonly Experiment[]> {
  return experimentsIn(await new ExperimentRegistry(log, names, { models: [], now: () => 0 }).records());
}

/** The models whose newest versions experiments give to users; a pinned version needs no learner. */
export function learntModels(experiments: readonly Experiment[]): Set<string> {
  const variants = experiments.flatMap(({ status, variants, winner }) => {
    if (status === "stopped") return [];
    return status === "running" ? variants : variants.filter(({ name }) => name === winner);
  });
  const models = variants.filter(({ version }) => typeof version !== "number").map(({ model }) => model);
  return new Set(models.filter((model) => model !== undefined).filter((model) => model !== PRIOR.model));
}

async function newestVersions(log: Log, topic: string): Promise<ReadonlyMap<string, number>> {
  const versions = new Map<string, number>();
  for await (const record of readAll(log, topic, 0)) {
    const { key, value } = record;
    if (key === null || value === null) continue;
    try {
      versions.set(key, decodeVersion(value).version);
    } catch (cause) {
      unreadable.leaveOut(record, cause, "no process serves it");
    }
  }
  return versions;
}

async function lookAtLearner(
  { log, topics, existing }: SeenDeployment,
  model: string,
  version: number,
): Promise<Omit<LearnerView, "isOwn">> {
  const { samples } = topics;
  const group = writerOf(topics, model);
  let lag = 0;
  for (let p = 0; p < (existing.get(samples)?.partitions ?? 0); p++) {
    const { start, end } = await log.bounds(samples, p);
    lag += Math.max(0, end - (await log.committed(group, samples, p) ?? start));
  }
  return {
    model,
    version,
    lag,
    lost: await lostSamples(log, topics, model),
    members: await log.members?.(group),
  };
}
