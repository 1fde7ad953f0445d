/** The store under a `SqliteLog`: reads and writes its file, and the end file next to it. */

import { getLogger } from "@logtape/logtape";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { reasonOf } from "../../../src/values/reason.ts";
import { bootTime } from "./end/boot.ts";
import { CommittedState } from "./end/committed_state.ts";
import { settle } from "../../../src/options/option.ts";
import { type DurabilityOptions, LONGEST_SYNC_MS, SQLITE_OPTIONS } from "./durability.ts";
import { LogEnd } from "./end/log_end.ts";
import type { LogStore, LogWrite, ReadLimits } from "../local_log.ts";
import type { LogRecord, NewRecord, ReadResult, Scrubbed, TopicSpec, Verified } from "../log.ts";
import { oneName, own, ownFile } from "./ownership.ts";
import { boundsOf, RecordTable, recordTableSchema } from "./record_table.ts";
import { sumOf } from "./row_sum.ts";
import { scrub } from "./scrub.ts";
import { guarded, IDENTIFY, SqliteFile } from "./sqlite_file.ts";
import { WalMover } from "./wal/wal_mover.ts";

/** Largest file whose compact tables are checked on opening, which takes about 3 s. */
const CHECKED_BYTES = 1 << 30;
/** Pages that a record of a compact topic changes beyond its own: its predecessor's, and one of the index of keys. */
const SCATTERED_PAGES = 2;

/** Approximate records per page; a deletion writes the whole page. */
const ROWS_PER_PAGE = 8;

const logger = getLogger(["meander", "log"]);

/** Options of `SqliteLog.open()`. */
export interface SqliteLogOptions extends DurabilityOptions {
  /** How many of the newest tombstones of a compact partition stay readable, at least 1. @default {10_000} */
  readonly tombstones?: number | undefined;
  /** Called between the steps of a write; throwing there simulates a crash. For tests. */
  readonly onStep?: (step: string) => void;
  /** Whether it is a copy that was just made, so that it has no end file yet. @default {false} */
  readonly isCopy?: boolean | undefined;
  /** When the machine was started, milliseconds since the epoch. For tests. @default {as the system reports} */
  readonly boot?: number | undefined;
}

/** The file under a `SqliteLog`. */
export class SqliteStore implements LogStore {
  /** The topics that exist, by name. */
  readonly topics = new Map<string, TopicSpec>();
  /** Identity of each topic. */
  readonly #identities = new Map<string, string>();
  /** The id of each topic in the file. */
  readonly #ids = new Map<string, number>();
  readonly #path: string;
  /** Holds the lock of the log, in a file of its own, because another thread opens the log's file, too. */
  readonly #owner: DatabaseSync;
  readonly #held: Deno.FsFile | undefined;
  readonly #file: SqliteFile;
  readonly #wal: WalMover;
  readonly #end: LogEnd;
  /** By topic and partition. */
  readonly #tables = new Map<string, RecordTable[]>();
  readonly #tombstones: number;
  readonly #step: (step: string) => void;
  readonly #savePosition: StatementSync;
  readonly #position: StatementSync;
  readonly #saveTrim: StatementSync;

  /** Opens or creates the file; see `SqliteLog.open()`. */
  constructor(path: string, options: SqliteLogOptions) {
    const { durability, syncMs } = settle(SQLITE_OPTIONS, options);
    const { tombstones = 10_000, onStep, isCopy = false, boot = bootTime() } = options;
    if (!Number.isInteger(tombstones) || tombstones < 1) {
      throw new RangeError(`Cannot keep ${tombstones} tombstones: at least 1 is needed`);
    }
    if (!(syncMs > 0 && syncMs <= LONGEST_SYNC_MS)) {
      throw new RangeError(
        `Cannot sync after ${syncMs} ms: it has to be more than 0 and at most ${LONGEST_SYNC_MS}`,
      );
    }
    this.#path = oneName(path);
    this.#tombstones = tombstones;
    this.#step = onStep ?? (() => {});
    using opened = new DisposableStack();
    this.#owner = opened.adopt(
      guarded(this.#path, () => own(this.#path)),
      (owner) => owner.close(),
    );
    this.#held = ownFile(this.#path);
    opened.defer(() => this.#held?.close());
    this.#file = opened.adopt(new SqliteFile(this.#path), (file) => file.letGo());
    const { db } = this.#file;
    this.#wal = new WalMover(this.#path, () => db.exec("PRAGMA wal_checkpoint(RESTART)"));
    const isNew = this.#file.initialise(durability);
    this.#savePosition = db.prepare("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)");
    this.#position = db.prepare(
      'SELECT "offset" FROM positions WHERE "group" = ? AND topic = ? AND partition = ?',
    );
    this.#saveTrim = db.prepare("INSERT OR REPLACE INTO trims VALUES (?, ?, ?)");
    this.#end = new LogEnd(this.#path, this.#file.guard(() => this.#load()), {
      syncMs,
      boot,
      isPower: durability === "power",
      isFirst: isNew || isCopy,
      guard: this.#file.guard.bind(this.#file),
    });
    opened.move();
  }

  id(topic: string): string {
    return this.#identities.get(topic) ?? "";
  }

  createTopics(topics: readonly TopicSpec[]): void {
    this.#end.prepare();
    const ids: number[] = [];
    this.#file.transaction(() => {
      const insert = this.#file.db.prepare("INSERT INTO topics (name, partitions, cleanup) VALUES (?, ?, ?)");
      for (const { name, partitions, cleanup } of topics) {
        const id = Number(insert.run(name, partitions, cleanup).lastInsertRowid);
        for (let p = 0; p < partitions; p++) {
          this.#file.db.exec(recordTableSchema(`records_${id}_${p}`, cleanup));
        }
        ids.push(id);
      }
      this.#file.db.exec(IDENTIFY);
    });
    this.#identify();
    for (const [i, { name, partitions, cleanup }] of topics.entries()) {
      this.#know({ name, partitions, cleanup }, ids[i] ?? NaN);
      this.#end.state.addTopic({ name, partitions, cleanup, id: this.id(name) });
    }
    this.#end.acknowledge();
  }

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
    this.#end.prepare();
    this.#step("begin");
    let offsets: number[][] = [];
    try {
      this.#file.transaction(() => {
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
      this.#end.state.setBounds(table.topic, table.partition, table.trimmed, table.end);
    }
    for (const { group, offsets } of writes) {
      for (const offset of offsets) this.#end.state.setPosition(group, offset);
    }
    this.#end.acknowledge();
    this.#wal.wrote(bytes, touched.size + pages);
    this.#step("committed");
    return offsets;
  }

  read(topic: string, partition: number, from: number, limits: ReadLimits): ReadResult {
    return this.#file.guard(
      () => this.#table(topic, partition).read(from, limits),
      `read ${topic}/${partition} from offset ${from} on`,
    );
  }

  latest(topic: string, partition: number, key: string): LogRecord | null {
    return this.#file.guard(
      () => this.#table(topic, partition).latest(key),
      `read a key of ${topic}/${partition}`,
    );
  }

  start(topic: string, partition: number): number {
    return this.#file.guard(() => this.#table(topic, partition).start);
  }

  end(topic: string, partition: number): number {
    return this.#file.guard(() => this.#table(topic, partition).end);
  }

  committed(group: string, topic: string, partition: number): number | null {
    const row = this.#file.guard(() => this.#position.get(group, topic, partition));
    return row === undefined ? null : Number(row["offset"]);
  }

  trim(topic: string, partition: number, before: number): void {
    const table = this.#file.guard(() => this.#table(topic, partition));
    if (before <= table.start) return;
    this.#end.prepare();
    let deleted = 0;
    this.#file.transaction(() => {
      this.#saveTrim.run(topic, partition, before);
      deleted = table.deleteBelow(before);
    });
    table.trimmed = before;
    this.#end.state.setBounds(topic, partition, before, table.end);
    this.#end.acknowledge();
    this.#wal.wrote(0, 1 + Math.ceil(deleted / ROWS_PER_PAGE));
  }

  erase(topic: string, partition: number, offsets: readonly number[]): void {
    this.#end.prepare();
    const table = this.#file.guard(() => this.#table(topic, partition));
    this.#file.db.exec("PRAGMA secure_delete = ON");
    try {
      this.#file.transaction(() => {
        this.#file.db.prepare("INSERT OR REPLACE INTO ends VALUES (?, ?, ?)").run(
          topic,
          partition,
          table.end,
        );
        this.#file.db.exec("DELETE FROM scrubs; INSERT INTO scrubs VALUES (1)");
        table.erase(offsets);
      });
    } finally {
      this.#file.db.exec("PRAGMA secure_delete = FAST");
    }
    this.#end.acknowledge();
    this.#wal.wrote(0, 1 + offsets.length);
  }

  scrub(): Scrubbed | "more" {
    return scrub(this.#file, this.#wal);
  }

  /** Reads every record and checks every page. @param tell called for each partition, before it is read */
  verify(tell: (topic: string, partition: number) => void = () => {}): Verified {
    let records = 0;
    const problems: string[] = [];
    const attempt = (act: () => void) => {
      try {
        this.#file.guard(act);
      } catch (error) {
        problems.push(reasonOf(error));
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
    attempt(() => this.#file.check("all"));
    return { records, problems };
  }

  async close(): Promise<void> {
    await this.#end.stop();
    await this.#wal.close();
    this.#file.close();
    await this.#end.close();
    await this.#wal.end();
    this.#held?.close();
    this.#owner.close();
  }

  /** Reads everything except records, and checks the indices. */
  #load(): CommittedState {
    this.#identify();
    const state = new CommittedState();
    for (const { id, ...topic } of this.#file.topicRows()) {
      const { name, partitions, cleanup } = topic;
      this.#know(topic, id);
      state.addTopic({ ...topic, id: this.id(name) });
      for (let p = 0; p < partitions; p++) {
        const table = `records_${id}_${p}`;
        const { start, end } = boundsOf(this.#file.db, table, name, p);
        const first = this.#file.db.prepare(`SELECT min("offset") AS first FROM ${table}`).get()?.["first"] ??
          start;
        if (cleanup === "delete" && Number(first) < start) {
          throw this.#file.corrupt(`${name}/${p} has offset ${first}, but was trimmed up to ${start}`);
        }
        state.setBounds(name, p, start, end);
      }
    }
    for (const row of this.#file.db.prepare("SELECT * FROM positions").all()) {
      const [group, topic, partition] = [
        String(row["group"]),
        String(row["topic"]),
        Number(row["partition"]),
      ];
      const offset = Number(row["offset"]);
      if (row["sum"] !== sumOf([group, topic, partition, offset])) {
        throw this.#file.corrupt(
          `the position of group ${group} in ${topic}/${partition} has changed since it was written`,
        );
      }
      state.setPosition(group, { topic, partition, offset });
    }
    const { size } = Deno.statSync(this.#path);
    if (size > CHECKED_BYTES) {
      logger.info("{path} is too large to check its indices on opening; `check --verify` does that", {
        path: this.#path,
      });
    } else this.#file.check(this.#compactTables());
    return state;
  }

  /** Tables whose records are looked up by an index. */
  #compactTables(): string[] {
    const compact = [...this.topics.values()].filter(({ cleanup }) => cleanup === "compact");
    return compact.flatMap(({ name, partitions }) =>
      Array.from({ length: partitions }, (_, p) => `records_${this.#ids.get(name)}_${p}`)
    );
  }

  /** Reads the identities of topics. */
  #identify(): void {
    const identities = "SELECT topic, id FROM identities";
    for (const { topic, id } of this.#file.db.prepare(identities).all()) {
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
    const table = new RecordTable(this.#file.db, {
      name,
      topic: spec,
      partition,
      tombstones: this.#tombstones,
      path: this.#path,
    });
    const tables = this.#tables.get(topic) ?? [];
    tables[partition] = table;
    this.#tables.set(topic, tables);
    return table;
  }
}
