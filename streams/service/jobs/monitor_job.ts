/**
 * The monitor of a service: keeps the figures of experiments, writes them down, and stops experiments that break a
 * guard rail.
 *
 * ```text
 *   figures as of some positions ──one commit──> figures, positions
 *   a guard rail is broken       ──one commit──> experiments, events (unless the experiment has changed since)
 * ```
 *
 * Experiments are judged by the written figures, even if more has been read since. After a crash between the two
 * commits the same figures are judged again; after the second commit the experiment no longer runs. So it is stopped
 * once, at the same place and for the same reason. An experiment that has changed meanwhile is judged again.
 */

import { getLogger } from "@logtape/logtape";
import { pause } from "../../log/pause.ts";
import { type Experiment, isExperiment } from "../../../src/assignment/experiment.ts";
import { ExperimentMonitor } from "../../experiments/monitor.ts";
import { ExperimentRegistry } from "../../experiments/registry.ts";
import { harmOf } from "../../experiments/views.ts";
import { type Log, LogError, type Writer } from "../../log/log.ts";
import { checkEvents } from "../../task/inputs/inputs.ts";
import { monitorGroup, type Topics } from "../../topics/topics.ts";
import type { Job } from "./worker.ts";
import type { ExperimentStatus } from "../../experiments/followed.ts";

/** Records of a step: a task in the same thread waits for it. */
const STEP_RECORDS = 32;
/** Time between checks of the log when there is nothing new. */
const IDLE_MS = 1000;
/** Time between searches for pinned versions that are no longer needed. */
const TIDY_MS = 3_600_000;

const logger = getLogger(["meander", "experiments"]);

/** The monitor of experiments, while it runs in this process. */
export interface MonitorStatus {
  /** Running experiments. */
  readonly running: number;
  /** Recommendations and samples it has not read, including holes in the log. */
  readonly lag: number;
  /** Experiments it has stopped since it started in this process. */
  readonly stopped: number;
  /** Offsets of recommendations and samples that the log dropped before they were counted. */
  readonly lost: number;
}

export interface MonitorOptions {
  /** Time between writes of the figures, milliseconds. @default {5000} */
  readonly checkpointMs?: number;
  /** Answers and samples after which figures are written at the latest. @default {4096} */
  readonly checkpointRecords?: number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/** An experiment that breaks a guard rail, and how. */
interface Harm {
  readonly experiment: Experiment;
  readonly harm: string;
}

/** Steps of a monitor, until it is released. */
export class MonitorJob implements Job {
  /** Its figures. */
  readonly monitor: ExperimentMonitor;
  readonly #experiments: ExperimentRegistry;
  readonly #writer: Writer;
  readonly #options: MonitorOptions;
  #unwritten = 0;
  #writtenAt: number;
  #tidiedAt: number;
  /** Harms in the last written figures that were not handled yet. */
  #harms: readonly Harm[];
  /** Experiments that are known to be invalid, each with its phase. */
  readonly #invalid = new Set<string>();
  /** Whether a harm is of an experiment that changed meanwhile. */
  #isOutdated = false;
  #stopped = 0;

  private constructor(
    monitor: ExperimentMonitor,
    registry: ExperimentRegistry,
    writer: Writer,
    options: MonitorOptions,
  ) {
    this.monitor = monitor;
    this.#experiments = registry;
    this.#writer = writer;
    this.#options = options;
    this.#writtenAt = this.#tidiedAt = options.now();
    this.#harms = harmsOf(monitor.status());
  }

  /** Fences any other monitor, then continues from the written figures. */
  static async open(log: Log, topics: Topics, options: MonitorOptions): Promise<MonitorJob> {
    await using opened = new AsyncDisposableStack();
    await checkEvents(log, topics);
    const writer = opened.use(await log.writer(monitorGroup(topics)));
    let time = () => 0;
    const registry = new ExperimentRegistry(log, topics, { models: [], now: () => time() });
    const monitor = await ExperimentMonitor.open(log, topics, registry);
    time = () => monitor.time; // the time of the data behind a change, as everywhere on the log
    opened.move();
    return new MonitorJob(monitor, registry, writer, options);
  }

  /** How it is doing. */
  async status(): Promise<MonitorStatus> {
    const running = [...this.monitor.records.values()].filter((record) =>
      isExperiment(record) && record.status === "running"
    );
    return {
      running: running.length,
      lag: await this.monitor.lag(),
      stopped: this.#stopped,
      lost: this.monitor.lost,
    };
  }

  async step(signal: AbortSignal): Promise<void> {
    const { now, checkpointMs = 5000, checkpointRecords = 4096 } = this.#options;
    await this.#judge();
    const read = await this.monitor.update(STEP_RECORDS);
    this.#unwritten += read;
    const isDue = this.#unwritten >= checkpointRecords || now() - this.#writtenAt >= checkpointMs;
    if (isDue || this.#isOutdated) await this.#write();
    if (now() - this.#tidiedAt >= TIDY_MS) await this.#tidy();
    if (read < STEP_RECORDS) await pause(IDLE_MS, signal);
  }

  async finish(): Promise<void> {
    await this.#write();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  async #judge(): Promise<void> {
    const harms = this.#harms;
    this.#harms = [];
    for (const one of harms) {
      const { experiment, harm } = one;
      const { name } = experiment;
      const halted = await unlessFenced(this.#experiments.halt(experiment, harm));
      if (halted === undefined) this.#harms = [...this.#harms, one]; // to be tried again
      else if (halted === null) this.#isOutdated = true;
      else {
        this.#stopped++;
        logger.warn("experiment {name} is stopped: {harm}", { name, harm });
      }
    }
  }

  /** Warns once that a running experiment is invalid, since its status may go unread. */
  #warnOf({ experiment, verdicts }: ExperimentStatus): void {
    const { name, status, phase } = experiment;
    const text = verdicts.find(({ word }) => word === "invalid")?.text;
    const key = JSON.stringify([name, phase]);
    if (status !== "running" || text === undefined || this.#invalid.has(key)) return;
    this.#invalid.add(key);
    logger.warn("experiment {name} can no longer give a result: {text}", { name, text });
  }

  async #tidy(): Promise<void> {
    this.#tidiedAt = this.#options.now();
    await unlessFenced(this.#experiments.tidy());
  }

  /** Writes the figures that have changed. */
  async #write(): Promise<void> {
    if (this.monitor.isChanged || this.#isOutdated) {
      const { positions } = this.monitor;
      const all = this.monitor.status();
      const harms = harmsOf(all);
      for (const one of all) this.#warnOf(one);
      await this.#writer.commit({
        records: this.monitor.takeChanges(),
        group: this.#writer.id,
        offsets: positions,
      });
      this.#harms = harms;
      this.#isOutdated = false;
    }
    this.#unwritten = 0;
    this.#writtenAt = this.#options.now();
  }
}

function harmsOf(all: readonly ExperimentStatus[]): Harm[] {
  return all.flatMap((status) => {
    const harm = harmOf(status);
    return harm === null ? [] : [{ experiment: status.experiment, harm }];
  });
}

/** The result of a change; `undefined` when another process changed experiments at this moment. */
async function unlessFenced<T>(change: Promise<T>): Promise<T | undefined> {
  try {
    return await change;
  } catch (error) {
    if (error instanceof LogError && error.code === "fenced") return undefined;
    throw error;
  }
}
