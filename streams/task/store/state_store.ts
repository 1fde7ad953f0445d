/**
 * A task's state on the local disk: the newest committed record of each user and of each key of the `statistics`
 * topic, with the positions on both changelogs up to which they hold. It is a snapshot to restore from, and holds users
 * who are not in memory. It never contains more than what is committed, and can always be rebuilt from the log.
 */

import { reasonOf } from "../../../src/values/reason.ts";
import { type StateStoreOptions, STORE_OPTIONS } from "./store_options.ts";
import { getLogger } from "@logtape/logtape";
import { LogError } from "../../log/log.ts";
import { DamagedEntry } from "./segment.ts";
import { StoreFiles } from "./store_files.ts";
import { StoreWrites } from "./store_writes.ts";
import type { UserIndex } from "./users.ts";

/** The log positions of a store's records. */
export interface StorePosition {
  /** Records of `state` below this offset are in the store. */
  readonly state: number;
  /** Offset of the newest record of the task; records of `statistics` up to it are in the store. */
  readonly task: number;
  /** The mark of the log, which distinguishes it from other logs with the same topics. */
  readonly lineage: string;
}

/** A position as stored on disk. */
interface NotedPosition extends StorePosition {
  /** When it was stored, milliseconds since the epoch. */
  readonly notedAt?: number;
  /** Whether files may still contain erased records. @default {false} */
  readonly isPurgeDue?: boolean | undefined;
}

/** Status of a local snapshot. */
export interface StoreStatus {
  /** Bytes of all entries. */
  readonly bytes: number;
  /** Bytes in memory that are not written yet. */
  readonly unwritten: number;
  /** Why the last write failed; `null` if it succeeded. */
  readonly failure: string | null;
}

/** Number of folders to try, because some may be in use. */
const MAX_FOLDERS = 8;
const USER = "u";
const STATISTIC = "s";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const logger = getLogger(["meander", "snapshot"]);

/** The local state of one task. */
export class StateStore implements UserIndex {
  readonly #files: StoreFiles;
  readonly #writes: StoreWrites;
  readonly #wallClock: () => number;
  readonly #maxAgeMs: number;
  #users = 0;
  #position: StorePosition | null = null;
  #notedAt = NaN;
  #closed = false;

  private constructor(files: StoreFiles, options: StateStoreOptions) {
    this.#files = files;
    this.#writes = new StoreWrites(files, options);
    this.#wallClock = options.wallClock ?? Date.now;
    this.#maxAgeMs = options.maxAgeMs ?? STORE_OPTIONS.maxAgeMs.value;
    for (const key of files.store.keys()) if (key.startsWith(USER)) this.#users++;
    const { position } = files.store;
    if (position.length === 0) return;
    const { notedAt = NaN, isPurgeDue = false, ...noted } = JSON.parse(
      decoder.decode(position),
    ) as NotedPosition; // written by this class
    this.#writes.isPurgeDue = isPurgeDue;
    this.#position = noted;
    this.#notedAt = notedAt;
  }

  /**
   * Opens the store; a damaged store is renamed to `<folder>.aside` for a day, and replaced by an empty one.
   *
   * @param onProgress receives the bytes that were read, and their total
   * @returns `null` when no folder can be used, which is logged but is not an error
   */
  static async open(
    options: StateStoreOptions,
    onProgress?: (bytes: number, of: number) => void,
  ): Promise<StateStore | null> {
    try {
      for (let n = 0; n < MAX_FOLDERS; n++) {
        const folder = n === 0 ? options.folder : `${options.folder}.${n}`;
        const files = await StoreFiles.open(folder, onProgress);
        if (files !== null) return new StateStore(files, options);
        logger.warn("{folder} is in use by another task: trying the next folder", { folder });
      }
      logger.warn("no local snapshot: all folders of {folder} are in use", { folder: options.folder });
    } catch (error) {
      const reason = reasonOf(error);
      logger.error("no local snapshot in {folder}: {reason}", { folder: options.folder, reason });
    }
    return null;
  }

  /** Folder in use. */
  get folder(): string {
    return this.#files.folder;
  }

  /** The position up to which its records hold; `null` when it is empty. */
  get position(): StorePosition | null {
    return this.#position;
  }

  /** Whether the log may have dropped an erasure after the position. */
  get isTooOld(): boolean {
    // Also if the clock was set back.
    return this.#position !== null && !(Math.abs(this.#wallClock() - this.#notedAt) <= this.#maxAgeMs);
  }

  get status(): StoreStatus {
    return {
      bytes: this.#files.store.bytes,
      unwritten: this.#files.unwritten,
      failure: this.#writes.failure,
    };
  }

  get size(): number {
    return this.#users;
  }

  /** See {@linkcode UserIndex.get}. @throws LogError `closed` for a damaged record: the task must be opened again */
  get(id: string): Uint8Array | null {
    return this.#get(USER + id);
  }

  put(id: string, record: Uint8Array, waiting: boolean): void {
    const { store } = this.#files;
    const before = store.size;
    store.put(USER + id, record, waiting);
    this.#users += store.size - before;
  }

  /** Deletes a user, and requests a {@linkcode StateStore.purge}, which removes the record from the files. */
  delete(id: string): void {
    const { store } = this.#files;
    const before = store.size;
    store.delete(USER + id);
    this.#users += store.size - before;
    // Also behind the position of a restored store: a kill may have come between the deletion and its position.
    if (store.size < before || this.#position !== null) this.purge();
  }

  ids(): Iterable<string> {
    return this.#keys(this.#files.store.keys(), USER);
  }

  /** Users with pending deadlines. */
  waitingIds(): Iterable<string> {
    return this.#keys(this.#files.store.markedKeys(), USER);
  }

  /** Writes a record of the `statistics` topic. */
  putStatistic(key: string, record: Uint8Array): void {
    this.#files.store.put(STATISTIC + key, record);
  }

  /** Deletes a record of the `statistics` topic, as {@linkcode StateStore.delete} does a user. */
  deleteStatistic(key: string): void {
    this.#files.store.delete(STATISTIC + key);
    this.purge();
  }

  /** The records of the `statistics` topic, each valid until the next. @throws LogError `closed` when one is damaged */
  *statistics(): Generator<readonly [key: string, record: Uint8Array]> {
    for (const key of this.#keys(this.#files.store.keys(), STATISTIC)) {
      const record = this.#get(STATISTIC + key);
      if (record !== null) yield [key, record];
    }
  }

  /** Whether files may hold erased records, so that maintenance is needed even without a commit. */
  get isPurgeDue(): boolean {
    return this.#writes.isPurgeDue || this.#files.store.stale !== undefined;
  }

  /** Has replaced and deleted records removed from the files by a later sync, at most hourly, even after a crash. */
  purge(): void {
    this.#writes.isPurgeDue = true;
  }

  /** Writes the position up to which the records hold. */
  setPosition(position: StorePosition): void {
    this.#position = position;
    this.#notedAt = this.#wallClock();
    const noted: NotedPosition = {
      ...position,
      notedAt: this.#notedAt,
      isPurgeDue: this.isPurgeDue || undefined,
    };
    this.#files.store.setPosition(encoder.encode(JSON.stringify(noted)));
  }

  /** Writes in the background when there is enough to write, or a write is due; call it after each commit. */
  maintain(): void {
    this.#writes.maintain();
  }

  /**
   * Waits while too many bytes are only in memory, unless writes fail.
   *
   * @throws LogError `closed` when the store is damaged: the task must be opened again
   */
  async room(): Promise<void> {
    const { damage } = this.#writes;
    if (damage !== undefined) throw this.#error(damage);
    await this.#writes.room();
  }

  /** Syncs everything to disk. Never rejects: a failure is logged, and the sync retried. */
  async sync(): Promise<void> {
    await this.#writes.sync();
  }

  /**
   * Copies the store, which must not change in the meantime; copies nothing when the disk accepts no writes.
   *
   * @param to an unused folder, which is replaced
   */
  async copy(to: string): Promise<void> {
    await this.sync();
    if (this.#writes.failure === null) await this.#files.copy(to);
  }

  /** Closes the store and sets it aside, so that it is rebuilt from the log. */
  async setAside(reason: string): Promise<void> {
    this.#writes.damage = reason;
    await this.close();
  }

  /** Syncs everything to disk and closes the files. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writes.finish();
    const { damage } = this.#writes;
    if (damage !== undefined) {
      await this.#files.setAside(damage).catch((error) => {
        logger.error("could not set {folder} aside: {reason}", { folder: this.folder, reason: `${error}` });
      });
    }
    await this.#files.close().catch((error) => {
      logger.error("could not close {folder}: {reason}", { folder: this.folder, reason: `${error}` });
    });
  }

  #get(key: string): Uint8Array | null {
    try {
      return this.#files.store.get(key);
    } catch (cause) {
      if (!(cause instanceof DamagedEntry)) throw cause;
      this.#writes.damage = cause.message;
      throw this.#error(cause.message, cause);
    }
  }

  #error(reason: string, cause?: Error): LogError {
    return new LogError("closed", `Cannot use the snapshot in ${this.folder}: ${reason}`, { cause });
  }

  *#keys(keys: Iterable<string>, prefix: string): Generator<string> {
    for (const key of keys) if (key.startsWith(prefix)) yield key.slice(1);
  }
}
