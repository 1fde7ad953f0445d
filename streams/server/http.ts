/**
 * The HTTP API of a deployment, in this thread.
 *
 * @module
 */

import { serveApi } from "./api.ts";
import { type HttpOptions, openBackend } from "./backend.ts";
import type { HttpServer } from "./serve.ts";

/**
 * Starts the HTTP API of a deployment, with its dashboard at `/`.
 *
 * @returns a server; disposing of it lets requests in progress finish, then stops it
 * @throws Error when it cannot listen there
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
 * const place = { hostname: "127.0.0.1", port: 0 };
 * await using server = await startHttp({ log, service, metrics: new Metrics(topicNames()), ...place });
 *
 * const description = await fetch(`${server.url}/openapi.json`);
 * assert.match((await description.json()).openapi, /^3\.1/);
 * ```
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { hostname, port, metrics, settings = {}, keys = settings.keys ?? [] } = options;
  const backend = await openBackend(options);
  const { endpoints, context: { bodies, health, clock } } = backend;
  return await backend.serve(() =>
    serveApi(endpoints, { hostname, port, settings, keys, metrics, bodies, health, clock })
  );
}
