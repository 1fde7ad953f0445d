/**
 * A deployment in memory with its HTTP API, to send requests to.
 *
 * @module
 */

import { knownNames } from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import type { Log } from "../../streams/log/log.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { startHttp } from "../../streams/server/http.ts";
import type { SourcesSettings } from "../../streams/mapping/source_settings.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import type { HttpSettings } from "../../streams/http/contract/settings.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { OPTIONS, recordsOf } from "../service/deployment.ts";
import type { ServiceOptions } from "../../streams/service/jobs/options.ts";

/** Time of the server, whatever the real time: a little after the small shop's first events. */
export const NOW = 1_700_000_000_000;

/** A running API. */
export interface Api extends AsyncDisposable {
  readonly url: string;
  readonly log: Log;
  readonly service: Service;
  readonly metrics: Metrics;
  /** Sends JSON, or a text or bytes as they are. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  request(path: string, init: RequestInit): Promise<Answer>;
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // deno-lint-ignore no-explicit-any -- tests look into it at will
  readonly json: any;
}

/** Sends a request, and reads its answer to the end. */
export async function ask(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const { status, headers } = response;
  const text = await response.text();
  const isJson = headers.get("content-type")?.includes("json") ?? false;
  return { status, headers, text, json: isJson ? JSON.parse(text) : undefined };
}

/** Starts a deployment of a few items whose server has these settings. */
export async function startApi(
  settings: HttpSettings = {},
  partitions = 2,
  model: Pick<ServiceOptions, "model" | "modelConfig"> & Partial<Pick<ServiceOptions, "task">> = OPTIONS,
  sources: SourcesSettings = {},
): Promise<Api> {
  const metrics = new Metrics(topicNames());
  const log = meteredLog(new MemoryLog(), metrics);
  const { model: name, modelConfig, task = OPTIONS.task } = model;
  const learning = { ...OPTIONS.learning, checkpointIntervalMs: 50 };
  const service = await Service.start(log, {
    ...OPTIONS,
    learning,
    model: name,
    modelConfig,
    task,
    partitions,
    eraseIntervalMs: 20,
  });
  await log.append(recordsOf([]));
  const server = await startHttp({
    hostname: "127.0.0.1",
    port: 0,
    log,
    service,
    metrics,
    settings: { answerTimeoutMs: 60_000, ...settings },
    sources,
    names: knownNames({}),
    now: () => NOW,
  });
  const request = (path: string, init: RequestInit) => ask(`${server.url}${path}`, init);
  return {
    url: server.url,
    log,
    service,
    metrics,
    request,
    post: (path, body, headers = {}) =>
      request(path, {
        method: "POST",
        body: typeof body === "string" || body instanceof Uint8Array
          ? body as BodyInit
          : JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    get: (path, headers = {}) => request(path, { headers }),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await service.stop();
      await log[Symbol.asyncDispose]();
    },
  };
}
