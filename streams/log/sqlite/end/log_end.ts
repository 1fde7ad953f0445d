/**
 * The end of an open SQLite log. What it acknowledges is recorded beside it first, in the end file, so that a loss is
 * noticed when the log is opened again; the disk is asked to confirm it in the background.
 */

import { getLogger } from "@logtape/logtape";
import { errorOf } from "../../../../src/values/reason.ts";
import type { CommittedState } from "./committed_state.ts";
import { EndFile, readMemory, syncFile } from "./end_file.ts";
import { isNoRoom } from "./no_room.ts";
import { recover } from "./recovery.ts";
import { Syncer } from "./syncer.ts";

export interface LogEndOptions {
  /** Whether each write waits for the disk. */
  readonly isPower: boolean;
  /** Time after which the disk is asked to confirm what was written, milliseconds. */
  readonly syncMs: number;
  /** When the machine was started, milliseconds since the epoch. */
  readonly boot: number;
  /** Whether the log is new or a copy, and has no end file yet. */
  readonly isFirst: boolean;
  /** Runs what may fail, and throws its error as one of the log. */
  readonly guard: <T>(act: () => T) => T;
}

const logger = getLogger(["meander", "log"]);

/** Records what a log acknowledges. */
export class LogEnd {
  /** What the log holds: to be changed after each commit, before {@linkcode LogEnd.acknowledge}. */
  readonly state: CommittedState;
  readonly #path: string;
  readonly #guard: LogEndOptions["guard"];
  readonly #file: EndFile;
  readonly #syncer: Syncer;
  /** Why nothing may be written any more. */
  #failure: Error | undefined;
  /** Whether there was no room to record the end of the log. */
  #isUnrecorded = false;

  /**
   * Compares what the log holds with what it acknowledged before, and begins a new end file.
   *
   * @param path The log
   * @param state What it holds
   * @throws LogError like `recover()`
   */
  constructor(path: string, state: CommittedState, options: LogEndOptions) {
    const { isPower, syncMs, boot, isFirst, guard } = options;
    this.state = state;
    this.#path = path;
    this.#guard = guard;
    const memory = readMemory(`${path}-end`);
    const found = recover(path, state, memory, boot);
    if (found !== null && !(isFirst && memory === "absent")) {
      logger.warn("opens the log {path}: {found}", { path, found });
    }
    syncFile(this.#wal); // an earlier process may have written to it without syncing
    const windowMs = isPower ? 0 : syncMs;
    this.#file = guard(() => new EndFile(`${path}-end`, state, { boot, windowMs }));
    this.#syncer = new Syncer({
      path: this.#wal,
      periodMs: syncMs,
      snapshot: () => state.bytes.slice(),
      confirm: (bytes) => this.#file.confirm(bytes),
      fail: (error) => this.#fail("the disk has not confirmed what was written", error),
    });
  }

  get #wal(): string {
    return `${this.#path}-wal`;
  }

  /** Records what had no room. To be called before each write. @throws Error if nothing may be written any more */
  prepare(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isUnrecorded) this.acknowledge();
  }

  /** Records the state, which is acknowledged when this returns. */
  acknowledge(): void {
    try {
      this.#file.acknowledge(this.state);
      this.#isUnrecorded = false;
    } catch (error) {
      this.#isUnrecorded = isNoRoom(error);
      if (this.#isUnrecorded) {
        this.#guard(() => {
          throw error;
        });
      }
      throw this.#fail("its end cannot be recorded", errorOf(error));
    }
    this.#syncer.wrote();
  }

  /** Asks the disk for nothing more; the log may be closed then. */
  async stop(): Promise<void> {
    await this.#syncer.close();
  }

  /** Records the end for good, once the log is closed. */
  async close(): Promise<void> {
    // SQLite has then moved everything into the database, synced it, and removed the write-ahead log.
    if (this.#failure === undefined && !exists(this.#wal)) await this.#file.seal(this.state);
    this.#file.close();
  }

  #fail(what: string, cause: Error): Error {
    this.#failure ??= new Error(
      `Cannot write to the log ${this.#path}: ${what} (${cause.message}); ` +
        "repair the disk and start again, which reports what is lost, if anything",
      { cause },
    );
    logger.error("{message}", { message: this.#failure.message });
    return this.#failure;
  }
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
