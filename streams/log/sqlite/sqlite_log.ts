/** The embedded log: one SQLite file, no server. */

import { setImmediate } from "node:timers"; // our own binding: a faked clock must not stop the log
import { dirname } from "node:path";
import { LocalLog } from "../local_log.ts";
import type { Verified } from "../log.ts";
import { type SqliteLogOptions, SqliteStore } from "./sqlite_store.ts";

/**
 * A {@linkcode Log} in a SQLite file (`node:sqlite`, write-ahead log).
 *
 * - **Durability.** The death of the process, even by kill -9, loses nothing that was acknowledged: with either setting
 *   it is in the system's page cache. The death of the machine loses nothing with `power`. With `process` it loses what
 *   was acknowledged since the last completed sync began, so within `syncMs` plus the duration of a sync: the newest
 *   writes, and never half of one. The next open logs which offsets are lost.
 * - **Damage** is detected: every record has a checksum, and the file `<path>-end` records how far the log was
 *   acknowledged, and how far confirmed by the disk.
 * - **Writes** that are issued in the same turn of the event loop become one SQLite transaction, in order.
 * - **Compact** topics keep only the newest record of each key: its predecessor is deleted in the same
 *   transaction.
 * - **No wait for the disk.** A thread moves the write-ahead log into the database every 16 MB; a writer that never
 *   pauses does it itself at 64 MB.
 * - **One owner.** The log is locked while open, whatever name it was opened by, with locks that the kernel frees when
 *   the process ends.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { SqliteLog } from "@meander/meander";
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
  readonly #store: SqliteStore;

  private constructor(store: SqliteStore) {
    super(store, (flush) => setImmediate(flush));
    this.#store = store;
  }

  /**
   * Opens the log in a file, and creates the file and its folder if they do not exist.
   *
   * @throws RangeError when an option is out of range
   * @throws LogError `locked` when it is open already, in this process or another
   * @throws LogError `corrupt` when the file is damaged, not a log of ours, or of another format, or when
   * something is missing that was acknowledged
   */
  static async open(path: string, options: SqliteLogOptions = {}): Promise<SqliteLog> {
    await Deno.mkdir(dirname(path), { recursive: true });
    return new SqliteLog(new SqliteStore(path, options));
  }

  /**
   * Reads every record and checks every page of the file. Blocks until it is done.
   *
   * @param tell called for each partition, before it is read
   */
  verify(tell?: (topic: string, partition: number) => void): Verified {
    return this.#store.verify(tell);
  }
}
