/** Idle models: models that were once run, and whose weights may name users who were erased since. */

import { MODEL_NAMES, type ModelName } from "../../../src/nn/models/registry.ts";
import { feederPosition } from "../../topics/feeder_position.ts";
import { checkpointedSamples, writerOf } from "../../learning/learner_records.ts";
import { orderKey } from "../../learning/sample_order.ts";
import type { Log, NewRecord } from "../../log/log.ts";
import { newestOf, readAll } from "../../log/reading.ts";
import { prefixOf, variantTopics } from "../../topics/topics.ts";
import type { Deployment } from "./needed.ts";

/** An idle model with records on the log. */
export interface IdleModel {
  readonly model: ModelName;
  /** Topic of its versions; `null` = it has none. */
  readonly versions: string | null;
  readonly hasCheckpoint: boolean;
}

/** Finds the idle models that have not learnt all samples of a partition before an offset. */
export async function idleModels(
  { log, topics, models }: Pick<Deployment, "log" | "topics" | "models">,
  partition: number,
  samplesEnd: number,
): Promise<IdleModel[]> {
  const existing = await log.topics(prefixOf(topics));
  const idle: IdleModel[] = [];
  for (const model of MODEL_NAMES) {
    if (models.includes(model)) continue;
    const topic = variantTopics(topics, model).parameters;
    const { start, end } = existing.has(topic) ? await log.bounds(topic, 0) : { start: 0, end: 0 };
    // Written with each checkpoint, and cheaper to find.
    const position = await feederPosition(log, topics, writerOf(topics, model));
    const newest = position === null ? null : await newestOf(log, topics.checkpoints, 0, `${model}/0`);
    const hasCheckpoint = newest !== null && newest.value !== null;
    if (start === end && !hasCheckpoint) continue;
    const learnt = (await checkpointedSamples(log, topics, model))?.[partition] ?? 0;
    if (learnt < samplesEnd) idle.push({ model, versions: start < end ? topic : null, hasCheckpoint });
  }
  return idle;
}

/** Drops what a model has learnt: it starts from scratch when run again. Only the sole owner of a log may do this. */
export async function dropIdle(
  log: Log,
  topics: Deployment["topics"],
  { model, versions }: IdleModel,
): Promise<void> {
  if (versions !== null) await log.trim(versions, 0, (await log.bounds(versions, 0)).end);
  const keys = new Set<string>();
  for await (const { key, value } of readAll(log, topics.checkpoints, 0)) {
    if (key === null) continue;
    if (value !== null && (key.startsWith(`${model}/`) || key === orderKey(model))) keys.add(key);
    else keys.delete(key);
  }
  const gone = (topic: string, key: string): NewRecord => ({
    topic,
    partition: 0,
    key,
    value: null,
    time: 0,
  });
  await log.append([
    ...[...keys].map((key) => gone(topics.checkpoints, key)),
    gone(topics.positions, writerOf(topics, model)),
  ]);
}
