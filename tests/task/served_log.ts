/**
 * A thread with a SQLite log, which it serves to the port that it is sent.
 *
 * @module
 */

import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { serveLog } from "../../streams/log/threads/serve_log.ts";

self.addEventListener("message", async (event) => {
  const { path, port } = (event as MessageEvent).data; // the library types `self` as a window's
  serveLog(await SqliteLog.open(path), port);
});
