/**
 * Runs a deployment on a real broker through a schedule of faults while people use it, then checks that every promise
 * was kept.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import {
  type Config,
  learnerOptions,
  learningOptions,
  modelConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { type Log, LogError, type NewRecord } from "../../streams/log/log.ts";
import { monitorGroup, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import type { Delivery } from "../../streams/topics/delivery.ts";
import type { Deployment } from "./deployment.ts";
import { startExperiments } from "./experiments.ts";
import { AWAY_MS, Fleet } from "./fleet.ts";
import { unlearnt } from "./notes.ts";
import { type Brokers, oneBroker, threeBrokers, wholeAgain } from "./brokers.ts";
import { endOf, type Fault, isOfBroker } from "./schedule.ts";
import { catalogue, START, traffic } from "./traffic.ts";
import { type Verdict, verify } from "./verify.ts";

/** Options of {@linkcode runChaos}. */
export interface ChaosOptions {
  /** Seed of the traffic. */
  readonly seed: number;
  /** The faults. */
  readonly schedule: readonly Fault[];
  /** Number of events that people send. */
  readonly events: number;
  /** Number of users. */
  readonly users: number;
  /** Brokers. @default {1} */
  readonly brokers?: 1 | 3;
  /** Partitions. @default {4} */
  readonly partitions?: number;
  /** Processes with tasks. @default {2} */
  readonly tasks?: number;
  /** Processes that learn, or stand by. @default {2} */
  readonly learners?: number;
  /** Processes that monitor experiments, or stand by. @default {1} */
  readonly monitors?: number;
  /** The model. @default {"base"} */
  readonly model?: ModelName;
  /** How answers are sent. @default {"exactly-once"} */
  readonly delivery?: Delivery;
  /** For the broker's data and the output of the processes. */
  readonly folder: string;
  /** Receives progress, for people. */
  readonly tell: (line: string) => void;
}

const PREFIX = "chaos.";
/** No guard: its judgement depends on when checkpoints were taken. */
const CONFIG: Config = {
  outcomeWindowMs: 60_000,
  allowedLatenessMs: 180_000,
  batchRows: 256,
  checkpointBatches: 10,
  guard: null,
  learner: { embeddingWidth: 8 },
  kafka: { retryMs: AWAY_MS },
  snapshotVersions: null, // versions are kept for good, since all tasks serve the first one
};
const SERVED = 1;
/** Time between two appends of events. */
const APPEND_MS = 200;
/** An append that fails this often never succeeds. */
const MAX_REPEATS = 10;
/** How long without any progress is too long, after the last fault and event. */
const STUCK_MS = 120_000;

/** Runs everything; the verdict includes what the processes did wrong. */
export async function runChaos(options: ChaosOptions): Promise<Verdict> {
  const {
    folder,
    schedule,
    tell,
    tasks = 2,
    learners = 2,
    monitors = 1,
    partitions = 4,
    model = "base",
    delivery = "exactly-once",
  } = options;
  const topics = topicNames(PREFIX);
  const problems: string[] = [];
  const report = (problem: string) => {
    tell(`PROBLEM ${problem}`);
    problems.push(problem);
  };
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify(CONFIG));
  const isWhole = () => wholeAgain(log, Object.values(topics), STUCK_MS);
  await using brokers = options.brokers === 3
    ? await threeBrokers(`${folder}/kafka`, isWhole)
    : await oneBroker(`${folder}/kafka`);
  const { addresses } = brokers;
  await using log = await KafkaLog.open({ brokers: addresses, retryMs: AWAY_MS });
  await log.createTopics(topicSpecs(topics, partitions));
  const people = { seed: options.seed, events: options.events, users: options.users, partitions };
  await log.append([...catalogue(topics, people)]);
  await startExperiments(log, topics, { model, time: START });
  await using fleet = new Fleet({
    folder,
    report,
    args: (name) => [
      // Only a successor under the same name learns of a death before its session has expired.
      "--members",
      `${folder}/members/${name}`,
      "--log",
      "kafka",
      "--brokers",
      addresses.join(),
      "--prefix",
      PREFIX,
      "--model",
      model,
      "--config",
      `${folder}/meander.json`,
      "--serve-version",
      `${SERVED}`,
      "--delivery",
      delivery,
      "--snapshots",
      `${folder}/snapshots`,
      "--snapshot-interval",
      "1",
    ],
  });
  for (let n = 0; n < tasks; n++) fleet.start(`task-${n}`);
  for (let n = 0; n < learners; n++) fleet.start(`learner-${n}`);
  for (let n = 0; n < monitors; n++) fleet.start(`monitor-${n}`);
  const durationMs = endOf(schedule) + 1000;
  const started = performance.now();
  const clock = () => `${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s `;
  const suffering = schedule.map(async (fault) => {
    await delay(Math.max(0, fault.atMs - (performance.now() - started)));
    tell(`${clock()} ${fault.kind} ${fault.target} for ${(fault.lastsMs / 1000).toFixed(1)} s`);
    await suffer(fault, fleet, brokers);
  });
  const { sent, repeated } = await drive(log, [...traffic(topics, people)], durationMs);
  await Promise.all(suffering);
  tell(`${clock()} ${sent} events are sent, all faults are over`);
  const deployment = { ...deploymentOf(model), delivery, snapshotsFolder: `${folder}/snapshots` };
  if (!await settled(log, deployment, partitions)) {
    report(`no progress, and not all is done, ${STUCK_MS / 1000} s after the last fault`);
  }
  tell(`${clock()} all is done`);
  await Promise.all(fleet.names.map((name) => fleet.stop(name)));
  tell(`${clock()} all processes have stopped; checking what they left`);
  await using fresh = await KafkaLog.open({ brokers: addresses });
  const verdict = await verify(fresh, deployment);
  return {
    problems: [...problems, ...verdict.problems],
    figures: {
      ...verdict.figures,
      faults: schedule.length,
      "appends repeated": repeated,
      "processes started": fleet.started,
      "full disks noticed": fleet.fullDisks,
      "slowest stop, ms": Math.round(fleet.slowestStopMs),
      seconds: Math.round((performance.now() - started) / 1000),
    },
  };
}

/** The deployment as `deno task run` creates it from the configuration. */
function deploymentOf<N extends ModelName>(model: N): Deployment<N> {
  const task = { ...taskOptions({ schema: DEFAULT_SCHEMA }, CONFIG, model), seed: 0 };
  return {
    prefix: PREFIX,
    model,
    modelConfig: modelConfig(model, CONFIG),
    task,
    learner: learnerOptions(task, CONFIG, 0),
    learning: { ...learningOptions(CONFIG), keepRows: 20_000 },
    serveVersion: SERVED,
  };
}

/** Causes a fault; resolves when it is over. */
async function suffer(
  { kind, target, lastsMs }: Fault,
  fleet: Fleet,
  brokers: Brokers,
): Promise<void> {
  if (isOfBroker(kind)) return await brokers.suffer(kind, lastsMs);
  switch (kind) {
    case "kill":
    case "kill-monitor":
      await fleet.kill(target);
      await delay(lastsMs);
      return fleet.start(target);
    case "freeze":
      return await fleet.freeze(target, lastsMs);
    case "leave":
      await fleet.stop(target);
      await delay(lastsMs);
      return fleet.start(target);
    case "join":
      fleet.start(target);
      await delay(lastsMs);
      return await fleet.stop(target);
    case "kill-joining":
      fleet.start(target);
      await fleet.joined(target);
      await delay(lastsMs);
      return await fleet.kill(target);
    case "full-disk":
      return await fleet.fillDisk(target, lastsMs);
  }
}

/** Appends the events evenly over a period. @returns how many, and how many appends had to be repeated */
async function drive(
  log: Log,
  records: readonly NewRecord[],
  durationMs: number,
): Promise<{ readonly sent: number; readonly repeated: number }> {
  const started = performance.now();
  let sent = 0, repeated = 0;
  while (sent < records.length) {
    const due = Math.ceil(records.length * Math.min(1, (performance.now() - started) / durationMs));
    if (due > sent) repeated += await appendAtLast(log, records.slice(sent, due));
    sent = Math.max(sent, due);
    await delay(APPEND_MS);
  }
  return { sent, repeated };
}

/**
 * Appends like a client that retries on errors, which the log itself reports when a partition is away for longer than
 * brokers wait for a transaction. @returns how often it retried
 */
async function appendAtLast(log: Log, records: readonly NewRecord[]): Promise<number> {
  for (let times = 0;; times++) {
    try {
      await log.append(records);
      return times;
    } catch (error) {
      if (!(error instanceof LogError) || times === MAX_REPEATS) throw error;
    }
  }
}

/**
 * Waits until all events are committed, tasks have learnt from each other, all samples that fill a batch are learnt,
 * and their outcomes are counted.
 */
async function settled(log: Log, { model, learning }: Deployment, partitions: number): Promise<boolean> {
  const topics = topicNames(PREFIX);
  const { events, samples, recommendations } = topics;
  const lag = async (group: string, topic: string) => {
    let sum = 0;
    for (let p = 0; p < partitions; p++) {
      const { end } = await log.bounds(topic, p);
      sum += end - (await log.committed(group, topic, p) ?? 0);
    }
    return sum;
  };
  let best = Infinity;
  for (let since = performance.now(); performance.now() - since < STUCK_MS;) {
    const tasks = await lag(`${events}-tasks`, events);
    const learner = await lag(`${samples}-learner-${model}`, samples);
    const group = monitorGroup(topics);
    const monitor = await lag(group, recommendations) + await lag(group, samples);
    // A sample has at least one row, and may be followed by the marker of a transaction or by any other record.
    const isDone = tasks === 0 && learner < (learning.batchRows ?? 0) / 2 && monitor <= 2 * partitions;
    let signals = 0;
    for (let partition = 0; isDone && partition < partitions; partition++) {
      signals += await unlearnt(log, topics.signals, { partition, partitions });
    }
    if (isDone && signals === 0) return true;
    const sum = tasks + learner + monitor + signals;
    if (sum < best) [best, since] = [sum, performance.now()];
    await delay(200);
  }
  return false;
}
