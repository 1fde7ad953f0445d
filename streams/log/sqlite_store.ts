/**
 * How {@linkcode SqliteLog} lies in its file. Format 1:
 *
 * ```text
 * topics     id, name, partitions, cleanup
 * positions  "group", topic, partition → offset        committed group offsets
 * trims      topic, partition → start                  start of a partition that was trimmed
 * records_<topic id>_<partition>                       one table a partition: appends go to its right edge
 *            offset → key, value, time, headers (JSON or null)
 *            compact: unique index on key, so that INSERT OR REPLACE is the compaction;
 *                     partial index on tombstones
 * ```
 * Neither trimming nor compaction ever removes what tells the next offset: it is the larger of the trimmed
 * start and the last record's offset + 1, and the last record goes only when a newer one comes or it is
 * trimmed. A key with U+0000 is stored as bytes, because SQLite texts are read up to it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { LogStore, LogWrite, ReadLimits } from "./local_log.ts";
import {
  type Bounds,
  type Cleanup,
  LogError,
  type LogRecord,
  type NewRecord,
  type ReadResult,
  type TopicSpec,
} from "./log.ts";
import type { SqliteLogOptions } from "./sqlite_log.ts";

/** "mndr": tells our files from other SQLite files. */
const APPLICATION_ID = 0x6d6e6472;
const FORMAT = 1;
/** Rows of one INSERT: a third faster than one by one, and more rows gain nothing. */
const ROWS = 8;
/** Records fetched at once by a read, before it looks at how many bytes they are. */
const CHUNK = 128;

/** A topic with its number in the file. */
interface StoredTopic extends TopicSpec {
  readonly id: number;
}

/** The file under a {@linkcode SqliteLog}. */
export class SqliteStore implements LogStore {
  readonly topics = new Map<string, StoredTopic>();
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #tables = new Map<string, RecordTable>();
  readonly #tombstones: number;
  readonly #step: (step: string) => void;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savePosition: StatementSync;
  readonly #position: StatementSync;
  readonly #saveTrim: StatementSync;

  /** Opens or creates the file; see {@linkcode SqliteLog.open}. */
  constructor(path: string, { durability = "process", tombstones = 10_000, onStep }: SqliteLogOptions) {
    if (!Number.isInteger(tombstones) || tombstones < 1) {
      throw new RangeError(`Cannot keep ${tombstones} tombstones: at least 1 is needed`);
    }
    this.#path = path;
    this.#tombstones = tombstones;
    this.#step = onStep ?? (() => {});
    this.#db = this.#guard(() => new DatabaseSync(path));
    try {
      this.#guard(() => this.#initialise(durability));
      this.#begin = this.#db.prepare("BEGIN IMMEDIATE");
      this.#commit = this.#db.prepare("COMMIT");
      this.#savePosition = this.#db.prepare("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)");
      this.#position = this.#db.prepare(
        'SELECT "offset" FROM positions WHERE "group" = ? AND topic = ? AND partition = ?',
      );
      this.#saveTrim = this.#db.prepare("INSERT OR REPLACE INTO trims VALUES (?, ?, ?)");
      for (const row of this.#db.prepare("SELECT id, name, partitions, cleanup FROM topics").all()) {
        const cleanup: Cleanup = row["cleanup"] === "compact" ? "compact" : "delete";
        const topic = {
          id: Number(row["id"]),
          name: String(row["name"]),
          partitions: Number(row["partitions"]),
        };
        this.topics.set(topic.name, { ...topic, cleanup });
      }
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  createTopics(topics: readonly TopicSpec[]): void {
    const made: StoredTopic[] = [];
    this.#transaction(() => {
      const insert = this.#db.prepare("INSERT INTO topics (name, partitions, cleanup) VALUES (?, ?, ?)");
      for (const { name, partitions, cleanup } of topics) {
        const id = Number(insert.run(name, partitions, cleanup).lastInsertRowid);
        for (let p = 0; p < partitions; p++) this.#db.exec(recordsSchema(`records_${id}_${p}`, cleanup));
        made.push({ id, name, partitions, cleanup });
      }
    });
    for (const topic of made) this.topics.set(topic.name, topic);
  }

  write(writes: readonly LogWrite[]): number[][] {
    const touched = new Map<RecordTable, number>();
    const place = (record: NewRecord, partition: number) => {
      const table = this.#table(record.topic, partition);
      if (!touched.has(table)) touched.set(table, table.end);
      const offset = table.append(record);
      this.#step("record");
      return offset;
    };
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
            this.#savePosition.run(write.group, topic, partition, offset);
          }
        }
        this.#step("commit");
      });
    } catch (error) {
      for (const [table, end] of touched) table.rewind(end);
      throw error;
    }
    this.#step("committed");
    return offsets;
  }

  read(topic: string, partition: number, from: number, limits: ReadLimits): ReadResult {
    return this.#guard(() => this.#table(topic, partition).read(from, limits));
  }

  bounds(topic: string, partition: number): Bounds {
    return this.#guard(() => {
      const { start, end } = this.#table(topic, partition);
      return { start, end };
    });
  }

  committed(group: string, topic: string, partition: number): number | null {
    const row = this.#guard(() => this.#position.get(group, topic, partition));
    return row === undefined ? null : Number(row["offset"]);
  }

  trim(topic: string, partition: number, before: number): void {
    const table = this.#table(topic, partition);
    if (before <= table.start) return;
    this.#transaction(() => {
      this.#saveTrim.run(topic, partition, before);
      this.#db.prepare(`DELETE FROM ${table.name} WHERE "offset" < ?`).run(before);
    });
    table.trimmed = before;
  }

  close(): void {
    this.#db.close();
  }

  #initialise(durability: "process" | "power"): void {
    const pragma = (name: string) => Number(this.#db.prepare(`PRAGMA ${name}`).get()?.[name]);
    this.#db.prepare("PRAGMA locking_mode = EXCLUSIVE").get();
    // Takes the lock before anything is read, and looks before anything is written.
    this.#db.prepare("BEGIN EXCLUSIVE").run();
    const empty = this.#db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
    if (!empty && pragma("application_id") !== APPLICATION_ID) {
      throw new LogError(
        "corrupt",
        `Cannot open ${this.#path} as a log: it is another program's SQLite file`,
      );
    }
    const format = pragma("user_version");
    if (format > FORMAT) {
      throw new LogError(
        "corrupt",
        `Cannot open ${this.#path} as a log: its format is ${format}, and this version reads up to ${FORMAT}`,
      );
    }
    if (empty) this.#db.exec(SCHEMA);
    this.#db.exec("COMMIT");
    this.#db.prepare("PRAGMA journal_mode = WAL").get();
    // fullfsync: on macOS a plain fsync leaves the data in the drive's cache.
    this.#db.exec(`PRAGMA fullfsync = 1; PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
  }

  #table(topic: string, partition: number): RecordTable {
    const key = `${topic}/${partition}`;
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const spec = this.topics.get(topic);
    if (spec === undefined) throw new RangeError(`Cannot find ${key}`);
    const table = new RecordTable(this.#db, spec, partition, this.#tombstones);
    this.#tables.set(key, table);
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
  #guard<Result>(act: () => Result): Result {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_SQLITE_ERROR") throw error;
      const code = "errcode" in error ? Number(error.errcode) & 0xff : undefined;
      if (code === 5 || error.message === "database is locked") {
        throw new LogError(
          "locked",
          `Cannot open the log ${this.#path}: it is open already, here or in another process; ` +
            "stop that one, or give this one a file of its own",
          { cause: error },
        );
      }
      if (code === 11 || code === 26) {
        throw new LogError("corrupt", `Cannot use ${this.#path} as a log: ${error.message}`, {
          cause: error,
        });
      }
      throw new Error(`Cannot use the log ${this.#path}: ${error.message}`, { cause: error });
    }
  }
}

/** The records of one partition. */
class RecordTable {
  readonly name: string;
  /** Start of a `delete` partition. */
  trimmed: number;
  end: number;
  readonly #topic: string;
  readonly #partition: number;
  readonly #cleanup: Cleanup;
  readonly #maxTombstones: number;
  readonly #insert: StatementSync;
  readonly #insertMany: StatementSync;
  readonly #select: StatementSync;
  readonly #first: StatementSync;
  readonly #forget: StatementSync | undefined;
  /** Values of rows that are not inserted yet; empty outside a transaction. */
  #rows: SQLInputValue[] = [];
  /** Tombstones written since old ones were last deleted; unknown at first. */
  #tombstones = Infinity;

  constructor(db: DatabaseSync, topic: StoredTopic, partition: number, maxTombstones: number) {
    const name = this.name = `records_${topic.id}_${partition}`;
    this.#topic = topic.name;
    this.#partition = partition;
    this.#cleanup = topic.cleanup;
    this.#maxTombstones = maxTombstones;
    const insert = `INSERT OR ${topic.cleanup === "compact" ? "REPLACE" : "ABORT"} INTO ${name} VALUES `;
    const row = "(?, ?, ?, ?, ?)";
    this.#insert = db.prepare(insert + row);
    this.#insertMany = db.prepare(insert + Array(ROWS).fill(row).join(", "));
    this.#select = db.prepare(
      `SELECT "offset", key, value, time, headers FROM ${name} WHERE "offset" >= ? ORDER BY "offset" LIMIT ?`,
    );
    this.#first = db.prepare(`SELECT min("offset") AS first FROM ${name}`);
    if (topic.cleanup === "compact") {
      this.#forget = db.prepare(
        `DELETE FROM ${name} WHERE value IS NULL AND "offset" < (SELECT "offset" FROM ${name} WHERE value IS NULL ` +
          'ORDER BY "offset" DESC LIMIT 1 OFFSET ?)',
      );
    }
    const trim = db.prepare("SELECT start FROM trims WHERE topic = ? AND partition = ?").get(
      topic.name,
      partition,
    );
    this.trimmed = Number(trim?.["start"] ?? 0);
    const last = db.prepare(`SELECT max("offset") AS last FROM ${name}`).get()?.["last"] ?? -1;
    this.end = Math.max(this.trimmed, Number(last) + 1);
  }

  get start(): number {
    return this.#cleanup === "delete" ? this.trimmed : Number(this.#first.get()?.["first"] ?? this.end);
  }

  /** Takes a record into the open transaction; {@linkcode RecordTable.flush} must follow. */
  append({ key, value, time, headers }: NewRecord): number {
    const offset = this.end++;
    this.#rows.push(
      offset,
      key !== null && key.includes("\0") ? Buffer.from(key) : key,
      value,
      time,
      headers === undefined ? null : JSON.stringify(headers),
    );
    if (this.#rows.length === ROWS * COLUMNS) {
      this.#insertMany.run(...this.#rows);
      this.#rows = [];
    }
    if (value === null) this.#tombstones++;
    return offset;
  }

  flush(): void {
    for (let i = 0; i < this.#rows.length; i += COLUMNS) {
      this.#insert.run(...this.#rows.slice(i, i + COLUMNS));
    }
    this.#rows = [];
    if (this.#tombstones > this.#maxTombstones / 8) {
      this.#forget?.run(this.#maxTombstones - 1);
      this.#tombstones = 0;
    }
  }

  /** Undoes the appends of a transaction that was rolled back. */
  rewind(end: number): void {
    this.end = end;
    this.#rows = [];
    this.#tombstones = Infinity;
  }

  read(from: number, { maxRecords, maxBytes }: ReadLimits): ReadResult {
    const records: LogRecord[] = [];
    let next = from;
    let bytes = 0;
    while (records.length < maxRecords) {
      const limit = Math.min(CHUNK, maxRecords - records.length);
      const rows = this.#select.all(next, limit) as unknown as readonly Row[];
      for (const row of rows) {
        records.push(this.#record(row));
        next = row.offset + 1;
        bytes += row.value?.length ?? 0;
        if (bytes >= maxBytes) return { records, next };
      }
      if (rows.length < limit) return { records, next: this.end };
    }
    return { records, next };
  }

  #record({ offset, key, value, time, headers }: Row): LogRecord {
    return {
      topic: this.#topic,
      partition: this.#partition,
      offset,
      key: typeof key === "string" || key === null ? key : Buffer.from(key).toString(),
      value,
      time,
      headers: headers === null ? {} : JSON.parse(headers),
    };
  }
}

const COLUMNS = 5;

/** A row of a record table. */
interface Row {
  readonly offset: number;
  readonly key: string | Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly time: number;
  readonly headers: string | null;
}

const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, cleanup TEXT NOT NULL);
  CREATE TABLE positions ("group" TEXT, topic TEXT, partition INTEGER, "offset" INTEGER NOT NULL,
    PRIMARY KEY ("group", topic, partition)) WITHOUT ROWID;
  CREATE TABLE trims (topic TEXT, partition INTEGER, start INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
`;

function recordsSchema(name: string, cleanup: Cleanup): string {
  const table =
    `CREATE TABLE ${name} ("offset" INTEGER PRIMARY KEY, key ANY, value BLOB, time INTEGER NOT NULL, headers TEXT) STRICT;`;
  if (cleanup === "delete") return table;
  return `${table}
    CREATE UNIQUE INDEX ${name}_key ON ${name} (key);
    CREATE INDEX ${name}_tombstones ON ${name} ("offset") WHERE value IS NULL;`;
}
