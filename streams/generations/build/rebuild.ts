/**
 * Builds a generation from the events of a deployment: folds them, joins the lists that users saw with their
 * outcomes, and makes and learns samples, all under another configuration and at full speed.
 *
 * ```text
 *   events           ■■■■■■■■■■■■■■■■■■■■│            the offsets that the serving generation has committed
 *   recommendations  ■■ ■ ■■  ■ ■ ■■■ ■■ │            what users saw: requests are not answered again
 *        └─> a round of the task that is furthest behind ─> its samples are learnt ─> the next round
 *              state.g2, statistics.g2, signals.g2, samples.g2, parameters.g2, checkpoints.g2
 * ```
 *
 * Rounds are in lockstep as in a replay, and the next partition depends only on what is committed, so a build that is
 * killed at any moment resumes to the same bytes.
 */

import { isDeepStrictEqual } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { settle } from "../../../src/options/option.ts";
import type { ArchivedPart } from "../../backup/archived_log.ts";
import { checkpointedSamples } from "../../learning/learner_records.ts";
import type { Learning } from "../../learning/learning.ts";
import { LEARNING_OPTIONS } from "../../learning/options.ts";
import { type Log, LogError } from "../../log/log.ts";
import { readPages } from "../../log/reading.ts";
import { snapshotFolder } from "../../service/task_opener.ts";
import type { Task } from "../../task/task.ts";
import { END_WAIT_MS } from "./bounded_log.ts";
import type { RebuildOptions } from "./options.ts";
import { openParts, type RebuildParts } from "./rebuild_parts.ts";
import { forgetRemembered, type Remembered } from "./remembered.ts";

/**
 * Most events of a round, divided among the tasks, which learn from each other between rounds; and the least share,
 * since each round writes whole states.
 */
const ROUND_EVENTS = 4096;
const LEAST_ROUND = 1024;
/**
 * A round has one batch of samples for every this many batches learnt, at least one, up to the maximum: each round is a
 * commit and a version, and its lists are predicted by the version before it.
 */
const LEARNT_BATCHES = 16;
const ROUND_BATCHES = 16;
/** Empty reads allowed before an end that must exist: a broker that is no longer the leader may answer like that. */
const EMPTY_READS = 100;

export interface RebuildProgress {
  /** Offsets of events that are in it. */
  readonly done: number;
  /** Offsets of events that are to be in it. */
  readonly of: number;
  /** What replaces events that the log has dropped, for each task that has not passed them. */
  readonly remembered: readonly Remembered[];
  /** What is read from backups. */
  readonly archived: readonly ArchivedPart[];
}

/** A generation that is being built; nothing else may run it meanwhile. */
export class Rebuild implements AsyncDisposable {
  readonly #options: RebuildOptions;
  readonly #parts: RebuildParts;
  /** Rounds so far, of all tasks. */
  #rounds: number;
  /** Tasks that have an event, and those that have none before their end. */
  readonly #waiting = new Set<Task>();
  readonly #done = new Set<Task>();
  /** What was read of the signals of others, by task and partition. */
  readonly #others: readonly Map<number, number>[];

  private constructor(options: RebuildOptions, parts: RebuildParts) {
    this.#options = options;
    this.#parts = parts;
    this.#rounds = Math.max(parts.learntRounds, ...parts.tasks.map(({ buildRound = 0 }) => buildRound));
    this.#others = parts.tasks.map(({ others }) => new Map(others.committed));
  }

  /** Creates the topics of the generation, or resumes an earlier build. */
  static async open(deploymentLog: Log, options: RebuildOptions): Promise<Rebuild> {
    return new Rebuild(options, await openParts(deploymentLog, options));
  }

  /** The learner with its judged rows. */
  get learning(): Learning {
    return this.#parts.learning;
  }

  /** How far the build is. */
  get progress(): RebuildProgress {
    const { tasks, starts, until, sharing, remembered, archivedParts: archived } = this.#parts;
    let [done, of] = [0, 0];
    for (const [partition, task] of tasks.entries()) {
      const start = starts[partition]!, end = until[partition]!;
      done += Math.max(0, Math.min(task.next, end) - start);
      of += Math.max(0, end - start);
    }
    return {
      done: Math.floor(done / sharing),
      of: Math.floor(of / sharing),
      remembered: remembered.map((one) => ({ ...one, start: one.start / sharing })),
      archived,
    };
  }

  /** Extends the build. @param until offsets of events up to which it is then built, by task */
  extend(until: readonly number[]): void {
    for (const [partition, end] of until.entries()) this.#parts.until[partition] = end;
    this.#done.clear();
  }

  /**
   * Does a round. @returns whether there is more to do; if not, everything is committed
   *
   * @param isShort whether the learner's last checkpoint is good enough at the end. @default {false}
   */
  async step(isShort = false): Promise<boolean> {
    const { log, tasks, learning, subscriber, remembered } = this.#parts;
    const { spec, roundEvents = roundOf(tasks.length) } = this.#options;
    const task = await this.#furthestBehind();
    if (task === undefined) {
      for (const each of tasks) await each.carryErased();
      if (remembered.length > 0) await forgetRemembered(log, spec.topics);
      if (!isShort && !await this.#isCheckpointed()) await learning.checkpoint();
      return false;
    }
    await this.#learnOthers(task);
    const { batchRows } = settle(LEARNING_OPTIONS, spec.learning);
    const batches = Math.max(1, Math.min(ROUND_BATCHES, Math.floor(learning.version / LEARNT_BATCHES)));
    task.buildRound = ++this.#rounds;
    const { complete } = await task.round({ rows: batches * batchRows, events: roundEvents });
    if (!complete) await task.commit(); // it has reached its end
    await learning.learnRound();
    await subscriber.update();
    return true;
  }

  /** Copies the local snapshots of its tasks, as they are, to where those of a service are. @param to their folder */
  async copySnapshots(to: string): Promise<void> {
    const { topics } = this.#options.spec;
    for (const task of this.#parts.tasks) await task.store?.copy(snapshotFolder(to, topics, task.partition));
  }

  /** Releases everything; work that is not committed is done again. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.open.disposeAsync();
  }

  /** The task with the oldest clock among those not at their end, by what is committed. */
  async #furthestBehind(): Promise<Task | undefined> {
    let oldest: Task | undefined;
    for (const task of this.#parts.tasks) {
      if (this.#done.has(task)) continue;
      if (!this.#waiting.has(task) && !await this.#reachEvent(task)) this.#done.add(task);
      else {
        this.#waiting.add(task);
        if (oldest === undefined || task.state.maxTime < oldest.state.maxTime) oldest = task;
      }
    }
    if (oldest !== undefined) this.#waiting.delete(oldest);
    return oldest;
  }

  /** Takes a task to its next event. @returns whether there is one before its end @throws LogError `unreachable` if it has neither event nor end */
  async #reachEvent(task: Task): Promise<boolean> {
    const end = this.#parts.until[task.partition]!;
    for (let reads = 1; !await task.reachEvent(); reads++) {
      if (task.next >= end) return false;
      if (reads === EMPTY_READS) {
        const { topics: { events } } = this.#options.spec;
        throw new LogError(
          "unreachable",
          `Cannot build task ${task.partition} up to ${end} of ${events}: there is no record from ${task.next} on`,
        );
      }
      await delay(END_WAIT_MS);
    }
    return true;
  }

  /** Whether the learner's checkpoint is complete: another one would count as a state that was served for longer. */
  async #isCheckpointed(): Promise<boolean> {
    const { topics, model } = this.#options.spec;
    const positions = await checkpointedSamples(this.#parts.log, topics, model);
    return isDeepStrictEqual(positions, this.learning.positions);
  }

  /** Learns everything that the other tasks have learnt so far. */
  async #learnOthers(task: Task): Promise<void> {
    const { log, tasks } = this.#parts;
    const { signals } = this.#options.spec.topics;
    if (!task.others.isShared) return;
    const read = this.#others[task.partition]!;
    const others = tasks.filter((other) => other !== task);
    const bounds = await Promise.all(others.map(({ partition }) => log.bounds(signals, partition)));
    for (const [n, { partition }] of others.entries()) {
      const { start, end } = bounds[n]!;
      const from = Math.max(start, read.get(partition) ?? 0);
      for await (const { records, next } of readPages(log, signals, partition, { from, to: end })) {
        for (const record of records) task.learnOthers(record, record.offset + 1);
        read.set(partition, next);
      }
    }
  }
}

/** Most events per round of one of this many tasks. */
function roundOf(tasks: number): number {
  return Math.max(LEAST_ROUND, Math.floor(ROUND_EVENTS / tasks));
}
