/**
 * The files of a SQLite log in a simulated world: each life of the process has a folder of its own, with what the one
 * before has left: all of it after `kill -9`, less after the power was cut, and other bits on a disk that rots.
 *
 * @module
 */

import { forgetSyncs, type Synced, syncedOf } from "./disk.ts";
import { EPOCH, realNow } from "./globals.ts";
import { closeAll } from "./shims/node_sqlite.ts";
import type { Owner, Random } from "./world.ts";

/** How a process has ended. */
export type Death =
  /** The files are as the system has them. */
  | "process"
  /** Of what no sync has confirmed, the end is gone. */
  | "power"
  /** A bit of the write-ahead log has changed. */
  | "rotten-wal"
  /** A bit of the database has changed, after all was moved there. */
  | "rotten-file";

const FILES = ["log.db", "log.db-wal", "log.db-end"] as const;
/** Bytes of the head of a write-ahead log, and of a frame of it. */
const HEAD_BYTES = 32;
const FRAME_BYTES = 4096 + 24;
const HOUR_MS = 3_600_000;

/** See the module. */
export class Storage implements Disposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: `meander-world-${Math.floor(realNow())}-` });
  readonly #random: Random;
  #life = 0;
  /** How often the machine was started. */
  #starts = 0;
  /** Whose life it is. */
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

  /** When the machine was started, as a log is told. */
  get boot(): number {
    return EPOCH + HOUR_MS * this.#starts;
  }

  /** Somebody opens it next. */
  lives(owner: Owner): void {
    this.#owner = owner;
  }

  /** Whoever had it open is dead; what is left is in the next folder. */
  die(death: Death): void {
    const before = this.#place;
    const synced = syncedOf(`${before}/log.db-wal`);
    this.#life++;
    Deno.mkdirSync(this.#place);
    for (const file of FILES) {
      if (exists(`${before}/${file}`)) Deno.copyFileSync(`${before}/${file}`, `${this.#place}/${file}`);
    }
    if (this.#owner !== undefined) closeAll(this.#owner);
    Deno.removeSync(before, { recursive: true });
    forgetSyncs(before);
    if (death === "power") this.#starts++;
    this.#spoil(death, synced);
  }

  [Symbol.dispose](): void {
    if (this.#owner !== undefined) closeAll(this.#owner);
    Deno.removeSync(this.#folder, { recursive: true });
  }

  get #place(): string {
    return `${this.#folder}/${this.#life}`;
  }

  #spoil(death: Death, synced: Synced | undefined): void {
    const path = death === "rotten-file" ? this.path : `${this.path}-wal`;
    if (death === "process" || !exists(path)) return;
    const bytes = Deno.readFileSync(path);
    if (bytes.length <= HEAD_BYTES + FRAME_BYTES) return;
    if (death === "power") {
      // Behind what was synced the end may be anywhere, also within a frame.
      const isSame = synced?.head.every((byte, i) => bytes[i] === byte) ?? false;
      const kept = isSame ? Math.min(bytes.length, synced!.bytes) : HEAD_BYTES;
      Deno.truncateSync(path, kept + Math.floor((bytes.length - kept) * this.#random()));
      return;
    }
    const at = HEAD_BYTES + Math.floor((bytes.length - HEAD_BYTES) * this.#random());
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
