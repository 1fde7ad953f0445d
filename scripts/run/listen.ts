/**
 * The HTTP API of `run`.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { ApiKey } from "../../streams/http/contract/access.ts";
import { KEY_VARIABLE } from "../../streams/http/contract/settings.ts";
import { type HttpOptions, startHttp } from "../../streams/server/http.ts";
import type { HttpServer } from "../../streams/server/serve.ts";

const logger = getLogger(["meander", "run"]);

/** Starts the HTTP API, and logs who may use it. */
export async function listen(
  options: HttpOptions & { readonly keys: readonly ApiKey[] },
): Promise<HttpServer> {
  const { keys, hostname } = options;
  const server = await startHttp(options);
  logger.info("HTTP at {url}, {keys}", {
    url: server.url,
    keys: keys.length === 0 ? "no key needed" : `keys ${keys.map(({ name }) => name).join(", ")}`,
  });
  if (keys.length === 0 && !/^(127\.|localhost$|::1$)/.test(hostname)) {
    logger.warn("anybody who can reach {url} may read and write: set http.keys, or {variable}", {
      url: server.url,
      variable: KEY_VARIABLE,
    });
  }
  return server;
}
