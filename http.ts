/**
 * The HTTP API of a deployment with its dashboard, its Prometheus metrics, and a client for its experiments.
 * Endpoints and answers are described by the API itself, at `/openapi.json`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { DEFAULT_SCHEMA, MemoryLog, Service, topicNames } from "@meander/meander";
 * import { Metrics, startHttp } from "@meander/meander/http";
 *
 * await using log = new MemoryLog();
 * await using service = await Service.start(log, {
 *   model: "base",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 * const metrics = new Metrics(topicNames());
 * await using server = await startHttp({ log, service, metrics, hostname: "127.0.0.1", port: 0 });
 *
 * const answer = await fetch(`${server.url}/health`);
 * assert.equal(answer.status, 200);
 * await answer.body?.cancel();
 * ```
 *
 * @module
 */

// The server.
export { type HttpOptions, startHttp } from "./streams/server/http.ts";
export type { ConfiguredNames } from "./src/mapping/name_check.ts";
export type { HttpServer, ListenOptions } from "./streams/server/serve.ts";
export type { HttpLimits } from "./streams/http/contract/limits.ts";
export { type ApiKey, type RateLimit, type Scope, SCOPES } from "./streams/http/contract/access.ts";
export { type Door, DOORS, type GorseSettings, type HttpSettings } from "./streams/http/contract/settings.ts";

// Its metrics.
export { Metrics, type MetricsListener } from "./streams/http/metrics.ts";
export type { Limit } from "./streams/http/contract/access.ts";
export type { RejectedEntry } from "./streams/http/intake.ts";

// A client for experiments.
export { ExperimentClient, type ExperimentClientOptions } from "./streams/experiments/client.ts";
export type { ExperimentChanges } from "./streams/experiments/registry.ts";
export type {
  ExperimentsView,
  ExperimentView,
  LiftView,
  SegmentView,
  SplitView,
  VariantView,
} from "./streams/experiments/views.ts";
export type { LatencyView, OrderShares } from "./streams/experiments/followed.ts";
