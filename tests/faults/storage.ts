/**
 * The files of a SQLite log in a simulated world. Each life of the process has its own folder, with what the previous
 * one has left: everything after `kill -9`, less after a power cut, and changed or missing bits on a failing disk.
 *
 * @module
 */

import { forgetSyncs, HEAD_BYTES, lookAtLog, type Synced, syncedOf } from "./disk.ts";
import { EPOCH, realNow } from "./globals.ts";
import { rot } from "./rot.ts";
import { closeAll } from "./shims/node_sqlite.ts";
import type { Owner, Random } from "./world.ts";

/** How a process has ended. */
export type Death =
  /** The files are as the system has them. */
  | "process"
  /** What no sync has confirmed may be lost. */
  | "power"
  /** A bit of the write-ahead log has changed, or its end is lost. */
  | "rotten-wal"
  /** A bit of the database has changed, after everything was moved there, or its end is lost. */
  | "rotten-file";

const FILES = ["log.db", "log.db-wal", "log.db-end"] as const;
/** What a disk writes atomically. */
const SECTOR_BYTES = 512;
/** Share of the damage that truncates a file. */
const CUT_OFF = 0.3;
const HOUR_MS = 3_600_000;

/** See the module. */
export class Storage implements Disposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: `meander-world-${Math.floor(realNow())}-` });
  readonly #random: Random;
  #life = 0;
  /** How often the machine was started. */
  #starts = 0;
  /** Owner of the current life. */
  #owner: Owner | undefined;

  /** Empty. @param random decides what is lost */
  constructor(random: Random) {
    this.#random = random;
    Deno.mkdirSync(this.#place);
  }

  /** Where the log is now. */
  get path(): string {
    return `${this.#place}/log.db`;
  }

  /** When the machine was started, as told to a log. */
  get boot(): number {
    return EPOCH + HOUR_MS * this.#starts;
  }

  /** The next process opens it. */
  lives(owner: Owner): void {
    this.#owner = owner;
  }

  /** The process that had it open is dead; what is left is in the next folder. */
  die(death: Death): void {
    const before = this.#place;
    const synced = new Map(FILES.map((file) => [file, syncedOf(`${before}/${file}`)]));
    this.#life++;
    Deno.mkdirSync(this.#place);
    for (const file of FILES) {
      if (exists(`${before}/${file}`)) Deno.copyFileSync(`${before}/${file}`, `${this.#place}/${file}`);
    }
    if (this.#owner !== undefined) closeAll(this.#owner);
    Deno.removeSync(before, { recursive: true });
    forgetSyncs(before);
    if (death === "power") this.#starts++;
    if (death === "power") {
      this.#cutLog(synced.get("log.db-wal"));
      this.#cutEnd(synced.get("log.db-end"));
    } else if (death === "rotten-wal") this.#rotLog();
    else if (death === "rotten-file") rot(this.path, this.#random);
  }

  [Symbol.dispose](): void {
    if (this.#owner !== undefined) closeAll(this.#owner);
    Deno.removeSync(this.#folder, { recursive: true });
  }

  get #place(): string {
    return `${this.#folder}/${this.#life}`;
  }

  /** After what was synced, the write-ahead log may end anywhere, even within a frame. */
  #cutLog(synced: Synced | undefined): void {
    const path = `${this.path}-wal`;
    if (!exists(path)) return;
    const { bytes, length } = lookAtLog(path);
    const isSame = synced?.bytes.every((byte, i) => bytes[i] === byte) ?? false;
    const kept = Math.min(length, isSame ? synced!.length : HEAD_BYTES);
    Deno.truncateSync(path, kept + Math.floor((length - kept) * this.#random()));
  }

  /** Of the writes to the file next to it since its last sync, the disk has all, none, or some sectors. */
  #cutEnd(synced: Synced | undefined): void {
    const path = `${this.path}-end`;
    if (synced === undefined || !exists(path)) return;
    const bytes = Deno.readFileSync(path);
    if (bytes.length !== synced.length) throw new Error(`${path} has grown without a sync`);
    const share = [0, 1, 0.5][Math.floor(3 * this.#random())]!;
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      if (this.#random() >= share) bytes.set(synced.bytes.subarray(at, at + SECTOR_BYTES), at);
    }
    Deno.writeFileSync(path, bytes);
  }

  #rotLog(): void {
    const path = `${this.path}-wal`;
    if (!exists(path)) return;
    const { length } = lookAtLog(path);
    if (length <= HEAD_BYTES) return;
    const at = HEAD_BYTES + Math.floor((length - HEAD_BYTES) * this.#random());
    if (this.#random() < CUT_OFF) return Deno.truncateSync(path, at);
    const bytes = Deno.readFileSync(path);
    bytes[at] = bytes[at]! ^ 1 << Math.floor(8 * this.#random());
    Deno.writeFileSync(path, bytes);
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
