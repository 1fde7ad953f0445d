/** Metrics of a service and its process, collected when Prometheus scrapes. */

import process from "node:process";
import { Gauge, type Registry } from "prom-client";
import { inspectUsers } from "../../src/users/inspection.ts";
import { TASK_COUNTERS, type TaskCounter } from "../../src/engine/task_counters.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import type { Panel } from "../../src/nn/models/core/panel.ts";
import { recordOf } from "../../src/values/record.ts";
import type { SourceLag } from "../feeders/followed_topic.ts";
import type { LearnerFigures } from "../learning/learner_figures.ts";
import type { MonitorStatus } from "../service/jobs/monitor_job.ts";
import type { Service } from "../service/service.ts";
import { tryWithin } from "./deadline.ts";
import { family, type Labels, type MetricFamily } from "./metric_family.ts";
import type { PartitionStatus, ServiceStatus } from "../service/status.ts";

/** Longest wait for the ends of the log. */
const STATUS_MS = 1000;

/** Users per partition whose recurrent state is inspected: computing one takes 0.2 ms. */
const LOOKED_AT = 20;

/** A service and its status; `null` without a service, or while the ends of the log are unavailable. */
type Scrape = { readonly service: Service; readonly status: ServiceStatus } | null;

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

const PARTITIONS: MetricFamily<Scrape, PartitionStatus> = {
  labels: ["partition"],
  read: (scrape) =>
    scrape?.status.partitions.map((status) => [{ partition: String(status.partition) }, status]) ?? [],
  metrics: {
    meander_consumer_lag: ["Events not yet committed, including holes in the log", ({ lag }) => lag],
    meander_watermark_timestamp_seconds: [
      "Event time up to which outcomes are final, seconds since the epoch",
      ({ watermark }) => watermark === null ? null : watermark / 1000,
    ],
    meander_users: ["Users held in memory as objects", ({ users }) => users],
    meander_signals_lag: [
      "Records of other partitions' signals not yet learnt, including holes in the log",
      ({ othersLag }) => othersLag,
    ],
    meander_signals_learnt_total: [
      "Signals and positives learnt from other partitions, since the task started here",
      ({ othersLearnt }) => othersLearnt,
    ],
    meander_restoring: [
      "Whether the partition is being restored; not while it waits for a version, or for room on a disk",
      ({ restore }) => restore === null ? 0 : 1,
    ],
    meander_restore_ratio: [
      "Share of its current source that a restore has read",
      ({ restore }) => restore?.share ?? null,
    ],
    meander_restore_records: [
      "Records that a restore has read from changelogs",
      ({ restore }) => restore?.records ?? null,
    ],
    meander_restore_remaining_seconds: [
      "Time until a restore has read its current source",
      ({ restore }) => restore?.secondsLeft ?? null,
    ],
    meander_snapshot_failing: [
      "Whether the newest write of the local snapshot failed",
      ({ snapshot }) => snapshot === null ? null : Number(snapshot.failure !== null),
    ],
  },
};

const LEARNER: MetricFamily<Scrape, LearnerFigures & { readonly lagSamples: number }> = {
  labels: ["model"],
  read(scrape) {
    const lagSamples = scrape?.status.learner?.lag;
    const figures = scrape?.service.learner;
    if (scrape === null || lagSamples === undefined || figures === undefined) return [];
    return [[{ model: scrape.service.serving.model }, { ...figures, lagSamples }]];
  },
  metrics: {
    meander_learner_version: ["Newest version made", ({ version }) => version],
    meander_learner_lag_samples: [
      "Samples not yet learnt, including holes in the log",
      ({ lagSamples }) => lagSamples,
    ],
    meander_learner_rows: ["Predictions evaluated since the beginning", ({ rows }) => rows],
    meander_learner_auc: ["AUC of the newest 5000 frozen predictions", ({ quality }) => quality.auc],
    meander_learner_normalized_entropy: [
      "Log loss of these predictions divided by that of the constant rate",
      ({ quality }) => quality.entropy,
    ],
    meander_learner_calibration_ratio: [
      "Sum of these predictions divided by the sum of the labels",
      ({ quality }) => quality.calibration,
    ],
    meander_learner_positive_ratio: ["Share of positives among these", ({ quality }) => quality.ctr],
    meander_learner_model_share: [
      "Share of the model in ordering lists: 0, 0.5, or 1 once it has proved that it ranks better",
      ({ modelShare }) => modelShare,
    ],
    meander_learner_failures: [
      "Batches discarded since the start because they broke the weights",
      ({ failures }) => failures,
    ],
    meander_learner_lost: [
      "Offsets of samples that the log dropped before they were learnt, since the first checkpoint",
      ({ lost }) => lost,
    ],
    meander_learner_rollbacks: [
      "Times since the start that the guard rolled back served weights",
      ({ rollbacks }) => rollbacks,
    ],
    meander_learner_held_batches: [
      "Batches since the start that were not published because the guard had tripped",
      ({ heldBatches }) => heldBatches,
    ],
  },
};

const MONITOR: MetricFamily<Scrape, MonitorStatus> = {
  read: (scrape) => withoutLabels(scrape?.status.monitor),
  metrics: {
    meander_monitor_running: ["Running experiments", ({ running }) => running],
    meander_monitor_lag: [
      "Answers and samples not yet in its figures, including holes in the log",
      ({ lag }) => lag,
    ],
    meander_monitor_stopped: [
      "Experiments that it stopped since it started here because they broke a guard rail",
      ({ stopped }) => stopped,
    ],
    meander_monitor_lost: [
      "Offsets of answers and samples that the log dropped before they were counted, since the first figures",
      ({ lost }) => lost,
    ],
  },
};

const TASKS: MetricFamily<Scrape, TaskState> = {
  labels: ["partition"],
  read: (scrape) => tasksOf(scrape).map(([partition, state]) => [{ partition }, state]),
  metrics: {
    ...recordOf(TASK_COUNTERS.map((name) => `meander_task_${snake(name)}_total`), (_, i) => {
      const name = TASK_COUNTERS[i]!;
      const help = `${COUNTER_HELP[name] ?? `Counter ${name} of the task`}, since the beginning of the log`;
      return [help, ({ counters }: TaskState) => counters[name]] as const;
    }),
    meander_retrieval_taken_total: [
      "Items that users took and for which sources were asked whether they propose them, a sample, since the process started",
      ({ retrieval }) => retrieval.sourceCounts.taken,
    ],
  },
};

/** How often items of a source were listed, and proposed before they were taken; `null` = never asked. */
interface SourceCount {
  readonly listed: number | null;
  readonly proposed: number | null;
}

const RETRIEVAL_SOURCES: MetricFamily<Scrape, SourceCount> = {
  labels: ["partition", "source"],
  read: (scrape) =>
    tasksOf(scrape).flatMap(([partition, { retrieval: { sourceCounts: { listed, proposed } } }]) =>
      [...new Set([...listed.keys(), ...proposed.keys()])].map((source) => [
        { partition, source },
        { listed: listed.get(source) ?? null, proposed: proposed.get(source) ?? null },
      ])
    ),
  metrics: {
    meander_retrieval_listed_total: [
      "Items put into answers, by the source that most favours them, since the process started",
      ({ listed }) => listed,
    ],
    meander_retrieval_proposed_total: [
      "Items counted in meander_retrieval_taken_total that the source had proposed; divided by it, the hit rate of the source",
      ({ proposed }) => proposed,
    ],
  },
};

const ORDERING: MetricFamily<Scrape, number> = {
  labels: ["partition", "part"],
  read: (scrape) =>
    tasksOf(scrape).flatMap(([partition, { retrieval }]) =>
      retrieval.orders.parts.map((part) => [{ partition, part }, 1] as const)
    ),
  metrics: {
    meander_ordering_parts: [
      'Parts that order lists under ranking "auto": 1 for each that contributes',
      (one) => one,
    ],
  },
};

const VERSION: MetricFamily<Scrape, number> = {
  labels: ["model"],
  read: (scrape) => scrape === null ? [] : [[{ model: scrape.service.serving.model }, scrape.status.version]],
  metrics: {
    meander_serving_version: ["Version of the parameters that scores here", (version) => version],
  },
};

const MEMORY: MetricFamily<Scrape, number> = {
  labels: ["part"],
  read(scrape) {
    const { heapUsed, external } = process.memoryUsage();
    const states = tasksOf(scrape).reduce((sum, [, { memory }]) => sum + memory.bytes, 0);
    return [
      [{ part: "heap" }, heapUsed],
      [{ part: "external" }, external],
      ...scrape === null ? [] : [[{ part: "states" }, states] as const],
      ...[...LEARNER.read(scrape)].map(([, { tableBytes }]) => [{ part: "embeddings" }, tableBytes] as const),
    ];
  },
  metrics: {
    meander_memory_bytes: [
      "Estimated memory by part; states and embeddings are included in heap and external",
      (bytes) => bytes,
    ],
  },
};

const STATUS: MetricFamily<Scrape, ServiceStatus> = {
  read: (scrape) => withoutLabels(scrape?.status),
  metrics: {
    meander_sources_reading: [
      "Whether this process reads the sources assigned to it",
      ({ sources }) => sources === null ? null : sources.isReading ? 1 : 0,
    ],
    meander_rebuild_failed: [
      "Whether this process's last attempt to switch to the generation that it builds failed",
      ({ rebuild }) => rebuild === null ? null : rebuild.failure === null ? 0 : 1,
    ],
  },
};

const TOPICS: MetricFamily<Scrape, Service> = {
  read: (scrape) => withoutLabels(scrape?.service),
  metrics: {
    meander_unread_partitions: [
      "Partitions that events and items have got since the process started, which no task reads",
      ({ unreadPartitions }) => unreadPartitions,
    ],
  },
};

const SOURCES: MetricFamily<Scrape, SourceLag> = {
  labels: ["source", "partition"],
  read: (scrape) =>
    scrape?.status.sources?.lags.map((lag) =>
      [{ source: lag.source, partition: String(lag.partition) }, lag] as const
    ) ?? [],
  metrics: {
    meander_source_lag_records: [
      "Records of a source's topic not yet taken in, including holes in the log, if this process takes them in",
      ({ lag }) => lag,
    ],
    meander_source_lag_seconds: ["Time since the oldest of these arrived", ({ lagMs }) => lagMs / 1000],
    meander_source_lost: [
      "Offsets of a source's topic that it dropped before they were taken in, since it was first followed",
      ({ lost }) => lost,
    ],
  },
};

const PROCESS: MetricFamily<Scrape, typeof process> = {
  read: () => withoutLabels(process),
  metrics: {
    process_resident_memory_bytes: ["Resident memory", (process) => process.memoryUsage().rss],
    process_cpu_seconds_total: ["User and system CPU time", (process) => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }],
  },
};

const FAMILIES = [
  family(PARTITIONS),
  family(TASKS),
  family(RETRIEVAL_SOURCES),
  family(ORDERING),
  family(VERSION),
  family(LEARNER),
  family(MONITOR),
  family(STATUS),
  family(TOPICS),
  family(SOURCES),
  family(MEMORY),
  family(PROCESS),
];

/** The metrics of a service and its process in a registry. */
export class ServiceGauges {
  readonly #collects: readonly ((scrape: Scrape) => void)[];
  readonly #panels: PanelGauges;

  constructor(registry: Registry) {
    this.#collects = FAMILIES.map((register) => register(registry));
    this.#panels = new PanelGauges(registry);
  }

  async collect(service: Service | undefined): Promise<void> {
    const status = service && await tryWithin(service.status(), STATUS_MS, "the lags of the service");
    const scrape = service === undefined || status === undefined ? null : { service, status };
    for (const collect of this.#collects) collect(scrape);
    this.#panels.collect(scrape);
  }
}

/** The panels of recurrent states, which depend on the model. */
class PanelGauges {
  readonly #registry: Registry;
  readonly #gauges = new Map<string, Gauge<string>>();

  /** Panels get gauges as models show them. */
  constructor(registry: Registry) {
    this.#registry = registry;
  }

  collect(scrape: Scrape): void {
    for (const gauge of this.#gauges.values()) gauge.reset();
    if (scrape === null) return;
    for (const [partition, state] of tasksOf(scrape)) {
      const inspection = inspectUsers(state.memory.newest(LOOKED_AT), scrape.service.serving, {
        stateOf: (user) => state.models.recurrentState(user),
      });
      for (const panel of inspection?.panels ?? []) this.#put(partition, panel);
    }
  }

  #put(partition: string, panel: Panel): void {
    const { name, per, values } = panel;
    const gauge = this.#gauges.get(name) ?? this.#create(panel);
    for (const [i, value] of values.entries()) {
      const labels = per === undefined ? {} : { [per]: String(i) };
      if (value !== null) gauge.set({ partition, ...labels }, value);
    }
  }

  #create({ name, about, per }: Panel): Gauge<string> {
    const gauge = new Gauge({
      name: `meander_${name}`,
      help: `${about} Means over the most recently active users`,
      labelNames: per === undefined ? ["partition"] : ["partition", per],
      registers: [this.#registry],
    });
    this.#gauges.set(name, gauge);
    return gauge;
  }
}

/** The only object that values are read from, if it exists. */
function withoutLabels<From>(from: From | null | undefined): (readonly [Labels, From])[] {
  return from === null || from === undefined ? [] : [[{}, from]];
}

/** The states of the running tasks, by partition. */
function tasksOf(scrape: Scrape): (readonly [partition: string, TaskState])[] {
  return [...scrape?.service.tasks ?? []].map(([partition, { state }]) => [String(partition), state]);
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
