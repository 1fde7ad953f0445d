/**
 * The file of a `SqliteLog`: its tables, transactions and errors. Format 2:
 *
 * ```text
 * topics     id, name, partitions, cleanup
 * positions  "group", topic, partition → offset, sum   committed group offsets
 * trims      topic, partition → start                  start of a partition that was trimmed
 * identities topic → id                                 distinguishes topics of the same name in different files
 * ends       topic, partition → end                     end of a partition when records of it were erased
 * scrubs     id                                         what is left of erased records: 1 everything, 2 fragments
 * zeros      page                                       only during a scrub: overwrites free pages
 * unsummed   topic, partition, before                   empty, for release 0.2.0
 * records_<topic id>_<partition>                       see record_table.ts
 * ```
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Durability } from "./durability.ts";
import { reasonOf } from "../../../src/values/reason.ts";
import { checkSpec } from "../checks.ts";
import { type Cleanup, LogError, type TopicSpec } from "../log.ts";
import { isNoRoom } from "./end/no_room.ts";
import { MAX_WAL_BYTES } from "./wal/wal_mover.ts";

/** "mndr": distinguishes our files from other SQLite files. */
const APPLICATION_ID = 0x6d6e6472;
const FORMAT = 2;

/** An open file, whose lock the caller holds ([ownership.ts](./ownership.ts)). */
export class SqliteFile {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;

  /**
   * Opens or creates it; {@linkcode SqliteFile.initialise} must follow.
   *
   * @param readOnly opens an existing file, which another process may have open; {@linkcode SqliteFile.checkOurs} must
   * follow instead
   */
  constructor(path: string, readOnly = false) {
    this.path = path;
    this.db = this.guard(() => new DatabaseSync(path, { readOnly }));
    this.#begin = this.db.prepare("BEGIN IMMEDIATE");
    this.#commit = this.db.prepare("COMMIT");
  }

  /**
   * Creates its tables or checks that they are ours, and turns on the write-ahead log.
   *
   * @returns Whether the file was empty
   */
  initialise(durability: Durability): boolean {
    return this.guard(() => this.#initialise(durability));
  }

  #initialise(durability: Durability): boolean {
    // Locks before reading, and checks before writing.
    this.db.prepare("BEGIN EXCLUSIVE").run();
    const empty = this.db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
    if (empty) this.db.exec(SCHEMA);
    else this.checkOurs();
    this.db.exec("COMMIT");
    this.db.prepare("PRAGMA journal_mode = WAL").get();
    this.db.exec(`PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${MAX_WAL_BYTES}`);
    // Zeroes deleted content in pages that are written anyway, at no cost; zeroing all of it takes 2.6 times as long.
    this.db.exec("PRAGMA secure_delete = FAST");
    // fullfsync: on macOS a plain fsync leaves the data in the drive's cache.
    this.db.exec(`PRAGMA fullfsync = 1; PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
    return empty;
  }

  /** @throws LogError `corrupt` when the file is not ours, or of a format that this version does not read */
  checkOurs(): void {
    const refuse = (what: string) => {
      throw new LogError("corrupt", `Cannot open ${this.path} as a log: ${what}`);
    };
    if (this.pragma("application_id") !== APPLICATION_ID) refuse("it is another program's SQLite file");
    const format = this.pragma("user_version");
    const known = `and this version reads format ${FORMAT}`;
    if (format !== FORMAT) refuse(`its format is ${format}, ${known}`);
    // A stranger may have made the file: a view may compute without end, a trigger undo what is written.
    const odd = this.db.prepare("SELECT name FROM sqlite_schema WHERE type NOT IN ('table', 'index') LIMIT 1")
      .get();
    if (odd !== undefined) refuse(`it has the view or trigger ${JSON.stringify(odd["name"])}`);
    // A file that was upgraded from format 1 has records without checksums.
    const tables = this.db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'unsummed'").get();
    const old = tables && this.db.prepare("SELECT 1 FROM unsummed WHERE before > 0").get();
    if (old !== undefined) refuse(`it has records of format 1, ${known}`);
  }

  /** The existing topics, with their ids in this file. @throws LogError `corrupt` for one that no log creates */
  *topicRows(): Iterable<TopicSpec & { readonly id: number }> {
    for (const row of this.db.prepare("SELECT id, name, partitions, cleanup FROM topics").all()) {
      const cleanup = String(row["cleanup"]) as Cleanup; // `checkSpec` refuses any other
      const spec = { name: String(row["name"]), partitions: Number(row["partitions"]), cleanup };
      try {
        checkSpec(spec);
      } catch (error) {
        throw this.corrupt(`its list of topics is wrong: ${reasonOf(error)}`);
      }
      yield { id: Number(row["id"]), ...spec };
    }
  }

  pragma(name: string): number {
    return Number(this.db.prepare(`PRAGMA ${name}`).get()?.[name]);
  }

  /** Checks tables with their indices, or the whole file. @throws LogError `corrupt` */
  check(tables: readonly string[] | "all"): void {
    for (const table of tables === "all" ? [""] : tables.map((table) => `(${table})`)) {
      const rows = this.db.prepare(`PRAGMA integrity_check${table}`).all();
      const found = rows.map((row) => String(row["integrity_check"]));
      if (found.length !== 1 || found[0] !== "ok") throw this.corrupt(found.slice(0, 3).join(", "));
    }
  }

  /** Runs reads that see the file as of one moment. */
  snapshot<Result>(look: () => Result): Result {
    return this.guard(() => {
      this.db.exec("BEGIN");
      try {
        return look();
      } finally {
        this.db.exec("ROLLBACK");
      }
    });
  }

  /** Runs a change, all or nothing. */
  transaction(change: () => void): void {
    this.guard(() => {
      this.#begin.run();
      try {
        change();
        this.#commit.run();
      } catch (error) {
        if (this.db.isTransaction) this.db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  /** An error about a damaged file. */
  corrupt(what: string): LogError {
    return new LogError(
      "corrupt",
      `Cannot use ${this.path} as a log: ${what}; the file is damaged: restore it from a copy`,
    );
  }

  /** See {@linkcode guarded}. */
  guard<Result>(act: () => Result, what?: string): Result {
    return guarded(this.path, act, what);
  }

  close(): void {
    this.db.close();
  }

  /**
   * Closes a file that was refused, without changing it: the last connection to close would move the write-ahead log
   * into it, unless that connection is read-only.
   */
  letGo(): void {
    if (this.db.isTransaction) this.db.exec("ROLLBACK");
    const last = new DatabaseSync(this.path, { readOnly: true });
    try {
      last.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get();
    } catch {
      // Damaged, or another program's file: the connection is open all the same.
    }
    this.db.close();
    last.close();
  }
}

/** What to do about a full disk. */
const ROOM = "; make room on its disk; everything acknowledged is safe";

/** Runs an action on a file; explains errors of SQLite, and gives those that callers can act on a code. */
export function guarded<Result>(path: string, act: () => Result, what = "access it"): Result {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    if (isNoRoom(error)) {
      throw new LogError("full", `Cannot use the log ${path}: ${error.message}${ROOM}`, { cause: error });
    }
    // A column holds a number larger than we ever store.
    const isStrange = error.code === "ERR_OUT_OF_RANGE";
    if (error.code !== "ERR_SQLITE_ERROR" && !isStrange) throw error;
    const code = "errcode" in error ? Number(error.errcode) & 0xff : undefined;
    if (code === 5 || error.message === "database is locked") {
      throw new LogError(
        "locked",
        `Cannot open the log ${path}: it is open already, here or in another process; ` +
          "stop that process, or give this one a file of its own",
        { cause: error },
      );
    }
    if (code === 11 || code === 26 || isStrange || /^no such (table|column)/.test(error.message)) {
      throw new LogError(
        "corrupt",
        `Cannot use ${path} as a log: failed to ${what}: ${error.message}; the file is damaged: restore it from a copy`,
        { cause: error },
      );
    }
    // Even readers share memory with the owner, in a file next to it.
    const isRefused = /unable to open database file|readonly database/.test(error.message);
    const remedy = isRefused ? "; even to read it, this process must be able to write to its folder" : "";
    throw new Error(`Cannot use the log ${path}: ${error.message}${remedy}`, { cause: error });
  }
}

/** Assigns an identity to each topic without one. */
export const IDENTIFY =
  "INSERT OR IGNORE INTO identities SELECT name, lower(hex(randomblob(16))) FROM topics;";
const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, cleanup TEXT NOT NULL);
  CREATE TABLE positions ("group" TEXT, topic TEXT, partition INTEGER, "offset" INTEGER NOT NULL, sum INTEGER,
    PRIMARY KEY ("group", topic, partition)) WITHOUT ROWID;
  CREATE TABLE trims (topic TEXT, partition INTEGER, start INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
  CREATE TABLE identities (topic TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE ends (topic TEXT, partition INTEGER, end INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
  CREATE TABLE scrubs (id INTEGER PRIMARY KEY);
  -- Always empty, but release 0.2.0, which has the same format, reads it.
  CREATE TABLE unsummed (topic TEXT, partition INTEGER, before INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
`;
