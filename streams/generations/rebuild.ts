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
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { Learner } from "../../src/learner/learner.ts";
import { settle } from "../../src/options/option.ts";
import { type ArchivedPart, openArchived } from "../backup/archived_log.ts";
import { type CarriedWeights, carriedWeights } from "../learning/carried_weights.ts";
import { checkpointedSamples, learntBefore } from "../learning/learner_records.ts";
import { Learning } from "../learning/learning.ts";
import { LEARNING_OPTIONS } from "../learning/options.ts";
import { type Log, LogError } from "../log/log.ts";
import { layered } from "../log/metered_log.ts";
import { partitionOf } from "../log/partitioner.ts";
import type { ServiceOptions } from "../service/jobs/options.ts";
import { type LearnerSpec, makeModel, makeServingModel } from "../service/jobs/learner_job.ts";
import { tasksLog } from "../task/shared_sources.ts";
import { ownPosition, ownRecord } from "../task/inputs/inputs.ts";
import { snapshotFolder } from "../service/task_opener.ts";
import type { TaskOpening } from "../task/options.ts";
import { Task } from "../task/task.ts";
import { ROUND } from "../topics/delivery.ts";
import { readChunks } from "../topics/chunks.ts";
import { ParameterSubscriber } from "../topics/parameters.ts";
import { SampleHandover } from "../topics/sample_handover.ts";
import { type Topics, topicSpecs } from "../topics/topics.ts";
import { OwnWrites } from "./own_writes.ts";
import { positionsOf } from "./positions.ts";
import { forgetRemembered, type Remembered, rememberingLog } from "./remembered.ts";

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
/** Most bytes of its own writes that are kept to be read; at most an eighth of what user states may take. */
const KEPT_BYTES = 8 << 20;
/** Longest wait at the end of a bounded log. */
const END_WAIT_MS = 20;
/** Empty reads allowed before an end that must exist: a broker that is no longer the leader may answer like that. */
const EMPTY_READS = 100;

/** What is built. */
export interface RebuildOptions {
  /** The learner of the generation, with its own topics. */
  readonly spec: LearnerSpec;
  readonly task: TaskOptions;
  /**
   * Offsets of events up to which it is built, by task: one task per partition, or a multiple that share partitions.
   */
  readonly until: readonly number[];
  /**
   * The learner whose weights this generation starts from, matched by names of inputs; samples that it has learnt are
   * not learnt again.
   *
   * @default {it learns all samples}
   */
  readonly carries?: LearnerSpec | undefined;
  /**
   * Topics of a generation that remembers what the log has dropped: see `remembered.ts`.
   *
   * @default {it begins with what the log has}
   */
  readonly remembers?: Topics | undefined;
  /**
   * Folders of backups, from which events and answers are read that the log has dropped; those that they lack, too,
   * are remembered.
   *
   * @default {none}
   */
  readonly archives?: readonly string[] | undefined;
  /**
   * Memory for user states of all partitions, and what it has written and reads again, bytes.
   *
   * @default {see TaskRuntime.maxStateBytes, and 8 MiB}
   */
  readonly stateBytes?: number | undefined;
  /** Where the local snapshots of its tasks are. @default {it has none} */
  readonly snapshots?: ServiceOptions["snapshots"];
  /** Most events of a round. @default {4096 divided by the number of tasks, at least 1024} */
  readonly roundEvents?: number | undefined;
  /** Yields the thread between two batches. @default {a turn} */
  readonly giveWay?: (() => Promise<unknown>) | undefined;
}

/** Progress of a rebuild. */
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
    const { spec } = options;
    const { topics } = spec;
    await using open = new AsyncDisposableStack();
    const archived = open.use(await openArchived(deploymentLog, topics, options.archives ?? []));
    const source = await openBuildLog(archived.log, options);
    const { log, until } = source;
    const handover = until.length === 1 ? new SampleHandover() : undefined;
    const carried = await weightsToCarry(deploymentLog, options);
    const learning = open.use(await openBuildLearning(log, options, { carried, handover }));
    const learnt = await learntBefore(log, topics, spec.model);
    const isLearnt = learnt === null
      ? undefined
      : (offset: number, user: string) => offset < learnt[partitionOf(user, learnt.length)]!;
    const serving = makeServingModel(spec);
    const subscriber = new ParameterSubscriber(log, topics.parameters, serving);
    const learntRounds = await learning.learnLeftover();
    await subscriber.update();
    const tasks: Task[] = [];
    const starts: number[] = [];
    for (const partition of until.keys()) {
      tasks.push(open.use(await openBuildTask(source, options, { partition, serving, isLearnt, handover })));
      starts.push((await log.bounds(topics.events, partition)).start);
    }
    const { partitions } = await deploymentLog.identify(topics.events) ?? { partitions: until.length };
    const sharing = until.length / partitions;
    const { parts: archivedParts } = archived;
    const parts = { ...source, learning, tasks, subscriber, starts, sharing, learntRounds, archivedParts };
    return new Rebuild(options, { ...parts, open: open.move() });
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
      for (let next = Math.max(start, read.get(partition) ?? 0); next < end;) {
        const result = await log.read(signals, partition, next);
        for (const record of result.records) task.learnOthers(record, record.offset + 1);
        next = result.next;
        read.set(partition, next);
      }
    }
  }
}

interface BuildLog {
  /** With remembered events in place of dropped ones, and what the build has written itself in memory. */
  readonly log: Log;
  /** Where each task stops, which may move, and the log up to there. */
  readonly until: number[];
  readonly bounded: Log;
  readonly remembered: readonly Remembered[];
  /** Memory that its own writes may take, bytes. */
  readonly keptBytes: number;
}

/** The open parts of a {@linkcode Rebuild}. */
interface RebuildParts extends BuildLog {
  readonly learning: Learning;
  readonly tasks: readonly Task[];
  readonly subscriber: ParameterSubscriber;
  /** Where each task started. */
  readonly starts: readonly number[];
  /** Tasks that share a partition. */
  readonly sharing: number;
  /** What is read from backups. */
  readonly archivedParts: readonly ArchivedPart[];
  /** Rounds that the learner knows of. */
  readonly learntRounds: number;
  readonly open: AsyncDisposableStack;
}

/** Creates the topics of the generation that are missing. */
async function openBuildLog(deploymentLog: Log, options: RebuildOptions): Promise<BuildLog> {
  const { spec: { topics }, stateBytes, remembers, archives = [] } = options;
  const tasks = options.until.length;
  const sourceLog = await tasksLog(deploymentLog, topics, tasks);
  await sourceLog.createTopics(topicSpecs(topics, tasks));
  // Remembered events replace everything that the log has dropped, including since an end was noted.
  const until = await Promise.all(
    options.until.map(async (end, task) =>
      Math.max(end, (await sourceLog.bounds(topics.events, task)).start)
    ),
  );
  const { log: remembering, remembered } = remembers === undefined
    ? { log: sourceLog, remembered: [] }
    : await rememberingLog(sourceLog, { from: remembers, topics, task: options.task, tasks });
  if (archives.length > 0) await refuseMissed(remembering, topics, tasks);
  const keptBytes = Math.min(KEPT_BYTES, (stateBytes ?? Infinity) / 8);
  const own = new Set([topics.samples, topics.signals, topics.parameters]);
  const { log } = new OwnWrites(remembering, own, keptBytes);
  return { log, until, bounded: boundedLog(log, topics.events, until), remembered, keptBytes };
}

/** @throws Error when a task cannot continue where it has stopped */
async function refuseMissed(log: Log, topics: Topics, tasks: number): Promise<void> {
  for (let task = 0; task < tasks; task++) {
    const own = await ownPosition(log, topics, task);
    const { start } = await log.bounds(topics.events, task);
    if (own === null || own.next >= start) continue;
    throw new Error(
      `Cannot continue task ${task} at ${own.next} of ${topics.events}: neither the log nor the backups named by --archive ` +
        `have events before ${start}; name all backups that the build was begun with`,
    );
  }
}

/** Resumes the learner, or begins it, perhaps with weights of another one. */
async function openBuildLearning(
  log: Log,
  options: RebuildOptions,
  { carried, handover }: {
    readonly carried: CarriedWeights | null;
    readonly handover: SampleHandover | undefined;
  },
): Promise<Learning> {
  const { spec, giveWay } = options;
  const learner = new Learner(makeModel(spec), spec.learner);
  if (carried !== null) learner.carry(carried.learner);
  await using opened = new AsyncDisposableStack();
  const learning = opened.use(
    await Learning.open(log, spec.topics, learner, { ...spec.learning, handover, giveWay }),
  );
  if (carried !== null) await learning.continueFrom(carried);
  opened.move();
  return learning;
}

/** Resumes a task, or begins it. */
async function openBuildTask(
  { log, until, bounded, keptBytes }: BuildLog,
  { spec: { topics }, task: options, stateBytes, snapshots }: RebuildOptions,
  { partition, ...parts }: Pick<TaskOpening, "serving" | "isLearnt" | "handover"> & {
    readonly partition: number;
  },
): Promise<Task> {
  const { headers } = await ownRecord(log, topics, partition) ?? {};
  const round = Number(headers?.[ROUND] ?? 0);
  const task = await Task.open({
    log: bounded,
    topics,
    partition,
    options,
    ...parts,
    isAnswered: true,
    maxStateBytes: stateBytes && (stateBytes - keptBytes) / until.length,
    snapshot: snapshots &&
      { ...snapshots, folder: snapshotFolder(snapshots.folder, topics, partition) },
  });
  if (round > 0) task.buildRound = round; // a commit between rounds keeps it
  return task;
}

/** The weights that a generation starts from; `null` = it has started, or starts from scratch. */
async function weightsToCarry(
  log: Log,
  { spec, carries }: RebuildOptions,
): Promise<CarriedWeights | null> {
  if (carries === undefined) return null;
  if (await readChunks(log, spec.topics.checkpoints, spec.model) !== null) return null;
  const learner = new Learner(makeModel(carries), carries.learner);
  const { topics, learning } = carries;
  const positions = async () => (await positionsOf(log, topics)).tasks;
  return await carriedWeights(log, topics, learner, learning, positions);
}

/** The log with a topic that ends at given offsets, which may move. */
export function boundedLog(log: Log, topic: string, until: readonly number[]): Log {
  return layered(log, {
    async read(name, partition, from, options = {}) {
      if (name !== topic) return await log.read(name, partition, from, options);
      const endOf = () => until[partition] ?? 0;
      const { waitMs = 0 } = options;
      if (from >= endOf()) {
        if (waitMs > 0) await delay(Math.min(waitMs, END_WAIT_MS));
        return { records: [], next: from };
      }
      const result = await log.read(name, partition, from, {
        ...options,
        waitMs: endOf() === Infinity ? waitMs : 0,
      });
      const end = Math.max(from, endOf()); // it may have moved before `from` during the read
      if (result.next <= end) return result;
      return { ...result, records: result.records.filter(({ offset }) => offset < end), next: end };
    },
  });
}

/** Most events per round of one of this many tasks. */
function roundOf(tasks: number): number {
  return Math.max(LEAST_ROUND, Math.floor(ROUND_EVENTS / tasks));
}
