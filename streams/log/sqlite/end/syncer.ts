/** Syncs a SQLite log to disk once per period. */

import { clearTimeout, setTimeout } from "node:timers"; // our own binding: a faked clock must not stop the log
import { dirname } from "node:path";
import { errorOf } from "../../../../src/values/reason.ts";
import { syncFolder } from "./end_file.ts";

export interface SyncerOptions {
  /** The write-ahead log. */
  readonly path: string;
  /** Time from a write until it is synced, milliseconds. */
  readonly periodMs: number;
  /** The state that a sync beginning now confirms. */
  readonly snapshot: () => Uint8Array;
  /** Records the state that a sync has confirmed. @returns whether there was room; else it is asked again */
  readonly confirm: (snapshot: Uint8Array) => Promise<boolean>;
  /** Called when a sync failed, after which it is unknown what the disk holds. */
  readonly fail: (error: Error) => void;
}

/** Syncs after writes, without blocking the thread. */
export class Syncer {
  readonly #options: SyncerOptions;
  #file: Deno.FsFile | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #isDirty = false;
  #isClosed = false;

  /** Idle until the first write. */
  constructor(options: SyncerOptions) {
    this.#options = options;
  }

  /** Schedules a sync. */
  wrote(): void {
    this.#isDirty = true;
    if (this.#timer !== undefined || this.#running !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#run();
    }, this.#options.periodMs);
    this.#timer.unref();
  }

  /** Waits for the sync in progress, if any. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    this.#file?.close();
    this.#file = undefined;
  }

  async #run(): Promise<void> {
    const { snapshot, confirm, fail } = this.#options;
    this.#isDirty = false;
    try {
      const state = snapshot();
      await this.#sync();
      if (!await confirm(state)) this.#isDirty = true;
    } catch (error) {
      this.#isClosed = true;
      fail(errorOf(error));
    }
    this.#running = undefined;
    if (this.#isDirty) this.wrote();
  }

  async #sync(): Promise<void> {
    const { path } = this.#options;
    const isFirst = this.#file === undefined;
    this.#file ??= await Deno.open(path, { read: true, write: true });
    await this.#file.syncData();
    if (isFirst) syncFolder(dirname(path));
    const { nlink } = await this.#file.stat();
    if (nlink === 0) {
      throw new Error(`${path} was removed while in use; its content is still there until the log is closed`);
    }
  }
}
