/**
 * The HTTP API of `run`.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { ApiKey } from "../../streams/http/contract/access.ts";
import { KEY_VARIABLE } from "../../streams/http/contract/settings.ts";
import type { HttpOptions } from "../../streams/server/backend.ts";
import { startHttp } from "../../streams/server/http.ts";
import type { HttpServer } from "../../streams/server/serve.ts";
import type { ServerThread } from "../../streams/server/thread/server_thread.ts";

const logger = getLogger(["meander", "run"]);

/** Starts the HTTP API, in its own thread if there is one, and logs who may use it. */
export async function listen(
  options: HttpOptions & { readonly keys: readonly ApiKey[] },
  thread: ServerThread | undefined,
): Promise<HttpServer> {
  const { keys, hostname } = options;
  const server = thread === undefined ? await startHttp(options) : await thread.listen(options);
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
