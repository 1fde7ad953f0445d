/**
 * What the dashboard knows: notes what happens in this process, and takes a point of every figure each second. The
 * points are cheap, so that there is a past to look at when somebody comes; what costs more waits for a viewer.
 *
 * @module
 */

import process from "node:process";
import type { Rejection } from "../../src/events/rejection.ts";
import type { HealthChange } from "../../src/learner/guard/guard.ts";
import type { TaskCounters } from "../../src/engine/task_counters.ts";
import type { LearnerFigures, Quality } from "../learning/learner_figures.ts";
import type { NewRecord } from "../log/log.ts";
import type { MetricsListener } from "../http/metrics.ts";
import type { Service, ServiceStatus } from "../service/service.ts";
import type { Topics } from "../topics/topics.ts";
import { LatencyWindow } from "../experiments/latency.ts";
import { type Point, Series, type TimedPoint } from "./series.ts";

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
  "answerP50",
  "answerP99",
  "scoreP50",
  "scoreP99",
  "commitP50",
  "commitP99",
  "served",
  "made",
  "resident",
  "cpu",
] as const;

/** One of {@linkcode COLUMNS}. */
export type Column = typeof COLUMNS[number];

/** Something that happened to the parameters. */
export interface Mark {
  /** Counts what is told to viewers, from 1. */
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** What: versions were made, or what the guard said, or weights that broke. */
  readonly kind: "published" | "suspect" | "rolled back" | "recovering" | "healthy" | "thrown away";
  /** Newest version then. */
  readonly version: number;
  /** For people. */
  readonly about: string;
}

/** Something that was not taken. */
export interface RejectedView {
  /** Counts what is told to viewers, from 1. */
  readonly id: number;
  /** When, milliseconds since the epoch. */
  readonly time: number;
  /** Why, for machines. */
  readonly code: string;
  /** Why, for people. */
  readonly reason: string;
  /** Where it stood: a place on the log, or the API that sent it back. */
  readonly place: string;
  /** How its bytes begin; empty when they were not kept. */
  readonly text: string;
}

/** What a second has brought. */
export interface News {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Its point. */
  readonly point: Point<Column>;
  /** The point of the minute that has ended before it, if one has. */
  readonly minute: TimedPoint<Column> | null;
  /** What happened to the parameters. */
  readonly marks: readonly Mark[];
  /** What was not taken. */
  readonly rejections: readonly RejectedView[];
}

const NO_QUALITY: Quality = { rows: 0, ctr: null, auc: null, entropy: null, calibration: null };

/** Seconds from one look at what costs something to the next when nobody watches. */
const UNWATCHED_S = 10;
const LATENCY_S = 60;
const MAX_MARKS = 200;
const MAX_REJECTIONS = 50;
const MAX_CODES = 100;
/** Bytes shown of what was rejections; base64 has 4 characters for 3 of them. */
const TEXT_BYTES = 159;
/** An answer is read for its time at most so often. */
const ANSWER_EVERY_MS = 50;

const decoder = new TextDecoder();

/** Options of a {@linkcode Recorder}. */
export interface RecorderOptions {
  /** The topics of the deployment. */
  readonly topics: Topics;
  /** The service in this process, if there is one. */
  readonly service: Service | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A clock in milliseconds that never goes back. */
  readonly clock: () => number;
}

/** Takes the points. */
export class Recorder implements MetricsListener {
  /** The points. */
  readonly series: Series<Column> = new Series(COLUMNS);
  /** From the append of a request to its committed answer, over HTTP. */
  readonly answers: LatencyWindow = new LatencyWindow(LATENCY_S);
  /** Making an answer: candidates, scores, policy. A sample of the answers. */
  readonly scores: LatencyWindow = new LatencyWindow(LATENCY_S);
  /** Commits of tasks. */
  readonly commits: LatencyWindow = new LatencyWindow(LATENCY_S);
  /** What happened to the parameters, oldest first. */
  readonly marks: Mark[] = [];
  /** What was not taken, newest last. */
  readonly rejections: RejectedView[] = [];
  /** How much was not taken, by code, since the start of this process. */
  readonly rejectionCounts: Map<string, number> = new Map();
  /** How good the newest predictions of each model were, as of the last look. */
  readonly qualities: Map<string, Quality> = new Map();
  readonly #options: RecorderOptions;
  #before: Readonly<Before> | undefined;
  #status: ServiceStatus | undefined;
  #seconds = 0;
  /** What was told of the learner, if there was one. */
  #seen: Seen | undefined;
  #answerReadAt = -Infinity;
  #id = 0;
  /** The last id that a point has told of. */
  #told = 0;

  /** Nothing is known yet. */
  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** How good the newest predictions of the deployment's own model were, as of the last look. */
  get quality(): Quality {
    return this.qualities.get(this.#options.service?.serving.model ?? "") ?? NO_QUALITY;
  }

  /** How the service was when it was last looked at. */
  get status(): ServiceStatus | undefined {
    return this.#status;
  }

  /** See {@linkcode MetricsListener.committed}. */
  committed(role: string, ms: number, records: readonly NewRecord[]): void {
    if (role !== "task") return;
    this.commits.add(ms);
    const at = this.#options.clock();
    if (at - this.#answerReadAt < ANSWER_EVERY_MS) return;
    const { recommendations } = this.#options.topics;
    const answer = records.find(({ topic, value }) => topic === recommendations && value !== null);
    if (answer === undefined) return;
    this.#answerReadAt = at;
    const { tookMicros } = JSON.parse(decoder.decode(answer.value ?? undefined)) as { tookMicros: number };
    this.scores.add(tookMicros / 1000);
  }

  /** See {@linkcode MetricsListener.answered}. */
  answered(ms: number): void {
    this.answers.add(ms);
  }

  /** See {@linkcode MetricsListener.rejected}. */
  rejected(rejection: Rejection): void {
    const { code, reason, bytes } = rejection;
    const place = "topic" in rejection
      ? `${rejection.topic}/${rejection.partition}@${rejection.offset}`
      : `${rejection.file}:${rejection.line}`;
    const start = Uint8Array.fromBase64(bytes.slice(0, TEXT_BYTES / 3 * 4));
    // As of a stream: a character that is cut at the end is left out.
    this.#reject({ code, reason, place, text: new TextDecoder().decode(start, { stream: true }) });
  }

  /** See {@linkcode MetricsListener.rejectedOverHttp}. */
  rejectedOverHttp(kind: "event" | "item", code: string, reason: string): void {
    this.#reject({ code, reason, place: `HTTP, ${kind}`, text: "" });
  }

  #reject(rejection: Omit<RejectedView, "time" | "id">): void {
    const { code } = rejection;
    if (this.rejectionCounts.has(code) || this.rejectionCounts.size < MAX_CODES) {
      this.rejectionCounts.set(code, (this.rejectionCounts.get(code) ?? 0) + 1);
    }
    this.rejections.push({ id: ++this.#id, time: this.#options.now(), ...rejection });
    if (this.rejections.length > MAX_REJECTIONS) this.rejections.shift();
  }

  /** Takes the point of a second. @param watched Whether somebody looks: then nothing is older than the point. */
  async record(watched: boolean): Promise<News> {
    const { service } = this.#options;
    const fresh = watched || this.#seconds % UNWATCHED_S === 0;
    this.#seconds++;
    if (service !== undefined && fresh) await this.#look(service);
    this.#watchLearner(service?.learner);
    const before = this.#before;
    const after = this.#before = this.#measure(service);
    const seconds = before === undefined ? 0 : (after.clock - before.clock) / 1000;
    // Counters go down when a partition leaves: then nothing is known of the rate.
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
      answerP50: this.answers.percentile(0.5),
      answerP99: this.answers.percentile(0.99),
      scoreP50: this.scores.percentile(0.5),
      scoreP99: this.scores.percentile(0.99),
      commitP50: this.commits.percentile(0.5),
      commitP99: this.commits.percentile(0.99),
      served: service?.serving.version ?? null,
      made: made ?? null,
      resident: process.memoryUsage.rss(),
      cpu: rate("cpu"),
    };
    const minute = this.series.push(time, point);
    for (const window of [this.answers, this.scores, this.commits]) window.advance();
    const told = this.#told;
    this.#told = this.#id;
    const isNew = ({ id }: { readonly id: number }) => id > told;
    return {
      time,
      point,
      minute,
      marks: this.marks.filter(isNew),
      rejections: this.rejections.filter(isNew),
    };
  }

  /** What asks the log or sorts. */
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
    // What it had done before we came, or before it began anew, has no time.
    if (seen === undefined || version < seen.version) return;
    // By themselves, not by their number: only the newest are kept.
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
    // Versions come by the thousand; what the guard did should stay for long.
    const published = this.marks.findIndex((mark) => mark.kind === "published");
    this.marks.splice(Math.max(0, published), 1);
  }
}

/** What was told of a learner already. */
interface Seen {
  readonly version: number;
  /** The newest change of health. */
  readonly change: HealthChange | undefined;
  readonly failures: number;
}

type RateName = "events" | "requests" | "samples" | "learnt" | "rejected" | "cpu";

type Before = Record<RateName | "clock", number>;

/** Events that are not committed; `null` when there is no partition here. */
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
