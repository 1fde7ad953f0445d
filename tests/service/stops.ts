/**
 * Processes that are asked to end while their broker dies, is away, or comes back.
 *
 * ```text
 *   broker   ────────────x···········┌───────────────────
 *   task-0   ─────────│               │                     │ SIGTERM, each at another moment
 *   learner-0 ──────────────│
 *   monitor-0 ────────────────────────────│
 *   task-late               ┌──────│
 * ```
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { mulberry32 } from "../../src/draws/random.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { breadth } from "../breadth.ts";
import { Fleet } from "../chaos/fleet.ts";
import { RestartingBroker } from "../chaos/restarting_broker.ts";
import { answersOn, recordsOf, requestsOf, shopEvents, until } from "./deployment.ts";

/** Options of {@linkcode stopAround}. */
export interface StopOptions {
  /** Times that the broker dies. */
  readonly rounds: number;
  /** Seed of the moments. */
  readonly seed: number;
  /** For the broker's data and what the processes say. */
  readonly folder: string;
  /** Receives lines that tell people what happens. */
  readonly tell: (line: string) => void;
}

const PREFIX = "stops.";
const PARTITIONS = 4;
/** One or two of each role, so that a learner and a monitor stand by; and one process with all roles and a server. */
const NAMES = [
  "task-0",
  "learner-0",
  "monitor-0",
  "all-0",
  ...breadth([], ["task-1", "learner-1", "monitor-1"]),
];
/** Started while the broker comes and goes, and asked to end while they connect, join or restore. */
const LATE = ["task-late", "all-late", ...breadth([], ["learner-late", "monitor-late"])];
/** How long these live, at least and at most. */
const BRIEF_MS = [300, 5000] as const;
/** Batches and checkpoints are small, so that stops hit many commits halfway. */
const CONFIG = { batchRows: 32, checkpointBatches: 2, learner: { embeddingWidth: 8 } };
/** How long the processes of a round live before the first may be asked to end. */
const YOUNG_MS = 5000;
/** The longest time that the broker is away; it then needs seconds to come back. */
const AWAY_MS = 8000;
/** Time between the death of the broker and a SIGTERM, at least and at most. */
const EARLIEST_MS = -1000, LATEST_MS = 14_000;
const APPEND_MS = 100;

/** The outcome: what the processes did wrong, and how long the slowest took, in milliseconds. */
export interface StopVerdict {
  /** Sentences. */
  readonly problems: readonly string[];
  /** From SIGTERM to the end. */
  readonly slowestMs: number;
  /** Processes that were asked to end. */
  readonly stops: number;
}

/** Asks many processes to end; each must do so in time and with 0, and no answer may be lost or doubled. */
export async function stopAround({ rounds, seed, folder, tell }: StopOptions): Promise<StopVerdict> {
  const random = mulberry32(seed);
  const between = (low: number, high: number) => low + random() * (high - low);
  const problems: string[] = [];
  await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify(CONFIG));
  await using broker = await RestartingBroker.start(`${folder}/kafka`);
  await using log = await KafkaLog.open({ brokers: [broker.address], retryMs: 300_000 });
  await log.createTopics(topicSpecs(topicNames(PREFIX), PARTITIONS));
  const events = shopEvents(1000 * rounds, 100, seed);
  await using fleet = new Fleet({
    folder,
    report: (problem) => problems.push(problem),
    args: (name) => [
      "--log",
      "kafka",
      "--brokers",
      broker.address,
      "--prefix",
      PREFIX,
      "--model",
      "base",
      "--config",
      `${folder}/meander.json`,
      "--commit-interval",
      "10",
      "--members",
      `${folder}/members/${name}`,
      "--snapshots",
      `${folder}/snapshots/${name}`,
      ...(name.startsWith("all-") ? ["--http", "127.0.0.1:0"] : []),
    ],
  });
  const records = recordsOf(events, PREFIX);
  const each = Math.ceil(records.length * APPEND_MS / (rounds * (YOUNG_MS + LATEST_MS)));
  const over = new AbortController();
  const driving = (async () => {
    for (let sent = 0; sent < records.length; sent += each) {
      await log.append(records.slice(sent, sent + each));
      if (!over.signal.aborted) await delay(APPEND_MS, undefined, { signal: over.signal }).catch(() => {});
    }
  })();
  let stops = 0;
  const stop = async (what: string, name: string) => {
    const started = performance.now();
    await fleet.stop(name);
    stops++;
    tell(`${what}: took ${Math.round(performance.now() - started)} ms`);
  };
  for (let round = 0; round < rounds; round++) {
    for (const name of NAMES) fleet.start(name);
    await delay(YOUNG_MS);
    const dies = -EARLIEST_MS;
    const restart = delay(dies).then(() => broker.restart(between(0, AWAY_MS)));
    const stopping = NAMES.map(async (name) => {
      const afterMs = between(EARLIEST_MS, LATEST_MS);
      await delay(dies + afterMs);
      await stop(`${round} ${name} ${Math.round(afterMs)} ms after`, name);
    });
    const visiting = LATE.map(async (name) => {
      const afterMs = between(EARLIEST_MS, LATEST_MS - BRIEF_MS[1]);
      await delay(dies + afterMs);
      fleet.start(name);
      const livesMs = between(...BRIEF_MS);
      await delay(livesMs);
      await stop(`${round} ${name} ${Math.round(afterMs)} ms after, for ${Math.round(livesMs)} ms`, name);
    });
    await Promise.all([restart, ...stopping, ...visiting]);
  }
  over.abort();
  await driving;
  fleet.start("task-0");
  fleet.start("learner-0");
  const asked = requestsOf(events).sort();
  await until(async () => (await answersOn(log, PREFIX)).length >= asked.length, "all is answered");
  await Promise.all([fleet.stop("task-0"), fleet.stop("learner-0")]);
  const answered = (await answersOn(log, PREFIX)).map(({ request }) => request).sort();
  if (JSON.stringify(answered) !== JSON.stringify(asked)) {
    const once = new Set(answered).size;
    problems.push(`${asked.length} requests have ${answered.length} answers, to ${once} of them`);
  }
  return { problems, slowestMs: fleet.slowestStopMs, stops };
}
