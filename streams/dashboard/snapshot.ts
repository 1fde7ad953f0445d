/** The data of a dashboard viewer: everything at first, then the changes of each second. */

import process from "node:process";
import type { CatalogueItem } from "../../src/items/catalogue.ts";
import { keysOf } from "../../src/values/record.ts";
import type { Quality } from "../learning/learner_figures.ts";
import { tryWithin } from "../http/deadline.ts";
import type { Service } from "../service/service.ts";
import { type Column, COLUMNS, type Mark, type News, type Recorder, type RejectedView } from "./recorder.ts";
import type { SeriesView } from "./series.ts";
import type { PartitionStatus, ServiceStatus } from "../service/status.ts";

/** A currently popular item. */
export interface TopItem {
  readonly item: string;
  /** Its title, for people. */
  readonly title: string | null;
  readonly categories: readonly string[];
  /** Decayed positives relative to the most popular item. */
  readonly popularity: number;
  /** Impressions with a final outcome, and the positive ones among them. */
  readonly outcomes: number;
  readonly positives: number;
}

/** A model: the deployment's own, or that of a variant. */
export interface ModelView {
  readonly model: string;
  /** Serving version; 0 = none yet. */
  readonly served: number;
  /** Newest version made; `null` where the learner is in another process. */
  readonly made: number | null;
  readonly health: string | null;
  readonly quality: Quality | null;
}

/** A candidate source, since the start of the process. */
export interface SourceView {
  readonly source: string;
  /** Slate items for which it is the strongest source. */
  readonly listed: number;
  /** Share of positives that it proposed, among those with retrieval; `null` = none. */
  readonly hitRate: number | null;
}

/** Current state of the deployment. */
export interface Snapshot {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly uptimeSeconds: number;
  readonly model: string | null;
  /** Serving version; 0 = none yet. */
  readonly served: number;
  readonly learner: {
    readonly version: number;
    readonly rows: number;
    readonly health: string;
    /** Weight of the model in the ranking. */
    readonly modelShare: number;
    readonly failures: number;
  } | null;
  readonly partitions: readonly PartitionStatus[];
  /** Counters of the local tasks, since the start of the log. */
  readonly totals: Readonly<
    Record<"events" | "requests" | "samples" | "rows" | "positives" | "rejected", number>
  >;
  readonly users: number;
  readonly items: number;
  readonly quality: Quality;
  /** Models, the deployment's own first. */
  readonly models: readonly ModelView[];
  /** Percentiles of the last minute, milliseconds. */
  readonly latency: Readonly<Record<"answer" | "score" | "commit", Percentiles>>;
  /** Bytes by part; states and embeddings are part of the others. */
  readonly memory: Readonly<Record<string, number>>;
  readonly rejectionCounts: Readonly<Record<string, number>>;
  readonly topItems: readonly TopItem[];
  /** Candidate sources in use, the most listed first. */
  readonly sources: readonly SourceView[];
  /** Names of the running experiments. */
  readonly experiments: readonly string[];
}

/** Percentiles of a duration. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** The initial data of a viewer. */
export interface Hello {
  readonly version: string;
  readonly columns: readonly Column[];
  readonly seconds: SeriesView;
  readonly minutes: SeriesView;
  readonly marks: readonly Mark[];
  readonly rejections: readonly RejectedView[];
  readonly now: Snapshot;
}

/** The changes of a second. */
export interface Tick extends News {
  readonly now: Snapshot;
}

/** Longest wait for the end offsets of the log. */
const STATUS_MS = 1000;
const TOP_ITEMS = 10;
/** Scanning a catalogue takes about 10 ns per item. */
const TOP_EVERY_MS = 5000;

/** Takes snapshots of a service. */
export class Snapshots {
  readonly #recorder: Recorder;
  readonly #service: Service | undefined;
  readonly #now: () => number;
  readonly #clock: () => number;
  readonly #started: number;
  #top: readonly TopItem[] = [];
  #topAt = -Infinity;

  /** Takes snapshots of a service, or of a process without one. */
  constructor(recorder: Recorder, service: Service | undefined, now: () => number, clock: () => number) {
    this.#recorder = recorder;
    this.#service = service;
    this.#now = now;
    this.#clock = clock;
    this.#started = clock();
  }

  async take(): Promise<Snapshot> {
    const service = this.#service;
    const recorder = this.#recorder;
    const status = recorder.status ?? await this.#status();
    const totals = { events: 0, requests: 0, samples: 0, rows: 0, positives: 0, rejected: 0 };
    let users = 0, items = 0, states = 0;
    const running = new Set<string>();
    for (const [, task] of service?.tasks ?? []) {
      const { counters, catalogue, memory, experiments } = task.state;
      for (const name of keysOf(totals)) totals[name] += counters[name];
      users += task.users.size;
      items = Math.max(items, catalogue.size);
      states += memory.bytes;
      for (const record of experiments.values()) {
        if ("status" in record && record.status === "running") running.add(record.name);
      }
    }
    const learner = service?.learner;
    const { rss, heapUsed, external } = process.memoryUsage();
    return {
      time: this.#now(),
      uptimeSeconds: Math.round((this.#clock() - this.#started) / 1000),
      model: service?.serving.model ?? null,
      served: service?.serving.version ?? 0,
      learner: learner === undefined ? null : {
        version: learner.version,
        rows: learner.rows,
        health: learner.health,
        modelShare: learner.modelShare,
        failures: learner.failures,
      },
      partitions: status?.partitions ?? [],
      totals,
      users,
      items,
      quality: recorder.quality,
      models: (service?.models ?? []).map(({ serving, learner }) => ({
        model: serving.model,
        served: serving.version,
        made: learner?.version ?? null,
        health: learner?.health ?? null,
        quality: recorder.qualities.get(serving.model) ?? null,
      })),
      latency: {
        answer: percentiles(recorder.answers),
        score: percentiles(recorder.scores),
        commit: percentiles(recorder.commits),
      },
      memory: { resident: rss, heap: heapUsed, external, states, embeddings: learner?.tableBytes ?? 0 },
      rejectionCounts: Object.fromEntries(recorder.rejectionCounts),
      topItems: this.#topItems(),
      sources: this.#sources(),
      experiments: [...running],
    };
  }

  /** State of the service; nothing while the end offsets of the log are unavailable. */
  async #status(): Promise<ServiceStatus | undefined> {
    if (this.#service === undefined) return undefined;
    return await tryWithin(this.#service.status(), STATUS_MS, "the status of the service");
  }

  /** Sums the candidate source counters of all local partitions. */
  #sources(): readonly SourceView[] {
    const listed = new Map<string, number>();
    const proposed = new Map<string, number>();
    let taken = 0;
    for (const { state: { retrieval: { sourceCounts: counts } } } of this.#service?.tasks.values() ?? []) {
      for (const [source, count] of counts.listed) listed.set(source, (listed.get(source) ?? 0) + count);
      for (const [source, count] of counts.proposed) {
        proposed.set(source, (proposed.get(source) ?? 0) + count);
      }
      taken += counts.taken;
    }
    const all = new Set([...listed.keys(), ...taken === 0 ? [] : proposed.keys()]);
    return [...all].map((source) => {
      const hits = proposed.get(source);
      return {
        source,
        listed: listed.get(source) ?? 0,
        hitRate: hits === undefined || taken === 0 ? null : hits / taken,
      };
    }).sort((a, b) => b.listed - a.listed || (b.hitRate ?? 0) - (a.hitRate ?? 0));
  }

  /** Popular items of all local partitions, with their figures summed by item. */
  #topItems(): readonly TopItem[] {
    if (this.#clock() - this.#topAt < TOP_EVERY_MS) return this.#top;
    this.#topAt = this.#clock();
    const tasks = [...this.#service?.tasks.values() ?? []];
    const all = tasks.flatMap(({ state }) => best(state.catalogue.items(), TOP_ITEMS));
    const highest = all.reduce((most, { popularity }) => Math.max(most, popularity), -Infinity);
    const found = new Map<string, TopItem>();
    for (const { id, title, categories, popularity, statistics } of all) {
      const before = found.get(id);
      found.set(id, {
        item: id,
        title,
        categories,
        popularity: (before?.popularity ?? 0) + 2 ** (popularity - highest),
        outcomes: (before?.outcomes ?? 0) + statistics.outcomes,
        positives: (before?.positives ?? 0) + statistics.positives,
      });
    }
    return this.#top = [...found.values()].sort((a, b) => b.popularity - a.popularity).slice(0, TOP_ITEMS);
  }
}

/** The `count` most popular items, in one pass. */
function best(items: Iterable<CatalogueItem>, count: number): readonly CatalogueItem[] {
  const found: CatalogueItem[] = [];
  for (const item of items) {
    if (item.popularity === -Infinity) continue;
    if (found.length === count && item.popularity <= found[count - 1]!.popularity) continue;
    let at = found.length;
    while (at > 0 && found[at - 1]!.popularity < item.popularity) at--;
    found.splice(at, 0, item);
    if (found.length > count) found.pop();
  }
  return found;
}

function percentiles(window: Recorder["answers"]): Percentiles {
  return {
    count: window.count,
    p50: window.percentile(0.5),
    p95: window.percentile(0.95),
    p99: window.percentile(0.99),
  };
}

/** The initial data of a viewer. */
export function hello(recorder: Recorder, version: string, now: Snapshot): Hello {
  const { series, marks, rejections } = recorder;
  return {
    version,
    columns: COLUMNS,
    marks,
    rejections,
    now,
    seconds: series.seconds.view(),
    minutes: series.minutes.view(),
  };
}
