/** The parts of a build. Opening them creates its topics, or resumes an earlier build. */

import { Learner } from "../../../src/learner/learner.ts";
import { type ArchivedPart, openArchived } from "../../backup/archived_log.ts";
import { type CarriedWeights, carriedWeights } from "../../learning/carried_weights.ts";
import { learntBefore } from "../../learning/learner_records.ts";
import { Learning } from "../../learning/learning.ts";
import type { Log } from "../../log/log.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { makeModel, makeServingModel } from "../../service/jobs/learner_job.ts";
import { snapshotFolder } from "../../service/task_opener.ts";
import { ownPosition, ownRecord } from "../../task/inputs/inputs.ts";
import type { TaskOpening } from "../../task/options.ts";
import { tasksLog } from "../../task/shared_sources.ts";
import { Task } from "../../task/task.ts";
import { readChunks } from "../../topics/chunks.ts";
import { ROUND } from "../../topics/delivery.ts";
import { ParameterSubscriber } from "../../topics/parameters.ts";
import { SampleHandover } from "../../topics/sample_handover.ts";
import { type Topics, topicSpecs } from "../../topics/topics.ts";
import { positionsOf } from "../positions.ts";
import { boundedLog } from "./bounded_log.ts";
import type { RebuildOptions } from "./options.ts";
import { OwnWrites } from "./own_writes.ts";
import { type Remembered, rememberingLog } from "./remembered.ts";

/** Most bytes of its own writes that are kept to be read; at most an eighth of what user states may take. */
const KEPT_BYTES = 8 << 20;

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

export interface RebuildParts extends Pick<BuildLog, "log" | "until" | "remembered"> {
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

/** Creates the topics of the generation, or resumes an earlier build. */
export async function openParts(deploymentLog: Log, options: RebuildOptions): Promise<RebuildParts> {
  const { spec } = options;
  const { topics } = spec;
  await using open = new AsyncDisposableStack();
  const archived = open.use(await openArchived(deploymentLog, topics, options.archives ?? []));
  const source = await openBuildLog(archived.log, options);
  const { log, until, remembered } = source;
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
  const read = { log, until, remembered, archivedParts };
  return { ...read, learning, tasks, subscriber, starts, sharing, learntRounds, open: open.move() };
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
