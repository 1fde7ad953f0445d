/**
 * The HTTP API of a deployment, put together: application, door, answers, server.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import type { Log } from "../log/log.ts";
import type { Service } from "../service.ts";
import { topicNames } from "../topics.ts";
import { Access, type ApiKey } from "./access.ts";
import { dashboardPages, liveEndpoint } from "../dashboard/endpoints.ts";
import { LiveFeed } from "../dashboard/live.ts";
import { Recorder } from "../dashboard/recorder.ts";
import { Snapshots } from "../dashboard/snapshot.ts";
import { doorEndpoints } from "../doors/doors.ts";
import { Answers } from "./answers.ts";
import { createApp } from "./app.ts";
import { type ApiContext, endpoints } from "./endpoints.ts";
import { experimentEndpoints } from "./experiments.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Metrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { type HttpServer, type ListenOptions, serve } from "./serve.ts";
import type { HttpSettings } from "./settings.ts";

/** Options of {@linkcode startHttp}. */
export interface HttpOptions extends ListenOptions {
  /** The log of the deployment; its topics exist. */
  readonly log: Log;
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string;
  /** The service in this process, if there is one. */
  readonly service?: Service | undefined;
  /** Measures, which also observe the log. */
  readonly metrics: Metrics;
  /** How it behaves. @default {{}} */
  readonly settings?: HttpSettings;
  /** Who is let in. @default {those of the settings} */
  readonly keys?: readonly ApiKey[];
  /** Milliseconds since the epoch. @default {Date.now} */
  readonly now?: () => number;
}

/** Largest body, unless the settings say otherwise. */
const MAX_BODY_BYTES = 8 << 20;
const MAX_ENTRIES = 10_000;
const ANSWER_TIMEOUT_MS = 2000;

/** Starts the API. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { log, prefix, service, metrics, settings = {}, now = Date.now } = options;
  const { maxBodyBytes = MAX_BODY_BYTES, maxEntries = MAX_ENTRIES, maxWaiting } = settings;
  const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = settings;
  const topics = topicNames(prefix);
  const partitions = (await log.topics()).get(topics.events)?.partitions ?? 1;
  const clock = () => performance.now();
  const answers = new Answers(log, topics, partitions, {
    timeoutMs: answerTimeoutMs,
    ...(maxWaiting === undefined ? {} : { maxWaiting }),
  });
  let stopping = false;
  const context: ApiContext = {
    ...{ log, topics, partitions, service, answers, metrics, now, clock, maxBodyBytes, maxEntries },
    answerTimeoutMs,
    isStopping: () => stopping,
  };
  if (service !== undefined) metrics.watch(service);
  const recorder = new Recorder({ topics, service, now, clock });
  metrics.tell(recorder);
  const snapshots = new Snapshots(recorder, service, now, clock);
  const live = new LiveFeed({ recorder, snapshots, version: manifest.version });
  const api = [
    ...endpoints(context),
    ...doorEndpoints(context, settings),
    liveEndpoint(live),
    ...experimentEndpoints(context),
  ];
  const app = createApp({
    endpoints: [...api, documentation(api, maxEntries), ...dashboardPages()],
    access: new Access({
      keys: options.keys ?? settings.keys ?? [],
      rateLimit: settings.rateLimit,
      now: clock,
    }),
    metrics,
    cors: settings.cors ?? [],
    clock,
  });
  const server = serve(app, options);
  const stop = async (patienceMs?: number) => {
    stopping = true;
    live[Symbol.dispose](); // or its streams would never end
    await server.stop(patienceMs);
    await answers[Symbol.asyncDispose]();
  };
  return {
    url: server.url,
    ended: server.ended,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}

/** The endpoint that describes the others, and itself. */
function documentation(api: readonly Endpoint[], maxEntries: number): Endpoint {
  const own: Endpoint = {
    method: "GET",
    path: "/openapi.json",
    id: "openapi",
    summary: "This document",
    scope: null,
    answers: { 200: { description: "OpenAPI 3.1" } },
    handle: () => new Response(document, { headers: { "content-type": "application/json" } }),
  };
  const document = JSON.stringify(openApi([...api, own], { version: manifest.version, maxEntries }));
  return own;
}
