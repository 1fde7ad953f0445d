/** Shows the progress of a long command: a bar on a terminal, a plain line every few seconds elsewhere. */

import cliProgress from "cli-progress";
import process from "node:process";
import { formatCount } from "./format.ts";

export interface ProgressStatus {
  /** Records handled so far. */
  readonly done: number;
  /** Number of records in total; `undefined` when unknown. */
  readonly total?: number | undefined;
  /** Intermediate results, for people; called only when they are shown. */
  readonly figures: () => string;
}

export interface ProgressOptions {
  /** What is counted, in the plural. */
  readonly unit: string;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  /** Writes a line of text, given without its terminator. @default standard error */
  readonly write?: (line: string) => void;
  /** Shortest time between two plain lines. @default {5000} */
  readonly intervalMs?: number;
}

/** The bar is drawn at most ten times per second. */
const BAR_INTERVAL_MS = 100;

interface Bar {
  start(total: number, value: number, payload: { status: string }): void;
  update(value: number, payload: { status: string }): void;
  stop(): void;
}

/** A status as one line of text. */
export function progressLine({ done, total, figures }: ProgressStatus, unit: string): string {
  const share = total
    ? ` of ${formatCount(total)} ${unit} (${Math.floor(100 * done / total)} %)`
    : ` ${unit}`;
  return [`${formatCount(done)}${share}`, figures()].filter((part) => part !== "").join(" · ");
}

/**
 * Shows progress on standard error, so that standard output holds only results. Dispose of it even when the run fails:
 * a bar keeps a timer.
 */
export class Progress implements Disposable {
  readonly #options: ProgressOptions;
  readonly #write: (line: string) => void;
  #bar: Bar | null = null;
  #shownAt: number;
  #last: ProgressStatus | null = null;
  #shown: ProgressStatus | null = null;

  /** Shows nothing yet; the first plain line follows after an interval. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#write = options.write ?? writeLine;
    this.#shownAt = options.now();
  }

  /** Updates the status; cheap enough to call for every record. */
  update(status: ProgressStatus): void {
    const { isTerminal, now, intervalMs = 5000 } = this.#options;
    this.#last = status;
    if (isTerminal && status.total && this.#bar === null) {
      this.#bar = createBar();
      this.#bar.start(status.total, status.done, { status: "starting" });
    }
    const time = now();
    if (time - this.#shownAt < (this.#bar === null ? intervalMs : BAR_INTERVAL_MS)) return;
    this.#shownAt = time;
    this.#show(status);
  }

  /** Shows the last status unless already shown, and releases the terminal. */
  [Symbol.dispose](): void {
    if (this.#last !== null && this.#last !== this.#shown) this.#show(this.#last);
    this.#bar?.stop();
    this.#bar = null;
  }

  #show(status: ProgressStatus): void {
    this.#shown = status;
    if (this.#bar === null) this.#write(progressLine(status, this.#options.unit));
    else this.#bar.update(status.done, { status: status.figures() });
  }
}

function createBar(): Bar {
  return new cliProgress.SingleBar({
    format: "{bar} {percentage} % · {status} · {eta_formatted} left",
    barsize: 24,
    stream: process.stderr,
    // The bar's own handler would swallow Ctrl-C, which belongs to the caller.
    gracefulExit: false,
  }, cliProgress.Presets.shades_classic);
}

function writeLine(line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let written = 0; written < bytes.length;) written += Deno.stderr.writeSync(bytes.subarray(written));
}
