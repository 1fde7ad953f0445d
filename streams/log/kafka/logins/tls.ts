/**
 * TLS with certificates that are replaced while we run: files are read again for each connection.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import type { KafkaTls } from "./security.ts";

/**
 * What `tls.connect` takes. Each field of a file reads it whenever it is asked for, which kafkajs does once for each
 * connection; where that fails, the connection does, and is tried again.
 */
export function tlsOptions({ files = {}, ...given }: KafkaTls): Omit<KafkaTls, "files"> {
  for (const [name, path] of Object.entries(files)) {
    if (path === undefined) continue;
    Object.defineProperty(given, name, { enumerable: true, get: () => readFileSync(path, "utf8") });
  }
  return given;
}
