/** Reads the log in a SQLite file that another process may have open. */

import {
  type Bounds,
  LogError,
  type LogRecord,
  type ReadableLog,
  type ReadOptions,
  type ReadResult,
  type TopicIdentity,
  type TopicSpec,
} from "../log.ts";
import { checkPartition, checkStart } from "../checks.ts";
import { RecordTable } from "./record_table.ts";
import { SqliteFile } from "./sqlite_file.ts";

const MAX_RECORDS = 1000;
const MAX_BYTES = 4 << 20;

/**
 * A log in a SQLite file, read-only. Each call sees the file as of one moment. Its owner cannot shorten the write-ahead
 * log during a call, but can between calls, however slow the caller is.
 */
export class SqliteReader implements ReadableLog {
  readonly #file: SqliteFile;

  /** Opens an existing file. @throws LogError `corrupt` when it is not a log that this version reads */
  constructor(path: string) {
    Deno.statSync(path);
    this.#file = new SqliteFile(path, true);
    try {
      this.#file.snapshot(() => this.#file.checkOurs());
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  topics(prefix = ""): Promise<ReadonlyMap<string, TopicSpec>> {
    return this.#look(() => {
      const rows = [...this.#file.topicRows()].filter(({ name }) => name.startsWith(prefix));
      return new Map(
        rows.map(({ name, partitions, cleanup }) => [name, { name, partitions, cleanup }] as const),
      );
    });
  }

  identify(topic: string): Promise<TopicIdentity | null> {
    return this.#look(() => {
      const row = this.#file.db.prepare(
        "SELECT identities.id, partitions FROM identities JOIN topics ON topic = name WHERE topic = ?",
      ).get(topic);
      return row === undefined ? null : { id: String(row["id"]), partitions: Number(row["partitions"]) };
    });
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    return this.#look(() => {
      const { start, end } = this.#table(topic, partition);
      return { start, end };
    });
  }

  /** See `Log.read`, but never waits for a record. */
  read(
    topic: string,
    partition: number,
    from: number,
    { maxRecords = MAX_RECORDS, maxBytes = MAX_BYTES }: ReadOptions = {},
  ): Promise<ReadResult> {
    return this.#look(() => {
      const table = this.#table(topic, partition);
      checkStart({ topic, partition }, from, table.end);
      const result = table.read(from, { maxRecords, maxBytes });
      const dropped = table.isCompact ? 0 : Math.max(0, table.trimmed - from);
      return dropped > 0 ? { ...result, dropped } : result;
    });
  }

  latest(topic: string, partition: number, key: string): Promise<LogRecord | null> {
    return this.#look(() => this.#table(topic, partition).latest(key));
  }

  committed(group: string, topic: string, partition: number): Promise<number | null> {
    return this.#look(() => {
      const row = this.#file.db.prepare(
        'SELECT "offset" FROM positions WHERE "group" = ? AND topic = ? AND partition = ?',
      ).get(group, topic, partition);
      return row === undefined ? null : Number(row["offset"]);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }

  #look<Result>(look: () => Result): Promise<Result> {
    return Promise.try(() => this.#file.snapshot(look));
  }

  /** Opens the table of a partition anew: since the last call, its owner may have appended and trimmed. */
  #table(topic: string, partition: number): RecordTable {
    const spec = [...this.#file.topicRows()].find(({ name }) => name === topic);
    if (spec === undefined) {
      throw new LogError("unknown-topic", `Cannot find topic ${topic}: it does not exist`);
    }
    checkPartition(spec, partition);
    const name = `records_${spec.id}_${partition}`;
    return new RecordTable(this.#file.db, {
      name,
      topic: spec,
      partition,
      tombstones: 1,
      path: this.#file.path,
    });
  }
}
