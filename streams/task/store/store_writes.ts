/**
 * Writes a store to disk in the background: new entries often, a sync at intervals, and again after a failure, which is
 * reported at most once a minute.
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../../src/values/reason.ts";
import { DamagedEntry } from "./segment.ts";
import { DamagedStore, type StoreFiles } from "./store_files.ts";
import { type StateStoreOptions, STORE_OPTIONS } from "./store_options.ts";

/** Unwritten bytes that start a write, and the time after which any number does. */
const WRITE_BYTES = 1 << 20;
const WRITE_MS = 1000;
/** Maximum bytes waiting to be written while the disk accepts writes. */
const MAX_UNWRITTEN = 32 << 20;
/** Time until the next attempt after a failure. */
const RETRY_MS = 5000;
/** Time between reports of a failure. */
const REMIND_MS = 60_000;
/** Shortest time between purges, each of which rewrites everything. */
const PURGE_MS = 3_600_000;
/** How long a store that was set aside is kept, milliseconds. */
const ASIDE_MS = 24 * 3_600_000;

const logger = getLogger(["meander", "snapshot"]);

/** What is written. */
export type WrittenFiles =
  & Pick<StoreFiles, "folder" | "unwritten" | "write" | "compact" | "sync" | "dropAside" | "shrink">
  & { readonly store: { purge(): void } };

export class StoreWrites {
  /** Why the store cannot be used any more. */
  damage: string | undefined;
  /** Whether files may hold erased records. */
  isPurgeDue = false;
  readonly #files: WrittenFiles;
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #wallClock: () => number;
  /** Background work in progress. */
  #busy: Promise<void> | undefined;
  #writtenAt: number;
  #syncedAt: number;
  #failure: string | null = null;
  #failedAt = -Infinity;
  #saidAt = -Infinity;
  #purgedAt = -Infinity;

  constructor(files: WrittenFiles, options: Omit<StateStoreOptions, "folder" | "maxAgeMs">) {
    this.#files = files;
    this.#intervalMs = options.intervalMs ?? STORE_OPTIONS.intervalMs.value;
    this.#now = options.now ?? (() => performance.now());
    this.#wallClock = options.wallClock ?? Date.now;
    this.#writtenAt = this.#syncedAt = this.#now();
  }

  /** Why the last write failed; `null` if it succeeded. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Writes when there is enough to write, or a write is due. */
  maintain(): void {
    const now = this.#now();
    if (this.#busy !== undefined || now - this.#failedAt < RETRY_MS) return;
    const due = now - this.#syncedAt >= this.#intervalMs;
    if (!due && now - this.#writtenAt < WRITE_MS && this.#files.unwritten < WRITE_BYTES) return;
    this.#begin(due);
  }

  /** Waits while more than {@linkcode MAX_UNWRITTEN} bytes are only in memory, unless writes fail. */
  async room(): Promise<void> {
    while (this.#files.unwritten > MAX_UNWRITTEN && this.#failure === null) {
      await (this.#busy ?? this.#begin(false));
    }
  }

  /** Syncs everything to disk. Never rejects. */
  async sync(): Promise<void> {
    await this.#busy;
    await this.#begin(true);
  }

  /** Syncs everything to disk for the last time, unless the store is damaged. Never rejects. */
  async finish(): Promise<void> {
    await this.#busy;
    if (this.damage === undefined) await this.#work({ due: true, isLast: true });
  }

  #begin(due: boolean): Promise<void> {
    return this.#busy = this.#work({ due, isLast: false }).finally(() => this.#busy = undefined);
  }

  async #work({ due, isLast }: { readonly due: boolean; readonly isLast: boolean }): Promise<void> {
    try {
      if (due) await this.#syncFiles(isLast);
      else await this.#files.write();
      this.#writtenAt = this.#now();
      if (this.#failure !== null) logger.info("writes to {folder} again", { folder: this.#files.folder });
      this.#failure = null;
      this.#saidAt = -Infinity;
    } catch (error) {
      this.#failure = reasonOf(error);
      if (error instanceof DamagedStore || error instanceof DamagedEntry) this.damage ??= this.#failure;
      if (this.#files.unwritten > MAX_UNWRITTEN && !isLast) await this.#files.shrink();
      this.#failedAt = this.#now();
      this.#report(this.#failure);
    }
  }

  async #syncFiles(isLast: boolean): Promise<void> {
    if (this.isPurgeDue && !isLast && this.#now() - this.#purgedAt >= PURGE_MS) {
      this.#files.store.purge();
      this.isPurgeDue = false;
      this.#purgedAt = this.#now();
    }
    await this.#files.compact();
    await this.#files.sync();
    await this.#files.dropAside(this.#wallClock() - ASIDE_MS);
    this.#syncedAt = this.#now();
  }

  #report(reason: string): void {
    if (this.#failedAt - this.#saidAt < REMIND_MS) return;
    this.#saidAt = this.#failedAt;
    const megabytes = Math.round(this.#files.unwritten / 1e6);
    logger.error("cannot write to {folder}, keeps {megabytes} MB in memory and tries again: {reason}", {
      folder: this.#files.folder,
      megabytes,
      reason,
    });
  }
}
