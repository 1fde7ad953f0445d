/**
 * What a learner knew at its last checkpoint, read while it may be running, for a generation that starts from it.
 */

import { ByteReader } from "../../src/codec/byte_reader.ts";
import type { Learner } from "../../src/learner/learner.ts";
import type { Proof } from "../../src/learner/proof.ts";
import { WatchedLearner } from "../../src/learner/watched_learner.ts";
import { settle } from "../../src/options/option.ts";
import type { Log } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { readChunks } from "../topics/chunks.ts";
import { INPUT } from "../topics/delivery.ts";
import type { Topics } from "../topics/topics.ts";
import { decodeHead } from "./checkpoint_head.ts";
import { LEARNING_OPTIONS, type LearningOptions } from "./options.ts";

/** What is carried over. */
export interface CarriedWeights {
  readonly learner: Learner;
  readonly proof: Proof | null;
  /** Offsets of events, by task: it has learnt the samples of events before these. */
  readonly learntBefore: readonly number[];
}

/** Positions of its tasks in the events; called after the checkpoint was read. */
export type TaskPositions = () => Promise<readonly number[]>;

/**
 * Reads the last checkpoint of a learner. Without one, it has learnt nothing.
 *
 * @param learner a new one, with its initial weights
 */
export async function carriedWeights(
  log: Pick<Log, "identify" | "bounds" | "read">,
  topics: Topics,
  learner: Learner,
  options: LearningOptions,
  positions: TaskPositions,
): Promise<CarriedWeights> {
  const { partitions = 0 } = await log.identify(topics.samples) ?? {};
  const bytes = await readCheckpoint(log, topics.checkpoints, learner.model.name);
  if (bytes === null) return { learner, proof: null, learntBefore: new Array<number>(partitions).fill(0) };
  const watched = new WatchedLearner(learner, { ...settle(LEARNING_OPTIONS, options), recoveryBatches: 1 });
  const from = new ByteReader(bytes);
  const head = decodeHead(from);
  watched.decode(from, head);
  const learnt = Array.from({ length: partitions }, (_, task) => head.positions[task] ?? 0);
  return { learner, proof: watched.proof, learntBefore: await eventsOf(log, topics, learnt, positions) };
}

/** Reads a checkpoint that may be replaced at any moment. */
async function readCheckpoint(
  log: Pick<Log, "bounds" | "read">,
  topic: string,
  model: string,
): Promise<Uint8Array | null> {
  for (;;) {
    const { end } = await log.bounds(topic, 0);
    const [read] = await Promise.allSettled([readChunks(log, topic, model)]);
    if (read.status === "fulfilled" && read.value !== null) return read.value;
    if ((await log.bounds(topic, 0)).end > end) continue;
    if (read.status === "rejected") throw read.reason;
    return null;
  }
}

/**
 * The event of each task's first unlearnt sample. Without one, the learner has learnt the samples of all events that
 * the task had read before a second look found none either.
 */
async function eventsOf(
  log: Pick<Log, "bounds" | "read">,
  { samples }: Topics,
  learnt: readonly number[],
  positions: TaskPositions,
): Promise<readonly number[]> {
  const look = () => Promise.all(learnt.map((from, task) => eventOfNext(log, samples, task, from)));
  const before = await look();
  const read = await positions();
  const after = await look();
  return learnt.map((_, task) => before[task] ?? after[task] ?? read[task]!);
}

/** Offset of the event of the first sample from an offset on. */
async function eventOfNext(
  log: Pick<Log, "bounds" | "read">,
  samples: string,
  task: number,
  from: number,
): Promise<number | undefined> {
  const { start } = await log.bounds(samples, task);
  for await (const { headers } of readAll(log, samples, task, Math.max(start, from))) {
    const [, offset] = (headers[INPUT] ?? "").split("/");
    if (offset !== undefined) return Number(offset);
  }
  return undefined;
}
