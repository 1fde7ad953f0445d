/** The HTTP API of `run`. */

import { getLogger } from "@logtape/logtape";
import { knownNames } from "../../streams/config/config.ts";
import { KEY_VARIABLE } from "../../streams/http/contract/settings.ts";
import { type HttpOptions, startHttp } from "../../streams/server/http.ts";
import type { HttpServer } from "../../streams/server/serve.ts";
import { diskShortage } from "../../streams/service/disk_room.ts";
import type { RunSettings } from "./settings.ts";

const logger = getLogger(["meander", "run"]);

/** Starts the HTTP API, if it is configured, and logs who may use it. */
export async function listen(
  { flags: { prefix }, config, http, keys, folder }: RunSettings,
  parts: Pick<HttpOptions, "log" | "service" | "metrics">,
): Promise<HttpServer | undefined> {
  if (http === undefined) return undefined;
  const server = await startHttp({
    ...parts,
    ...http,
    prefix,
    keys,
    settings: config.http ?? {},
    sources: config.sources,
    names: knownNames(config),
    checks: () => diskShortage(folder),
  });
  logger.info("HTTP at {url}, {keys}", {
    url: server.url,
    keys: keys.length === 0 ? "no key needed" : `keys ${keys.map(({ name }) => name).join(", ")}`,
  });
  if (keys.length === 0 && !/^(127\.|localhost$|::1$)/.test(http.hostname)) {
    logger.warn("anyone who can reach {url} may read and write: set http.keys, or {variable}", {
      url: server.url,
      variable: KEY_VARIABLE,
    });
  }
  return server;
}
