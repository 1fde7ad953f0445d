/**
 * Whether a learner learnt each committed sample once: its weights, from its last checkpoint, must equal bit for bit
 * those of a learner without faults that is given the same samples in the same order.
 *
 * @module
 */

import type { ModelName } from "../../src/nn/models/registry.ts";
import { Learner } from "../../src/learner/learner.ts";
import { decodeVersion } from "../../src/serving/version.ts";
import { Learning } from "../../streams/learning/learning.ts";
import type { Log, LogRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { decodeOrder, encodeOrder, orderKey, type Stretch } from "../../streams/learning/sample_order.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { type Deployment, modelOf } from "./deployment.ts";
import { OverlayLog } from "./overlay_log.ts";

/** Takes a sentence about something that is wrong. */
type Report = (problem: string) => void;
/** Counts something. */
type Count = (name: string, n: number) => void;

/** Checks the learner of a deployment; a checkpoint must be its last commit. */
export async function verifyLearner<N extends ModelName>(
  log: Log,
  deployment: Deployment<N>,
  report: Report,
  count: Count,
): Promise<void> {
  const topics = topicNames(deployment.prefix);
  const { samples, parameters, checkpoints } = topics;
  const partitions = (await log.topics()).get(samples)?.partitions ?? 0;
  await checkVersions(log, parameters, report, count);
  const learnt = new Array<number>(partitions);
  for (let p = 0; p < partitions; p++) {
    learnt[p] = await log.committed(`${samples}-learner-${deployment.model}`, samples, p) ?? 0;
  }
  const order = partitions === 1
    ? [{ partition: 0, end: learnt[0] ?? 0 }]
    : await wholeOrder(log, checkpoints, deployment.model);
  for (const [p, want] of learnt.entries()) {
    const end = order.findLast(({ partition }) => partition === p)?.end ?? 0;
    // The log may have a gap after the last sample.
    const isThere = ({ offset }: LogRecord) => offset >= end && offset < want;
    const left = await Array.fromAsync(readAll(log, samples, p, end), isThere);
    if (end > want || left.includes(true)) {
      report(`the order of ${samples}/${p} ends at ${end}, the learner at ${want}`);
    }
  }
  const begin = async (over: OverlayLog) => {
    await over.createTopics(topicSpecs(topics, partitions));
    const { learning } = deployment;
    return await Learning.open(over, topics, new Learner(modelOf(deployment), deployment.learner), learning);
  };
  try {
    await using last = await begin(new OverlayLog(log, Object.values(topics), true));
    // With the versions published, so that it does not start an order of its own.
    const alone = new OverlayLog(log, [samples, parameters]);
    await alone.createTopics(topicSpecs(topics, partitions));
    const key = orderKey(deployment.model);
    await alone.append([{ topic: checkpoints, partition: 0, key, value: encodeOrder(order), time: 0 }]);
    await using again = await begin(alone);
    if (partitions === 1) await again.drain();
    count("rows learnt", last.validation.judged);
    for (
      const [what, got, want] of [
        ["rows", last.validation.judged, again.validation.judged],
        ["versions", last.version, again.version],
        ["samples", last.validation.digest, again.validation.digest],
        ["weights", await digest(last.learner.encode()), await digest(again.learner.encode())],
      ] as const
    ) {
      if (got !== want) report(`the learner's ${what} are ${got}, without faults they are ${want}`);
    }
  } catch (error) {
    report(`the learner cannot be restored: ${error}`);
  }
}

/** Each version must exist once, on top of the one before it. */
async function checkVersions(log: Log, topic: string, report: Report, count: Count): Promise<void> {
  let newest = 0;
  for await (const { offset, value } of readAll(log, topic, 0)) {
    if (value === null) continue;
    const { version, predecessor, kind } = decodeVersion(value);
    const follows = newest === 0 || (version > newest && predecessor === newest);
    if (!follows && !(kind === "full" && version === newest)) {
      report(`${topic}/0@${offset} is version ${version} after ${predecessor}, behind version ${newest}`);
    }
    newest = version;
  }
  count("versions", newest);
}

/** The order in which all samples were taken, from every order on the log. */
async function wholeOrder(log: Log, topic: string, model: string): Promise<Stretch[]> {
  const whole: Stretch[] = [];
  const ends = new Map<number, number>();
  for await (const { key, value } of readAll(log, topic, 0)) {
    if (key !== orderKey(model) || value === null) continue;
    for (const stretch of decodeOrder(value)) {
      if (stretch.end <= (ends.get(stretch.partition) ?? 0)) continue;
      ends.set(stretch.partition, stretch.end);
      whole.push(stretch);
    }
  }
  return whole;
}

async function digest(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))).toHex().slice(0, 16);
}
