/**
 * How a `SqliteLog` lies in its file. Format 2:
 *
 * ```text
 * topics     id, name, partitions, cleanup
 * positions  "group", topic, partition → offset, sum   committed group offsets
 * unsummed   topic, partition → before                  records below were written by format 1, without checksums
 * trims      topic, partition → start                  start of a partition that was trimmed
 * identities topic → id                                 tells a topic from one of its name in another file
 * ends       topic, partition → end                     end of a partition when records of it were erased
 * scrubs     id                                         1 while all is left of erased records, 2 fragments
 * records_<topic id>_<partition>                       see record_table.ts
 * ```
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { bootTime } from "./boot.ts";
import { CommittedState } from "./committed_state.ts";
import { type Durability, MAX_SYNC_MS, SYNC_MS } from "./durability.ts";
import { EndFile, readMemory, syncFile } from "./end_file.ts";
import type { LogStore, LogWrite, ReadLimits } from "./local_log.ts";
import {
  type Cleanup,
  LogError,
  type LogRecord,
  type NewRecord,
  type ReadResult,
  type Scrubbed,
  type TopicSpec,
} from "./log.ts";
import { oneName, own, ownFile } from "./ownership.ts";
import { boundsOf, RecordTable, recordTableSchema } from "./record_table.ts";
import { recover } from "./recovery.ts";
import { sumOf } from "./row_sum.ts";
import { Syncer } from "./syncer.ts";
import { MAX_WAL_BYTES, WalMover } from "./wal_mover.ts";

/** "mndr": tells our files from other SQLite files. */
const APPLICATION_ID = 0x6d6e6472;
const FORMAT = 2;
/** The tables of compact topics are looked through when a file is opened that is no larger: about 3 s. */
const CHECKED_BYTES = 1 << 30;
/** Pages that a record of a compact topic changes apart from its own: that of its predecessor, and of the index of keys. */
const SCATTERED_PAGES = 2;

/** Records on a page, about, all of which is written when they are deleted. */
const ROWS_A_PAGE = 8;

/** In `scrubs`: records that were erased have left fragments. */
const FRAGMENTS = 2;
/** The records of a file of 64 MiB are moved in a second. */
const SMALL_PAGES = 16_384;
/** Free pages that are overwritten at once, and what a page takes of a large value. */
const SCRUB_PAGES = 1024;
const OVERFLOW_BYTES = 4092;
const logger = getLogger(["meander", "log"]);

/** Options of `SqliteLog.open()`. */
export interface SqliteLogOptions {
  /**
   * What a resolved append or commit survives. `process`: the death of the process, kill -9 included.
   * `power`: also the death of the machine, at the price of one fsync a write. @default {"process"}
   */
  readonly durability?: Durability;
  /**
   * Time after which the disk is asked to confirm what was written, milliseconds: with `process`, the death of the machine
   * takes what was acknowledged since the last sync began that has ended. @default {1000}
   */
  readonly syncMs?: number;
  /** How many of the newest tombstones of a compact partition stay readable, at least 1. @default {10_000} */
  readonly tombstones?: number;
  /** Called between the steps of a write; throwing is a crash there. For tests. */
  readonly onStep?: (step: string) => void;
  /** When the machine was started, milliseconds since the epoch. For tests. @default {as the system says} */
  readonly boot?: number;
}

/** The file under a `SqliteLog`. */
export class SqliteStore implements LogStore {
  /** The topics that exist, by name. */
  readonly topics = new Map<string, TopicSpec>();
  /** What tells each topic from others of its name. */
  readonly #identities = new Map<string, string>();
  /** The number of each topic in the file. */
  readonly #ids = new Map<string, number>();
  readonly #path: string;
  /** Holds the lock that says who owns the log: the file itself is shared with the thread that moves what was written. */
  readonly #owner: DatabaseSync;
  readonly #file: Deno.FsFile | undefined;
  readonly #db: DatabaseSync;
  readonly #wal: WalMover;
  readonly #state: CommittedState;
  readonly #memory: EndFile;
  readonly #syncer: Syncer;
  /** Why nothing may be written any more. */
  #failure: Error | undefined;
  /** Below which offsets records have no checksums, by topic and partition. */
  readonly #unsummed = new Map<string, number>();
  /** By topic and partition. */
  readonly #tables = new Map<string, RecordTable[]>();
  readonly #tombstones: number;
  readonly #step: (step: string) => void;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savePosition: StatementSync;
  readonly #position: StatementSync;
  readonly #saveTrim: StatementSync;

  /** Opens or creates the file; see `SqliteLog.open()`. */
  constructor(path: string, options: SqliteLogOptions) {
    const { durability = "process", tombstones = 10_000, onStep, syncMs = SYNC_MS, boot = bootTime() } =
      options;
    if (!Number.isInteger(tombstones) || tombstones < 1) {
      throw new RangeError(`Cannot keep ${tombstones} tombstones: at least 1 is needed`);
    }
    if (!(syncMs > 0 && syncMs <= MAX_SYNC_MS)) {
      throw new RangeError(
        `Cannot sync after ${syncMs} ms: more than 0 and at most ${MAX_SYNC_MS} are wanted`,
      );
    }
    this.#path = oneName(path);
    this.#tombstones = tombstones;
    this.#step = onStep ?? (() => {});
    using opened = new DisposableStack();
    this.#owner = opened.adopt(this.#guard(() => own(this.#path)), (owner) => owner.close());
    this.#file = ownFile(this.#path);
    opened.defer(() => this.#file?.close());
    this.#db = opened.adopt(this.#guard(() => new DatabaseSync(this.#path)), (db) => letGo(db, this.#path));
    this.#wal = new WalMover(this.#path, () => this.#db.exec("PRAGMA wal_checkpoint(RESTART)"));
    const isNew = this.#guard(() => this.#initialise(durability));
    this.#begin = this.#db.prepare("BEGIN IMMEDIATE");
    this.#commit = this.#db.prepare("COMMIT");
    this.#savePosition = this.#db.prepare("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)");
    this.#position = this.#db.prepare(
      'SELECT "offset" FROM positions WHERE "group" = ? AND topic = ? AND partition = ?',
    );
    this.#saveTrim = this.#db.prepare("INSERT OR REPLACE INTO trims VALUES (?, ?, ?)");
    this.#state = this.#guard(() => this.#load());
    const end = `${this.#path}-end`;
    const memory = readMemory(end);
    const found = recover(this.#path, this.#state, memory, boot);
    if (found !== null && !(isNew && memory === "absent")) {
      logger.warn("opens the log {path}: {found}", { path: this.#path, found });
    }
    const wal = `${this.#path}-wal`;
    syncFile(wal); // what a process before has written, and no disk has confirmed
    const windowMs = durability === "power" ? 0 : syncMs;
    const opening = new EndFile(end, this.#state, { boot, windowMs });
    this.#memory = opened.adopt(opening, (memory) => memory.close());
    this.#syncer = new Syncer({
      path: wal,
      periodMs: syncMs,
      snapshot: () => this.#state.bytes.slice(),
      confirm: (state) => this.#memory.confirm(state),
      fail: (error) => this.#fail("the disk has not confirmed what was written", error),
    });
    opened.move();
  }

  /** See {@linkcode LogStore.id}. */
  id(topic: string): string {
    return this.#identities.get(topic) ?? "";
  }

  /** See {@linkcode LogStore.createTopics}. */
  createTopics(topics: readonly TopicSpec[]): void {
    this.#refuseAfterFailure();
    const ids: number[] = [];
    this.#transaction(() => {
      const insert = this.#db.prepare("INSERT INTO topics (name, partitions, cleanup) VALUES (?, ?, ?)");
      for (const { name, partitions, cleanup } of topics) {
        const id = Number(insert.run(name, partitions, cleanup).lastInsertRowid);
        for (let p = 0; p < partitions; p++) this.#db.exec(recordTableSchema(`records_${id}_${p}`, cleanup));
        ids.push(id);
      }
      this.#db.exec(IDENTIFY);
    });
    this.#identify();
    for (const [i, { name, partitions, cleanup }] of topics.entries()) {
      this.#know({ name, partitions, cleanup }, ids[i] ?? NaN);
      this.#state.addTopic({ name, partitions, cleanup, id: this.id(name) });
    }
    this.#remember();
  }

  /** See {@linkcode LogStore.write}. */
  write(writes: readonly LogWrite[]): number[][] {
    const touched = new Map<RecordTable, number>();
    let bytes = 0;
    let pages = 1;
    const place = (record: NewRecord, partition: number) => {
      bytes += record.value?.length ?? 0;
      const table = this.#table(record.topic, partition);
      if (!touched.has(table)) touched.set(table, table.end);
      if (table.isCompact) pages += SCATTERED_PAGES;
      const offset = table.append(record);
      this.#step("record");
      return offset;
    };
    this.#refuseAfterFailure();
    this.#step("begin");
    let offsets: number[][] = [];
    try {
      this.#transaction(() => {
        offsets = writes.map(({ records, partitions }) =>
          records.map((r, i) => place(r, partitions[i] ?? 0))
        );
        for (const table of touched.keys()) table.flush();
        for (const write of writes) {
          for (const { topic, partition, offset } of write.offsets) {
            const sum = sumOf([write.group, topic, partition, offset]);
            this.#savePosition.run(write.group, topic, partition, offset, sum);
          }
        }
        this.#step("commit");
      });
    } catch (error) {
      for (const [table, end] of touched) table.rewind(end);
      throw error;
    }
    for (const table of touched.keys()) {
      table.committed();
      this.#state.setBounds(table.topic, table.partition, table.trimmed, table.end);
    }
    for (const { group, offsets } of writes) {
      for (const offset of offsets) this.#state.setPosition(group, offset);
    }
    this.#remember();
    this.#wal.wrote(bytes, touched.size + pages);
    this.#step("committed");
    return offsets;
  }

  /** See {@linkcode LogStore.read}. */
  read(topic: string, partition: number, from: number, limits: ReadLimits): ReadResult {
    return this.#guard(
      () => this.#table(topic, partition).read(from, limits),
      `read ${topic}/${partition} from offset ${from} on`,
    );
  }

  /** See {@linkcode LogStore.latest}. */
  latest(topic: string, partition: number, key: string): LogRecord | null {
    return this.#guard(
      () => this.#table(topic, partition).latest(key),
      `read a key of ${topic}/${partition}`,
    );
  }

  /** See {@linkcode LogStore.start}. */
  start(topic: string, partition: number): number {
    return this.#guard(() => this.#table(topic, partition).start);
  }

  /** See {@linkcode LogStore.end}. */
  end(topic: string, partition: number): number {
    return this.#guard(() => this.#table(topic, partition).end);
  }

  /** See {@linkcode LogStore.committed}. */
  committed(group: string, topic: string, partition: number): number | null {
    const row = this.#guard(() => this.#position.get(group, topic, partition));
    return row === undefined ? null : Number(row["offset"]);
  }

  /** See {@linkcode LogStore.trim}. */
  trim(topic: string, partition: number, before: number): void {
    const table = this.#guard(() => this.#table(topic, partition));
    if (before <= table.start) return;
    this.#refuseAfterFailure();
    let deleted = 0;
    this.#transaction(() => {
      this.#saveTrim.run(topic, partition, before);
      deleted = table.deleteBelow(before);
    });
    table.trimmed = before;
    this.#state.setBounds(topic, partition, before, table.end);
    this.#remember();
    this.#wal.wrote(0, 1 + Math.ceil(deleted / ROWS_A_PAGE));
  }

  /** See {@linkcode LogStore.erase}. */
  erase(topic: string, partition: number, offsets: readonly number[]): void {
    this.#refuseAfterFailure();
    const table = this.#guard(() => this.#table(topic, partition));
    this.#db.exec("PRAGMA secure_delete = ON");
    try {
      this.#transaction(() => {
        this.#db.prepare("INSERT OR REPLACE INTO ends VALUES (?, ?, ?)").run(topic, partition, table.end);
        this.#db.exec("DELETE FROM scrubs; INSERT INTO scrubs VALUES (1)");
        table.erase(offsets);
      });
    } finally {
      this.#db.exec("PRAGMA secure_delete = FAST");
    }
    this.#remember();
    this.#wal.wrote(0, 1 + offsets.length);
  }

  /**
   * See {@linkcode LogStore.scrub}. Records that were dropped or superseded have left pages that are free and not
   * overwritten, and ends of pages that larger records took: the free pages are overwritten, and in a small file all
   * records are moved to others. Then the write-ahead log, which has the pages as they were, is emptied.
   */
  scrub(): Scrubbed | "more" {
    const state = Number(this.#db.prepare("SELECT max(id) AS id FROM scrubs").get()?.["id"] ?? 0);
    if (state === 0) return "clean";
    if (state === FRAGMENTS) return "fragments";
    const pages = this.#pragma("page_count");
    const isSmall = pages <= SMALL_PAGES;
    const free = this.#pragma("freelist_count");
    if (free > 0) {
      const some = Math.max(1, Math.min(free - 1, SCRUB_PAGES));
      this.#transaction(() => {
        this.#db.exec("CREATE TABLE IF NOT EXISTS zeros (page BLOB)");
        this.#db.prepare("INSERT INTO zeros VALUES (zeroblob(?))").run(some * OVERFLOW_BYTES);
      });
      this.#wal.wrote(some * OVERFLOW_BYTES, 1);
      return "more";
    }
    this.#transaction(() => this.#db.exec("DROP TABLE IF EXISTS zeros"));
    if (isSmall) this.#moveRecords();
    const { busy } = this.#db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { readonly busy: number };
    if (busy !== 0) return "busy";
    this.#transaction(() =>
      this.#db.exec(isSmall ? "DELETE FROM scrubs" : `UPDATE scrubs SET id = ${FRAGMENTS}`)
    );
    return isSmall ? "clean" : "fragments";
  }

  /**
   * Moves all records to pages of their own, and zeroes those where they were. `VACUUM` would do the same, but attaches a
   * database, which Deno allows only to a process that may do everything.
   */
  #moveRecords(): void {
    const names = this.#db.prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'records_*'",
    ).all();
    this.#db.exec("PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY");
    try {
      for (const { name } of names) {
        this.#transaction(() =>
          this.#db.exec(`
            ${recordTableSchema("temp.moved", "delete")}
            INSERT INTO temp.moved SELECT * FROM main.${name};
            DELETE FROM main.${name};
            INSERT INTO main.${name} SELECT * FROM temp.moved;
            DROP TABLE temp.moved`)
        );
      }
    } finally {
      this.#db.exec("PRAGMA secure_delete = FAST");
    }
  }

  /**
   * Reads every record and looks at every page.
   *
   * @param tell called for each partition, before it is read
   */
  verify(tell: (topic: string, partition: number) => void = () => {}): Verified {
    let records = 0;
    const problems: string[] = [];
    const attempt = (act: () => void) => {
      try {
        this.#guard(act);
      } catch (error) {
        problems.push((error as Error).message);
      }
    };
    for (const { name, partitions } of this.topics.values()) {
      for (let p = 0; p < partitions; p++) {
        tell(name, p);
        attempt(() => {
          const found = this.#table(name, p).verify();
          records += found.records;
          problems.push(...found.problems.map(({ message }) => message));
        });
      }
    }
    attempt(() => this.#checkPages("integrity_check"));
    return { records, problems };
  }

  /** See {@linkcode LogStore.close}. */
  async close(): Promise<void> {
    await this.#syncer.close();
    await this.#wal.close();
    this.#db.close();
    // SQLite has moved all to the database, which the disk has confirmed, and removed the write-ahead log.
    if (this.#failure === undefined && !exists(`${this.#path}-wal`)) {
      await this.#memory.seal(this.#state);
    }
    this.#memory.close();
    await this.#wal.end();
    this.#file?.close();
    this.#owner.close();
  }

  #pragma(name: string): number {
    return Number(this.#db.prepare(`PRAGMA ${name}`).get()?.[name]);
  }

  /** Notes what is acknowledged as soon as this returns. */
  #remember(): void {
    try {
      this.#memory.acknowledge(this.#state);
    } catch (error) {
      throw this.#fail("its end cannot be noted", error as Error);
    }
    this.#syncer.wrote();
  }

  #fail(what: string, cause: Error): Error {
    this.#failure ??= new Error(
      `Cannot write to the log ${this.#path}: ${what} (${cause.message}); ` +
        "mend the disk and start again, which says what is lost, if anything",
      { cause },
    );
    logger.error("{message}", { message: this.#failure.message });
    return this.#failure;
  }

  #refuseAfterFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** @returns whether there was nothing */
  #initialise(durability: Durability): boolean {
    // Takes the lock before anything is read, and looks before anything is written.
    this.#db.prepare("BEGIN EXCLUSIVE").run();
    const empty = this.#db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
    if (!empty && this.#pragma("application_id") !== APPLICATION_ID) {
      throw new LogError(
        "corrupt",
        `Cannot open ${this.#path} as a log: it is another program's SQLite file`,
      );
    }
    const format = this.#pragma("user_version");
    if (format > FORMAT) {
      throw new LogError(
        "corrupt",
        `Cannot open ${this.#path} as a log: its format is ${format}, and this version reads up to ${FORMAT}`,
      );
    }
    if (empty) this.#db.exec(SCHEMA);
    this.#db.exec(IDENTITIES + ERASURES + IDENTIFY);
    if (!empty && format < FORMAT) this.#upgrade();
    this.#db.exec("COMMIT");
    this.#db.prepare("PRAGMA journal_mode = WAL").get();
    this.#db.exec(`PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${MAX_WAL_BYTES}`);
    // Zeroes what is deleted in pages that are written anyway: free, where zeroing all of it costs 2.6 times.
    this.#db.exec("PRAGMA secure_delete = FAST");
    // fullfsync: on macOS a plain fsync leaves the data in the drive's cache.
    this.#db.exec(`PRAGMA fullfsync = 1; PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
    return empty;
  }

  /** Notes which records have no checksum. */
  #upgrade(): void {
    this.#db.exec(UNSUMMED);
    this.#db.exec("ALTER TABLE positions ADD COLUMN sum INTEGER");
    const note = this.#db.prepare("INSERT INTO unsummed VALUES (?, ?, ?)");
    for (const { id, name, partitions } of this.#topicRows()) {
      for (let p = 0; p < partitions; p++) {
        note.run(name, p, boundsOf(this.#db, `records_${id}_${p}`, name, p).end);
      }
    }
    this.#db.exec(`PRAGMA user_version = ${FORMAT}`);
    logger.info("{path}: records that are there have no checksums; those that come have", {
      path: this.#path,
    });
  }

  /** Reads all but records, and looks at what they are found by. */
  #load(): CommittedState {
    this.#identify();
    for (const { topic, partition, before } of this.#db.prepare("SELECT * FROM unsummed").all()) {
      this.#unsummed.set(`${topic}/${partition}`, Number(before));
    }
    const state = new CommittedState();
    for (const { id, ...topic } of this.#topicRows()) {
      const { name, partitions, cleanup } = topic;
      this.#know(topic, id);
      state.addTopic({ ...topic, id: this.id(name) });
      for (let p = 0; p < partitions; p++) {
        const table = `records_${id}_${p}`;
        const { start, end } = boundsOf(this.#db, table, name, p);
        const first = this.#db.prepare(`SELECT min("offset") AS first FROM ${table}`).get()?.["first"] ??
          start;
        if (cleanup === "delete" && Number(first) < start) {
          throw this.#corrupt(`${name}/${p} has offset ${first}, and was trimmed up to ${start}`);
        }
        state.setBounds(name, p, start, end);
      }
    }
    for (const row of this.#db.prepare("SELECT * FROM positions").all()) {
      const [group, topic, partition] = [
        String(row["group"]),
        String(row["topic"]),
        Number(row["partition"]),
      ];
      const offset = Number(row["offset"]);
      if (row["sum"] !== null && row["sum"] !== sumOf([group, topic, partition, offset])) {
        throw this.#corrupt(
          `the position of group ${group} in ${topic}/${partition} is not as it was written`,
        );
      }
      state.setPosition(group, { topic, partition, offset });
    }
    const { size } = Deno.statSync(this.#path);
    if (size > CHECKED_BYTES) {
      logger.info("{path}: is too large for its indices to be looked through; `check --verify` does", {
        path: this.#path,
      });
    } else this.#checkPages("tables");
    return state;
  }

  *#topicRows(): Iterable<TopicSpec & { readonly id: number }> {
    for (const row of this.#db.prepare("SELECT id, name, partitions, cleanup FROM topics").all()) {
      const cleanup: Cleanup = row["cleanup"] === "compact" ? "compact" : "delete";
      yield {
        id: Number(row["id"]),
        name: String(row["name"]),
        partitions: Number(row["partitions"]),
        cleanup,
      };
    }
  }

  /** Has SQLite look at the tables and indices of compact topics, or at the whole file. */
  #checkPages(what: "tables" | "integrity_check"): void {
    const compact = [...this.topics.values()].filter(({ cleanup }) => cleanup === "compact");
    const tables = compact.flatMap(({ name, partitions }) =>
      Array.from({ length: partitions }, (_, p) => `records_${this.#ids.get(name)}_${p}`)
    );
    for (const pragma of what === "tables" ? tables.map((table) => `integrity_check(${table})`) : [what]) {
      const found = this.#db.prepare(`PRAGMA ${pragma}`).all().map((row) => String(row["integrity_check"]));
      if (found.length !== 1 || found[0] !== "ok") throw this.#corrupt(found.slice(0, 3).join(", "));
    }
  }

  #corrupt(what: string): LogError {
    return new LogError(
      "corrupt",
      `Cannot use ${this.#path} as a log: ${what}; the file is damaged: restore it from a copy`,
    );
  }

  /** Reads what tells topics apart. */
  #identify(): void {
    const identities = "SELECT topic, id FROM identities";
    for (const { topic, id } of this.#db.prepare(identities).all()) {
      this.#identities.set(String(topic), String(id));
    }
  }

  #know(topic: TopicSpec, id: number): void {
    this.topics.set(topic.name, topic);
    this.#ids.set(topic.name, id);
  }

  #table(topic: string, partition: number): RecordTable {
    const known = this.#tables.get(topic)?.[partition];
    if (known !== undefined) return known;
    const spec = this.topics.get(topic);
    if (spec === undefined) throw new RangeError(`Cannot find ${topic}/${partition}`);
    const name = `records_${this.#ids.get(topic)}_${partition}`;
    const table = new RecordTable(this.#db, {
      ...{ name, topic: spec, partition, tombstones: this.#tombstones, path: this.#path },
      summedFrom: this.#unsummed.get(`${topic}/${partition}`) ?? 0,
    });
    const tables = this.#tables.get(topic) ?? [];
    tables[partition] = table;
    this.#tables.set(topic, tables);
    return table;
  }

  #transaction(change: () => void): void {
    this.#guard(() => {
      this.#begin.run();
      try {
        change();
        this.#commit.run();
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  /** Names SQLite's errors that a caller can do something about. */
  #guard<Result>(act: () => Result, what = "use it"): Result {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
      // A number that no column of ours has.
      const isStrange = error.code === "ERR_OUT_OF_RANGE";
      if (error.code !== "ERR_SQLITE_ERROR" && !isStrange) throw error;
      const code = "errcode" in error ? Number(error.errcode) & 0xff : undefined;
      if (code === 5 || error.message === "database is locked") {
        throw new LogError(
          "locked",
          `Cannot open the log ${this.#path}: it is open already, here or in another process; ` +
            "stop that one, or give this one a file of its own",
          { cause: error },
        );
      }
      if (code === 11 || code === 26 || isStrange || /^no such (table|column)/.test(error.message)) {
        throw new LogError(
          "corrupt",
          `Cannot use ${this.#path} as a log, to ${what}: ${error.message}; the file is damaged: restore it from a copy`,
          { cause: error },
        );
      }
      throw new Error(`Cannot use the log ${this.#path}: ${error.message}`, { cause: error });
    }
  }
}

/**
 * Closes a database that was refused, and leaves its files as they are: whoever closes it last moves what the write-ahead
 * log has, and removes it, unless it may read only.
 */
function letGo(db: DatabaseSync, path: string): void {
  if (db.isTransaction) db.exec("ROLLBACK");
  const last = new DatabaseSync(path, { readOnly: true });
  try {
    last.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get();
  } catch {
    // It is damaged, or another program's; it is open all the same.
  }
  db.close();
  last.close();
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What a look at a whole log has found. */
export interface Verified {
  /** Records that were read. */
  readonly records: number;
  /** What is wrong with some of them, or with the file. */
  readonly problems: readonly string[];
}

const IDENTITIES =
  "CREATE TABLE IF NOT EXISTS identities (topic TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;";
const ERASURES = `
  CREATE TABLE IF NOT EXISTS ends (topic TEXT, partition INTEGER, end INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS scrubs (id INTEGER PRIMARY KEY);`;
const IDENTIFY = "INSERT OR IGNORE INTO identities SELECT name, lower(hex(randomblob(16))) FROM topics;";
const UNSUMMED =
  "CREATE TABLE unsummed (topic TEXT, partition INTEGER, before INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;";
const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, cleanup TEXT NOT NULL);
  CREATE TABLE positions ("group" TEXT, topic TEXT, partition INTEGER, "offset" INTEGER NOT NULL, sum INTEGER,
    PRIMARY KEY ("group", topic, partition)) WITHOUT ROWID;
  CREATE TABLE trims (topic TEXT, partition INTEGER, start INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
  ${UNSUMMED}
`;
