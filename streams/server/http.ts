/**
 * The HTTP API of a deployment, in this thread.
 *
 * @module
 */

import type { Log } from "../log/log.ts";
import type { Service } from "../service/service.ts";
import type { ApiKey } from "./access.ts";
import { serveApi } from "./api.ts";
import { openDesk } from "./desk.ts";
import type { Metrics } from "./metrics.ts";
import type { HttpServer, ListenOptions } from "./serve.ts";
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
  /** More reasons why the process cannot answer, for `/ready`. @default {none} */
  readonly checks?: (() => Promise<readonly string[]>) | undefined;
  /** Milliseconds since the epoch. @default {Date.now} */
  readonly now?: () => number;
}

/** Starts the API. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { hostname, port, metrics, settings = {}, keys = settings.keys ?? [] } = options;
  const desk = await openDesk(options);
  const { endpoints, context: { bodies, health, clock } } = desk;
  return await desk.serve(() =>
    serveApi(endpoints, { hostname, port, settings, keys, metrics, bodies, health, clock })
  );
}
