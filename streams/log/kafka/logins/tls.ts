/** TLS with certificates that are replaced while we run: files are read again for each connection. */

import { readFileSync } from "node:fs";
import type { KafkaTls } from "./security.ts";

/**
 * Options for `tls.connect`. A field that is given as a file reads the file on each access, of which kafkajs makes one
 * per connection; if that fails, so does the connection, which is retried.
 */
export function tlsOptions({ files = {}, ...given }: KafkaTls): Omit<KafkaTls, "files"> {
  for (const [name, path] of Object.entries(files)) {
    if (path === undefined) continue;
    Object.defineProperty(given, name, { enumerable: true, get: () => readFileSync(path, "utf8") });
  }
  return given;
}
