/**
 * Records what the dashboard shows: events of this process, and a point of every figure each second. Points are cheap,
 * so that there is a history before the first viewer; expensive figures are only taken for viewers.
 */

import process from "node:process";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { countOf, placeOf, type Rejection } from "../../src/events/rejection.ts";
import type { HealthChange } from "../../src/learner/guard/guard.ts";
import type { TaskCounters } from "../../src/engine/task_counters.ts";
import type { LearnerFigures, Quality } from "../learning/learner_figures.ts";
import type { NewRecord } from "../log/log.ts";
import type { MetricsListener } from "../http/metrics.ts";
import type { Service } from "../service/service.ts";
import type { Topics } from "../topics/topics.ts";
import { LatencyWindow } from "../experiments/latency.ts";
import { type Point, Series, type TimedPoint } from "./series.ts";
import type { ServiceStatus } from "../service/status.ts";

/** The figures of a point. */
export const COLUMNS = [
  "events",
  "requests",
  "samples",
  "learnt",
  "rejected",
  "lag",
  "waiting",
  "ctr",
  "auc",
  "entropy",
  "calibration",
  "answerP99",
  "scoreP99",
  "commitP99",
  "served",
  "made",
  "resident",
  "cpu",
] as const;

export type Column = typeof COLUMNS[number];

/** A change of the parameters. */
export interface Mark {
  /** Sequence number for viewers, from 1. */
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Kind: published versions, a decision of the guard, or broken weights. */
  readonly kind: "published" | "suspect" | "rolled back" | "recovering" | "healthy" | "thrown away";
  /** Newest version at that time. */
  readonly version: number;
  /** Description for people. */
  readonly about: string;
}

export interface RejectedView {
  /** Sequence number for viewers, from 1. */
  readonly id: number;
  /** Time, milliseconds since the epoch. */
  readonly time: number;
  /** Machine-readable code. */
  readonly code: string;
  /** Reason for people. */
  readonly reason: string;
  /** Its position on the log, or the API that rejected it. */
  readonly place: string;
  /** Its first bytes; empty when they were not kept. */
  readonly text: string;
}

export interface News {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly point: Point<Column>;
  /** Point of the minute that ended before it, if any. */
  readonly minute: TimedPoint<Column> | null;
  /** Changes of the parameters. */
  readonly marks: readonly Mark[];
  readonly rejections: readonly RejectedView[];
}

const NO_QUALITY: Quality = { rows: 0, ctr: null, auc: null, entropy: null, calibration: null };

/** Seconds between expensive reads while there are no viewers. */
const UNWATCHED_S = 10;
const LATENCY_S = 60;
const MAX_MARKS = 200;
const MAX_REJECTIONS = 50;
const MAX_CODES = 100;
/** Bytes shown of a rejected record; base64 has 4 characters for 3 of them. */
const TEXT_BYTES = 159;
/** Least interval between two recommendations that are decoded for their time. */
const ANSWER_EVERY_MS = 50;

const decoder = new TextDecoder();

export interface RecorderOptions {
  readonly topics: Topics;
  /** The service in this process, if any. */
  readonly service: Service | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A monotonic clock in milliseconds. */
  readonly clock: () => number;
}

export class Recorder implements MetricsListener {
  readonly series: Series<Column> = new Series(COLUMNS);
  /** Times of recommendations over HTTP, from the append of the request to the commit. */
  readonly answers: LatencyWindow = new LatencyWindow(LATENCY_S);
  /** Times to make a slate: candidates, scores, policy. Sampled. */
  readonly scores: LatencyWindow = new LatencyWindow(LATENCY_S);
  /** Times of task commits. */
  readonly commits: LatencyWindow = new LatencyWindow(LATENCY_S);
  /** Changes of the parameters, oldest first. */
  readonly marks: Mark[] = [];
  /** Rejected records, newest last. */
  readonly rejections: RejectedView[] = [];
  /** Number of rejected records by code since the start of this process. */
  readonly rejectionCounts: Map<string, number> = new Map();
  /** Quality of each model's newest predictions, as of the last read. */
  readonly qualities: Map<string, Quality> = new Map();
  readonly #options: RecorderOptions;
  #before: Readonly<Before> | undefined;
  #status: ServiceStatus | undefined;
  #seconds = 0;
  /** Last reported state of the learner, if any. */
  #seen: Seen | undefined;
  #answerReadAt = -Infinity;
  #id = 0;
  /** The last sequence number reported in a point. */
  #reported = 0;

  /** Starts without points. */
  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Quality of the newest predictions of the deployment's own model, as of the last read. */
  get quality(): Quality {
    return this.qualities.get(this.#options.service?.serving.model ?? "") ?? NO_QUALITY;
  }

  /** State of the service as of the last read. */
  get status(): ServiceStatus | undefined {
    return this.#status;
  }

  committed(role: string, ms: number, records: readonly NewRecord[]): void {
    if (role !== "task") return;
    this.commits.add(ms);
    const at = this.#options.clock();
    if (at - this.#answerReadAt < ANSWER_EVERY_MS) return;
    const { recommendations } = this.#options.topics;
    const answer = records.find(({ topic, value }) => topic === recommendations && value !== null);
    if (answer === undefined) return;
    this.#answerReadAt = at;
    const { tookMicros }: Recommendation = JSON.parse(decoder.decode(answer.value ?? undefined));
    this.scores.add(tookMicros / 1000);
  }

  answered(ms: number): void {
    this.answers.add(ms);
  }

  rejected(rejection: Rejection): void {
    const { code, reason, bytes } = rejection;
    const start = Uint8Array.fromBase64(bytes.slice(0, TEXT_BYTES / 3 * 4));
    // `stream` drops a truncated character at the end.
    const text = new TextDecoder().decode(start, { stream: true });
    this.#reject({ code, reason, place: placeOf(rejection), text }, countOf(rejection));
  }

  rejectedOverHttp(kind: "event" | "item", code: string, reason: string): void {
    this.#reject({ code, reason, place: `HTTP, ${kind}`, text: "" }, 1);
  }

  #reject(rejection: Omit<RejectedView, "time" | "id">, count: number): void {
    const { code } = rejection;
    if (this.rejectionCounts.has(code) || this.rejectionCounts.size < MAX_CODES) {
      this.rejectionCounts.set(code, (this.rejectionCounts.get(code) ?? 0) + count);
    }
    this.rejections.push({ id: ++this.#id, time: this.#options.now(), ...rejection });
    if (this.rejections.length > MAX_REJECTIONS) this.rejections.shift();
  }

  /** Records the point of a second. @param watched Whether there are viewers: then all figures are up to date. */
  async record(watched: boolean): Promise<News> {
    const { service } = this.#options;
    const fresh = watched || this.#seconds % UNWATCHED_S === 0;
    this.#seconds++;
    if (service !== undefined && fresh) await this.#look(service);
    this.#watchLearner(service?.learner);
    const before = this.#before;
    const after = this.#before = this.#measure(service);
    const seconds = before === undefined ? 0 : (after.clock - before.clock) / 1000;
    // Counters decrease when a partition leaves: the rate is then unknown.
    const rate = (name: RateName) =>
      before === undefined || seconds <= 0 || after[name] < before[name]
        ? null
        : (after[name] - before[name]) / seconds;
    const made = service?.learner?.version;
    const time = this.#options.now();
    const { quality } = this;
    const point: Point<Column> = {
      events: rate("events"),
      requests: rate("requests"),
      samples: rate("samples"),
      learnt: made === undefined ? null : rate("learnt"),
      rejected: rate("rejected"),
      lag: lagOf(this.#status),
      waiting: this.#status?.learner?.lag ?? null,
      ctr: quality.ctr,
      auc: quality.auc,
      entropy: quality.entropy,
      calibration: quality.calibration,
      answerP99: this.answers.percentile(0.99),
      scoreP99: this.scores.percentile(0.99),
      commitP99: this.commits.percentile(0.99),
      served: service?.serving.version ?? null,
      made: made ?? null,
      resident: process.memoryUsage.rss(),
      cpu: rate("cpu"),
    };
    const minute = this.series.push(time, point);
    for (const window of [this.answers, this.scores, this.commits]) window.advance();
    const reported = this.#reported;
    this.#reported = this.#id;
    const isNew = ({ id }: { readonly id: number }) => id > reported;
    return {
      time,
      point,
      minute,
      marks: this.marks.filter(isNew),
      rejections: this.rejections.filter(isNew),
    };
  }

  /** Updates the figures that need the log or a sort. */
  async #look(service: Service): Promise<void> {
    this.#status = await service.status();
    for (const { serving: { model }, learner } of service.models) {
      if (learner !== undefined) this.qualities.set(model, learner.quality);
    }
  }

  #measure(service: Service | undefined): Before {
    const { user, system } = process.cpuUsage();
    const sums = { events: 0, requests: 0, samples: 0, rejected: 0 };
    for (const [, { state: { counters } }] of service?.tasks ?? []) addCounters(sums, counters);
    return {
      ...sums,
      learnt: service?.learner?.rows ?? 0,
      cpu: (user + system) / 1e6,
      clock: this.#options.clock(),
    };
  }

  #watchLearner(learner: LearnerFigures | undefined): void {
    const seen = this.#seen;
    if (learner === undefined) {
      this.#seen = undefined;
      return;
    }
    const { version, failures, changes } = learner;
    this.#seen = { version, change: changes.at(-1), failures };
    // Versions from before the start of this process, or of the learner, have no time.
    if (seen === undefined || version < seen.version) return;
    // Compared by identity, not by count: only the newest are kept.
    const known = changes.findLastIndex(({ to, rows }) =>
      to === seen.change?.to && rows === seen.change?.rows
    );
    for (const { to, reason, version } of changes.slice(known + 1)) this.#mark(to, version, reason);
    if (failures > seen.failures) this.#mark("thrown away", version, "a batch broke the weights");
    if (version > seen.version) {
      const several = version - seen.version > 1;
      this.#mark("published", version, several ? `${seen.version + 1} to ${version}` : String(version));
    }
  }

  #mark(kind: Mark["kind"], version: number, about: string): void {
    this.marks.push({ id: ++this.#id, time: this.#options.now(), kind, version, about });
    if (this.marks.length <= MAX_MARKS) return;
    // There are thousands of versions; decisions of the guard must stay longer.
    const published = this.marks.findIndex((mark) => mark.kind === "published");
    this.marks.splice(Math.max(0, published), 1);
  }
}

/** The reported state of a learner. */
interface Seen {
  readonly version: number;
  /** The newest change of health. */
  readonly change: HealthChange | undefined;
  readonly failures: number;
}

type RateName = "events" | "requests" | "samples" | "learnt" | "rejected" | "cpu";

type Before = Record<RateName | "clock", number>;

/** Uncommitted events; `null` without partitions here. */
function lagOf(status: ServiceStatus | undefined): number | null {
  if (status === undefined || status.partitions.length === 0) return null;
  return status.partitions.reduce((sum, { lag }) => sum + lag, 0);
}

function addCounters(
  sums: Record<"events" | "requests" | "samples" | "rejected", number>,
  counters: TaskCounters,
): void {
  sums.events += counters.events;
  sums.requests += counters.requests;
  sums.samples += counters.samples;
  sums.rejected += counters.rejected;
}
