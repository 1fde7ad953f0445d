/**
 * Whether the log takes what is sent: that its disk is full is known by whoever tries to write.
 *
 * @module
 */

/** So long after the last try that failed, another may come: without one nobody would know that there is room again. */
const REMEMBER_MS = 10_000;
/** What SQLite and Deno say of a disk that takes nothing, whatever others add before it. */
const FULL = /database or disk is full|disk I\/O error|no space left on device/i;

/** Remembers whether writes succeed. */
export class LogHealth {
  readonly #clock: () => number;
  #failed: { readonly reason: string; readonly at: number } | undefined;

  /** All is well. @param clock a clock in milliseconds that never goes back */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Why the log cannot be written; `undefined` when it can, or may be tried again. */
  get reason(): string | undefined {
    if (this.#failed === undefined || this.#clock() - this.#failed.at >= REMEMBER_MS) return undefined;
    return `the log cannot be written: ${this.#failed.reason}`;
  }

  /** Something was written. */
  written(): void {
    this.#failed = undefined;
  }

  /** Something has failed. @returns whether for want of room on the disk, which is no fault of the program */
  failed(error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    const [reason] = FULL.exec(error.message) ?? [];
    if (reason === undefined) return false;
    this.#failed = { reason, at: this.#clock() };
    return true;
  }
}
