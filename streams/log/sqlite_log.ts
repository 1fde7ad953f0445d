/**
 * The embedded log: one SQLite file, no server.
 *
 * @module
 */

import { setImmediate } from "node:timers"; // our own binding: a faked clock must not stop the log
import { dirname } from "node:path";
import { LocalLog } from "./local_log.ts";
import { SqliteStore } from "./sqlite_store.ts";

/** Options of {@linkcode SqliteLog.open}. */
export interface SqliteLogOptions {
  /**
   * What a resolved append or commit survives. `process`: the death of the process, kill -9 included.
   * `power`: also the death of the machine, at the price of one fsync a write. @default {"process"}
   */
  readonly durability?: "process" | "power";
  /** How many of the newest tombstones of a compact partition stay readable, at least 1. @default {10_000} */
  readonly tombstones?: number;
  /** Called between the steps of a write; throwing is a crash there. For tests. */
  readonly onStep?: (step: string) => void;
}

/**
 * A {@linkcode Log} in a SQLite file (`node:sqlite`, write-ahead log).
 *
 * - **Durability.** When the process dies, even by kill -9, nothing that was acknowledged is lost, with either
 *   setting: it is in the system's page cache. When the machine dies, `process` may lose the writes since the
 *   last checkpoint (some MB), newest first and never half of one; `power` loses none.
 * - **Writes** that are issued in the same turn of the event loop become one SQLite transaction, in order.
 * - **Compact** topics keep exactly the newest record of each key: its predecessor is deleted in the same
 *   transaction.
 * - **One owner.** The file is locked while open, by a lock that the kernel frees when the process ends.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { SqliteLog } from "./sqlite_log.ts";
 *
 * const folder = await Deno.makeTempDir();
 * {
 *   await using log = await SqliteLog.open(`${folder}/log.db`);
 *   await log.createTopics([{ name: "events", partitions: 4, cleanup: "delete" }]);
 *   await log.append([{ topic: "events", partition: 2, key: "ann", value: null, time: 0 }]);
 * }
 * {
 *   await using log = await SqliteLog.open(`${folder}/log.db`);
 *   const { records } = await log.read("events", 2, 0);
 *   assert.equal(records[0]?.key, "ann");
 * }
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class SqliteLog extends LocalLog {
  private constructor(store: SqliteStore) {
    super(store, (flush) => setImmediate(flush));
  }

  /**
   * Opens the log in a file, and creates the file and its folder when they do not exist.
   *
   * @throws LogError `locked` when it is open already, in this process or another
   * @throws LogError `corrupt` when the file is damaged, not a log of ours, or of a newer format
   */
  static async open(path: string, options: SqliteLogOptions = {}): Promise<SqliteLog> {
    await Deno.mkdir(dirname(path), { recursive: true });
    return new SqliteLog(new SqliteStore(path, options));
  }
}
