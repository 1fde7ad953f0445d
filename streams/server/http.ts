/**
 * The HTTP API of a deployment, in this thread.
 *
 * @module
 */

import { serveApi } from "./api.ts";
import { type HttpOptions, openDesk } from "./desk.ts";
import type { HttpServer } from "./serve.ts";

/** Starts the API. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { hostname, port, metrics, settings = {}, keys = settings.keys ?? [] } = options;
  const desk = await openDesk(options);
  const { endpoints, context: { bodies, health, clock } } = desk;
  return await desk.serve(() =>
    serveApi(endpoints, { hostname, port, settings, keys, metrics, bodies, health, clock })
  );
}
