/**
 * Metrics of a service and its process, collected when Prometheus scrapes.
 *
 * @module
 */

import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";
import type { SourceCounts } from "../../src/retrieval/source_counts.ts";
import { inspectUsers } from "../../src/users/inspection.ts";
import { TASK_COUNTERS, type TaskCounter } from "../../src/engine/task_counters.ts";
import type { Panel } from "../../src/nn/models/core/panel.ts";
import { keysOf } from "../../src/values/record.ts";
import type { LearnerFigures } from "../learning/learner_figures.ts";
import type { Service } from "../service/service.ts";
import { tryWithin } from "./deadline.ts";
import type { PartitionStatus } from "../service/status.ts";

/** Longest wait for the ends of the log. */
const STATUS_MS = 1000;

/** Help of a task's counters whose names are not clear enough. */
const COUNTER_HELP: Partial<Record<TaskCounter, string>> = {
  events: "Events applied, without repeats",
  requests: "Requests answered",
  rejected: "Events that were written to the topic of rejections",
  duplicates: "Events and impressions that were seen before",
  tooLate: "Events that arrived after the allowed lateness",
  ahead: "Events dated later than their arrival by more than the allowed lateness",
  rows: "Shown items whose outcome is final",
  positives: "Shown items with a positive outcome",
};

/** Users per partition whose recurrent state is inspected: folding one takes 0.2 ms. */
const LOOKED_AT = 20;

const PARTITION_GAUGES = {
  consumerLag: "Events not yet committed, including holes in the log",
  watermarkTimestampSeconds: "Event time up to which outcomes are final, seconds since the epoch",
  users: "Users held in memory as objects",
  signalsLag: "Records of other partitions' signals not yet learnt, including holes in the log",
  restoring: "Whether the partition is being restored",
  restoreRatio: "Share of its current source that a restore has read",
  restoreRecords: "Records that a restore has read from changelogs",
  restoreRemainingSeconds: "Time until a restore has read its current source",
} as const;

const LEARNER_GAUGES = {
  version: "Newest version made",
  lagSamples: "Samples not yet learnt, including holes in the log",
  rows: "Predictions evaluated since the beginning",
  auc: "AUC of the newest 5000 frozen predictions",
  normalizedEntropy: "Their log loss divided by that of the constant rate",
  calibrationRatio: "Their sum divided by that of the labels",
  positiveRatio: "Share of positives among them",
  modelShare: "Share of the model in ordering lists: 0, 0.5, or 1 once it has proved that it ranks better",
  failures: "Batches discarded since the start, as they broke the weights",
  lost: "Offsets of samples that the log dropped before they were learnt, since the first checkpoint",
  rollbacks: "Times since the start that the guard rolled back served weights",
  heldBatches: "Batches since the start that were not published, as the guard did not trust them",
} as const;

const MONITOR_GAUGES = {
  running: "Running experiments",
  lag: "Answers and samples not yet in its figures, including holes in the log",
  stopped: "Experiments that it stopped since it started here, as they broke a guard rail",
  lost:
    "Offsets of answers and samples that the log dropped before they were counted, since the first figures",
} as const;

const SOURCE_COUNTERS = {
  listed: "Items put into answers, by the source that most favours them, since the process started",
  proposed: "Items taken that a source had proposed; divided by meander_retrieval_taken_total, its hit rate",
} as const;

export class ServiceGauges {
  readonly #partitions: ReadonlyMap<keyof typeof PARTITION_GAUGES, Gauge<"partition">>;
  readonly #learner: ReadonlyMap<keyof typeof LEARNER_GAUGES, Gauge<"model">>;
  readonly #monitor: ReadonlyMap<keyof typeof MONITOR_GAUGES, Gauge>;
  readonly #counters: ReadonlyMap<TaskCounter, Counter<"partition">>;
  readonly #sources: ReadonlyMap<keyof typeof SOURCE_COUNTERS, Counter<"partition" | "source">>;
  readonly #taken: Counter<"partition">;
  readonly #signals: Counter<"partition">;
  readonly #ordering: Gauge<"partition" | "part">;
  readonly #version: Gauge<"model">;
  readonly #registers: Registry[];
  /** By name of a panel, where the model shows it. */
  readonly #panels = new Map<string, Gauge<string>>();
  readonly #memory: Gauge<"part">;
  readonly #rekeyLag: Gauge;
  readonly #sourceLag: Gauge<"source" | "partition">;
  readonly #sourceLagSeconds: Gauge<"source" | "partition">;
  readonly #sourceLost: Gauge<"source" | "partition">;
  readonly #sourcesReading: Gauge;
  readonly #rebuildFailed: Gauge;
  readonly #resident: Gauge;
  readonly #cpu: Counter;

  constructor(registry: Registry) {
    const registers = this.#registers = [registry];
    const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Gauge({ name, help, labelNames, registers });
    const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Counter({ name, help, labelNames, registers });
    const gauges = <Name extends string, Label extends string>(
      start: string,
      helps: Readonly<Record<Name, string>>,
      ...labels: Label[]
    ) => new Map(entries(helps).map(([name, help]) => [name, gauge(start + snake(name), help, ...labels)]));
    this.#partitions = gauges("meander_", PARTITION_GAUGES, "partition");
    this.#learner = gauges("meander_learner_", LEARNER_GAUGES, "model");
    this.#monitor = gauges("meander_monitor_", MONITOR_GAUGES);
    this.#counters = new Map(TASK_COUNTERS.map((name) => {
      const help = `${COUNTER_HELP[name] ?? `Counter ${name} of the task`}, since the beginning of the log`;
      return [name, counter(`meander_task_${snake(name)}_total`, help, "partition")];
    }));
    this.#sources = new Map(
      entries(SOURCE_COUNTERS).map(([name, help]) => [
        name,
        counter(`meander_retrieval_${name}_total`, help, "partition", "source"),
      ]),
    );
    this.#taken = counter(
      "meander_retrieval_taken_total",
      "Items taken for which the sources had been asked, a sample, since the process started",
      "partition",
    );
    this.#signals = counter(
      "meander_signals_learnt_total",
      "Signals and positives learnt from other partitions, since the task started here",
      "partition",
    );
    this.#ordering = gauge(
      "meander_ordering_parts",
      'Parts that order lists under ranking "auto": 1 for each that contributes',
      "partition",
      "part",
    );
    this.#version = gauge("meander_serving_version", "Version of the parameters that scores here", "model");
    this.#memory = gauge(
      "meander_memory_bytes",
      "Estimated memory by part; states and embeddings are included in heap and external",
      "part",
    );
    this.#rekeyLag = gauge(
      "meander_rekey_lag",
      "Events waiting to be keyed by user, including holes in the log, if this process keys them",
    );
    this.#sourceLag = gauge(
      "meander_source_lag_records",
      "Records of a source's topic not yet taken in, including holes in the log, if this process takes them in",
      "source",
      "partition",
    );
    this.#sourceLagSeconds = gauge(
      "meander_source_lag_seconds",
      "How long ago the oldest of them arrived",
      "source",
      "partition",
    );
    this.#sourceLost = gauge(
      "meander_source_lost",
      "Offsets of a source's topic that it dropped before they were taken in, since it was first followed",
      "source",
      "partition",
    );
    this.#sourcesReading = gauge(
      "meander_sources_reading",
      "Whether this process reads the sources assigned to it",
    );
    this.#rebuildFailed = gauge(
      "meander_rebuild_failed",
      "Whether this process's last attempt to switch to the generation that it builds failed",
    );
    this.#resident = gauge("process_resident_memory_bytes", "Resident memory");
    this.#cpu = counter("process_cpu_seconds_total", "User and system CPU time");
  }

  async collect(service: Service | undefined): Promise<void> {
    this.#collectProcess();
    const own = [this.#version, this.#ordering, ...this.#panels.values()];
    for (const gauge of [...this.#partitions.values(), ...this.#learner.values(), ...own]) gauge.reset();
    const absent = [this.#rekeyLag, this.#sourcesReading, this.#rebuildFailed];
    for (const gauge of [...this.#monitor.values(), ...absent]) gauge.remove();
    for (const gauge of [this.#sourceLag, this.#sourceLagSeconds, this.#sourceLost]) gauge.reset();
    for (
      const counter of [...this.#counters.values(), ...this.#sources.values(), this.#taken, this.#signals]
    ) {
      counter.reset();
    }
    if (service === undefined) return;
    const status = await tryWithin(service.status(), STATUS_MS, "the lags of the service");
    if (status === undefined) return;
    const { partitions, version, learner, monitor, rekeyLag, sources, rebuild } = status;
    if (rebuild !== null) this.#rebuildFailed.set(rebuild.failure === null ? 0 : 1);
    if (rekeyLag !== null) this.#rekeyLag.set(rekeyLag);
    if (sources !== null) this.#sourcesReading.set(sources.isReading ? 1 : 0);
    for (const { source, partition, lag, lagMs, lost } of sources?.lags ?? []) {
      const labels = { source, partition: String(partition) };
      this.#sourceLag.set(labels, lag);
      this.#sourceLagSeconds.set(labels, lagMs / 1000);
      this.#sourceLost.set(labels, lost);
    }
    for (const [name, gauge] of this.#monitor) if (monitor !== null) gauge.set(monitor[name]);
    for (const partition of partitions) this.#collectPartition(partition);
    let states = 0;
    for (const [partition, { state }] of service.tasks) {
      states += state.memory.bytes;
      for (const [name, counter] of this.#counters) {
        counter.inc({ partition: String(partition) }, state.counters[name]);
      }
      const inspection = inspectUsers(state.memory.newest(LOOKED_AT), service.serving, {
        stateOf: (user) => state.recurrentState(user),
      });
      for (const panel of inspection?.panels ?? []) this.#collectPanel(String(partition), panel);
      this.#collectSources(String(partition), state.retrieval.sourceCounts);
      for (const part of state.retrieval.orders.parts) {
        this.#ordering.set({ partition: String(partition), part }, 1);
      }
    }
    this.#memory.set({ part: "states" }, states);
    this.#version.set({ model: service.serving.model }, version);
    const figures = service.learner;
    if (learner !== null && figures !== undefined) this.#collectLearner(service, figures, learner.lag);
  }

  #collectPanel(partition: string, { name, about, per, values }: Panel): void {
    let gauge = this.#panels.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({
        name: `meander_${name}`,
        help: `${about} Means over the most recently active users`,
        labelNames: per === undefined ? ["partition"] : ["partition", per],
        registers: this.#registers,
      });
      this.#panels.set(name, gauge);
    }
    for (const [i, value] of values.entries()) {
      if (value !== null) {
        gauge.set(per === undefined ? { partition } : { partition, [per]: String(i) }, value);
      }
    }
  }

  #collectSources(partition: string, counts: SourceCounts): void {
    this.#taken.inc({ partition }, counts.taken);
    for (const [name, counter] of this.#sources) {
      for (const [source, count] of counts[name]) counter.inc({ partition, source }, count);
    }
  }

  #collectProcess(): void {
    const { rss, heapUsed, external } = process.memoryUsage();
    this.#memory.reset();
    this.#memory.set({ part: "heap" }, heapUsed);
    this.#memory.set({ part: "external" }, external);
    this.#resident.set(rss);
    const { user, system } = process.cpuUsage();
    this.#cpu.reset();
    this.#cpu.inc((user + system) / 1e6);
  }

  #collectPartition(status: PartitionStatus): void {
    const { restore, watermark } = status;
    this.#signals.inc({ partition: String(status.partition) }, status.othersLearnt);
    const values: Record<keyof typeof PARTITION_GAUGES, number | null> = {
      consumerLag: status.lag,
      watermarkTimestampSeconds: watermark === null ? null : watermark / 1000,
      users: status.users,
      signalsLag: status.othersLag,
      restoring: status.restoring ? 1 : 0,
      restoreRatio: restore?.share ?? null,
      restoreRecords: restore?.records ?? null,
      restoreRemainingSeconds: restore?.secondsLeft ?? null,
    };
    for (const [name, value] of entries(values)) {
      if (value !== null) this.#partitions.get(name)?.set({ partition: String(status.partition) }, value);
    }
  }

  #collectLearner({ serving }: Service, learner: LearnerFigures, lagSamples: number): void {
    this.#memory.set({ part: "embeddings" }, learner.tableBytes);
    const { version, rows, modelShare, failures, lost, rollbacks, heldBatches, quality } = learner;
    const values: Record<keyof typeof LEARNER_GAUGES, number | null> = {
      version,
      lagSamples,
      rows,
      modelShare,
      failures,
      lost,
      rollbacks,
      heldBatches,
      auc: quality.auc,
      normalizedEntropy: quality.entropy,
      calibrationRatio: quality.calibration,
      positiveRatio: quality.ctr,
    };
    for (const [name, value] of entries(values)) {
      if (value !== null) this.#learner.get(name)?.set({ model: serving.model }, value);
    }
  }
}

function entries<Name extends string, Value>(of: Readonly<Record<Name, Value>>): [Name, Value][] {
  return keysOf(of).map((name) => [name, of[name]]);
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
