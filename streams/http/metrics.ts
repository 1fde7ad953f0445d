/** Prometheus metrics of a process, listed in docs/reference/metrics.md. */

import type { Recommendation } from "../../src/events/recommendation.ts";
import { Counter, Histogram, Registry } from "prom-client";
import { countOf, decodeRejection, type Rejection } from "../../src/events/rejection.ts";
import { reasonOf } from "../../src/values/reason.ts";
import type { NewRecord } from "../log/log.ts";
import { unreadable } from "../log/unreadable.ts";
import { type CommitReport, type LogObserver, sizesOf, type TopicSize } from "../log/metered_log.ts";
import type { Service } from "../service/service.ts";
import type { Topics } from "../topics/topics.ts";
import type { Limit } from "./contract/access.ts";
import type { RejectedEntry } from "./intake.ts";
import { ServiceGauges } from "./service_gauges.ts";

const LATENCY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** A failed write is forgotten after this time: a process that is not ready may get no write that could succeed. */
const FAILURE_MS = 15_000;

/** Receives measurements as they happen. Must not throw. */
export interface MetricsListener {
  /** A commit of a `task`, `learner`, `monitor` or `feeder` has succeeded after `ms` milliseconds. */
  committed(role: string, ms: number, records: readonly NewRecord[]): void;
  /** A record was written to the topic of rejections. */
  rejected(rejection: Rejection): void;
  /** A request over HTTP was answered after `ms` milliseconds. */
  answered(ms: number): void;
  /** An entry of a body was rejected. */
  rejectedOverHttp(kind: "event" | "item", code: string, reason: string): void;
}

/**
 * Prometheus metrics of one process. Pass it to a `meteredLog` as the observer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog, topicNames } from "@meander/meander";
 * import { Metrics } from "@meander/meander/http";
 * import { meteredLog } from "@meander/meander/log";
 *
 * const metrics = new Metrics(topicNames());
 * await using _log = meteredLog(new MemoryLog(), metrics);
 * metrics.answered(12);
 * assert.match(await metrics.render(), /^# HELP meander_/m);
 * ```
 */
export class Metrics implements LogObserver {
  readonly #registry: Registry = new Registry();
  readonly #topics: Topics;
  readonly #commit: Histogram<"role" | "outcome">;
  readonly #append: Histogram<"outcome">;
  readonly #records: Counter<"topic">;
  readonly #bytes: Counter<"topic">;
  readonly #rebalances: Counter<"group" | "what">;
  readonly #throttled: Counter;
  readonly #rejections: Counter<"code">;
  readonly #http: Histogram<"method" | "route" | "status">;
  readonly #answer: Histogram;
  readonly #limited: Counter<"limit">;
  readonly #httpRejections: Counter<"code">;
  readonly #taken: Counter<"kind">;
  readonly #degraded: Counter<"reason">;
  readonly #gauges: ServiceGauges;
  #service: Service | undefined;
  #failure: { readonly at: number; readonly reason: string } | null = null;
  #listener: MetricsListener | undefined;

  /** Makes the metrics of a deployment with these topics. */
  constructor(topics: Topics) {
    this.#topics = topics;
    const registers = [this.#registry];
    const seconds = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Histogram({
        name: `meander_${name}_seconds`,
        help,
        labelNames,
        buckets: LATENCY_SECONDS,
        registers,
      });
    const total = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Counter({ name: `meander_${name}_total`, help, labelNames, registers });
    this.#commit = seconds(
      "commit_duration",
      "Time of an atomic commit of outputs, states and positions",
      "role",
      "outcome",
    );
    this.#append = seconds("append_duration", "Time of an append, until it is durable", "outcome");
    this.#records = total("log_records", "Records written to the log", "topic");
    this.#bytes = total("log_bytes", "Bytes of values written to the log, uncompressed", "topic");
    this.#throttled = total("log_throttled_seconds", "Time that the brokers' quotas made the log wait");
    this.#rebalances = total(
      "rebalances",
      "Times that a group assigned partitions to this process or revoked them",
      "group",
      "what",
    );
    this.#rejections = total(
      "rejections",
      "Records, or entries of records, that this process rejected, by reason; those left out of the topic count with the next that is written",
      "code",
    );
    this.#http = seconds("http_request_duration", "Time of an HTTP request", "method", "route", "status");
    this.#answer = seconds("answer_duration", "Time from the append of a request to its committed answer");
    this.#limited = total("http_limited", "Requests over HTTP that a limit refused (429)", "limit");
    this.#taken = total("http_entries", "Events and items accepted over HTTP", "kind");
    this.#httpRejections = total("http_refusals", "Events and items refused over HTTP, by reason", "code");
    this.#degraded = total(
      "degraded_answers",
      "Answers of reduced quality, by reason",
      "reason",
    );
    new Counter({
      name: "meander_unreadable_records_total",
      help: "Unreadable records skipped since the process started",
      labelNames: ["topic"],
      registers,
      collect() {
        this.reset();
        for (const [topic, count] of unreadable.counts) this.inc({ topic }, count);
      },
    });
    this.#gauges = new ServiceGauges(this.#registry);
  }

  /** Includes the gauges of a service. */
  watch(service: Service): void {
    this.#service = service;
  }

  /** Sets the listener. */
  tell(listener: MetricsListener): void {
    this.#listener = listener;
  }

  committed(
    writer: string,
    ms: number,
    { records }: { readonly records: readonly NewRecord[] },
    ok: boolean,
  ): void {
    const { events, samples, experiments, rejected } = this.#topics;
    const roles = [[`${events}-tasks`, "task"], [`${samples}-learner`, "learner"], [experiments, "monitor"]];
    const [, role = "feeder"] = roles.find(([start = ""]) => writer.startsWith(start)) ?? [];
    this.#commit.observe({ role, outcome: ok ? "ok" : "failed" }, ms / 1000);
    if (!ok) return;
    this.#count(sizesOf(records));
    for (const { topic, value } of records) {
      if (topic !== rejected || value === null) continue;
      const rejection = decodeRejection(value);
      this.#rejections.inc({ code: rejection.code }, countOf(rejection));
      this.#listener?.rejected(rejection);
    }
    this.#listener?.committed(role, ms, records);
  }

  appended(records: readonly NewRecord[], ms: number, ok: boolean): void {
    this.#append.observe({ outcome: ok ? "ok" : "failed" }, ms / 1000);
    if (ok) this.#count(sizesOf(records));
  }

  /** Records a commit of a learner whose thread has its own log. */
  committedInThread({ ms, ok, sizes }: CommitReport): void {
    this.#commit.observe({ role: "learner", outcome: ok ? "ok" : "failed" }, ms / 1000);
    if (ok) this.#count(sizes);
  }

  failed(error: unknown): void {
    this.#failure = { at: performance.now(), reason: reasonOf(error) };
  }

  /** Why the newest write failed; `null` once another succeeds, or after 15 seconds. */
  get writeFailure(): string | null {
    if (this.#failure === null || performance.now() - this.#failure.at > FAILURE_MS) return null;
    return this.#failure.reason;
  }

  throttled(ms: number): void {
    this.#throttled.inc(ms / 1000);
  }

  rebalanced(group: string, what: "assigned" | "revoked"): void {
    this.#rebalances.inc({ group, what });
  }

  /** Records an HTTP request. @param route the pattern of its path */
  served(method: string, route: string, status: number, ms: number): void {
    this.#http.observe({ method, route, status: String(status) }, ms / 1000);
  }

  /** Counts a request that a limit refused. */
  limited(limit: Limit): void {
    this.#limited.inc({ limit });
  }

  /** Records the time of a recommendation. */
  answered(ms: number): void {
    this.#answer.observe(ms / 1000);
    this.#listener?.answered(ms);
  }

  /** Records how many entries of a body were accepted and rejected. */
  taken(kind: "event" | "item", count: number, rejected: readonly RejectedEntry[]): void {
    this.#taken.inc({ kind }, count);
    for (const { code, reason } of rejected) {
      this.#httpRejections.inc({ code });
      this.#listener?.rejectedOverHttp(kind, code, reason);
    }
  }

  /** Counts a degraded recommendation. */
  degraded(reason: NonNullable<Recommendation["degraded"]>): void {
    this.#degraded.inc({ reason });
  }

  #count(sizes: readonly TopicSize[]): void {
    this.#failure = null;
    for (const { topic, records, bytes } of sizes) {
      this.#records.inc({ topic }, records);
      this.#bytes.inc({ topic }, bytes);
    }
  }

  /** Renders all metrics in Prometheus' text format. */
  async render(): Promise<string> {
    await this.#gauges.collect(this.#service);
    return await this.#registry.metrics();
  }

  /** Content type of {@linkcode Metrics.render}. */
  get contentType(): string {
    return this.#registry.contentType;
  }
}
