/**
 * Whether the log can be written. Only a write shows that its disk is full.
 *
 * @module
 */

/** A failure is forgotten after this time, so that the next write shows whether there is room again. */
const REMEMBER_MS = 10_000;
/** Messages of SQLite and Deno about a full or failing disk. */
const FULL = /database or disk is full|disk I\/O error|no space left on device/i;

/** Tracks whether writes succeed. */
export class LogHealth {
  readonly #clock: () => number;
  #failed: { readonly reason: string; readonly at: number } | undefined;

  /** Starts healthy. @param clock monotonic, milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Why the log cannot be written; `undefined` when it can, or should be tried again. */
  get reason(): string | undefined {
    if (this.#failed === undefined || this.#clock() - this.#failed.at >= REMEMBER_MS) return undefined;
    return `the log cannot be written: ${this.#failed.reason}`;
  }

  /** Records a successful write. */
  written(): void {
    this.#failed = undefined;
  }

  /** Records a failed write. @returns whether its cause is a full or failing disk, rather than a bug */
  failed(error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    const [reason] = FULL.exec(error.message) ?? [];
    if (reason === undefined) return false;
    this.#failed = { reason, at: this.#clock() };
    return true;
  }
}
