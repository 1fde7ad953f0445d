/**
 * Shows the progress of a replay: a bar on a terminal, a plain line every few seconds elsewhere.
 *
 * @module
 */

import cliProgress from "cli-progress";
import process from "node:process";
import { formatCount, formatFixed, formatPercent } from "./format.ts";
import type { Figure } from "./report_data.ts";

/** Status of a replay. */
export interface ProgressStatus {
  /** Events handled so far. */
  readonly events: number;
  readonly eventsPerSecond: Figure;
  /** AUC of the frozen predictions of the last window. */
  readonly auc: Figure;
  /** Click rate of the last window, 0..1. */
  readonly ctr: Figure;
}

/** Options of {@linkcode Progress}. */
export interface ProgressOptions {
  /** Expected number of events; without it there are only lines. */
  readonly total?: number;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  /** Writes a line of text, given without its terminator. @default standard error */
  readonly write?: (line: string) => void;
  /** Least time between two plain lines. @default {5000} */
  readonly intervalMs?: number;
}

interface Bar {
  start(total: number, value: number, payload: { status: string }): void;
  update(value: number, payload: { status: string }): void;
  stop(): void;
}

/**
 * A status as one line of text.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { progressLine } from "./progress.ts";
 *
 * const status = { events: 5000, eventsPerSecond: 2512.3, auc: 0.71234, ctr: 0.121 };
 * assert.equal(
 *   progressLine(status, 20_000),
 *   "5,000 of 20,000 events (25 %) · 2,512 events/s · AUC 0.7123 · CTR 12.1 %",
 * );
 * ```
 */
export function progressLine(status: ProgressStatus, total?: number): string {
  const share = total
    ? ` of ${formatCount(total)} events (${Math.floor(100 * status.events / total)} %)`
    : " events";
  return `${formatCount(status.events)}${share} · ${figures(status)}`;
}

/**
 * Shows progress on standard error, so that standard output holds only results. Dispose of it even when the run fails:
 * a bar keeps a timer.
 */
export class Progress implements Disposable {
  readonly #options: ProgressOptions;
  readonly #write: (line: string) => void;
  readonly #bar: Bar | null;
  #lineTime: number;
  #last: ProgressStatus = { events: 0, eventsPerSecond: null, auc: null, ctr: null };
  #reported: ProgressStatus | null = null;

  /** Starts the bar at 0; the first plain line follows after an interval. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#write = options.write ?? writeLine;
    this.#lineTime = options.now();
    this.#bar = options.isTerminal && options.total ? createBar() : null;
    this.#bar?.start(options.total ?? 0, 0, { status: "starting" });
  }

  /** Updates the status; cheap enough to call for every batch. */
  update(status: ProgressStatus): void {
    this.#last = status;
    if (this.#bar !== null) return this.#bar.update(status.events, { status: figures(status) });
    const now = this.#options.now();
    if (now - this.#lineTime < (this.#options.intervalMs ?? 5000)) return;
    this.#lineTime = now;
    this.#line();
  }

  /** Shows the last status unless shown, and releases the terminal. */
  [Symbol.dispose](): void {
    if (this.#bar !== null) this.#bar.stop();
    else if (this.#last.events > 0 && this.#last !== this.#reported) this.#line();
  }

  #line(): void {
    this.#reported = this.#last;
    this.#write(progressLine(this.#last, this.#options.total));
  }
}

function figures({ eventsPerSecond, auc, ctr }: ProgressStatus): string {
  return `${formatCount(eventsPerSecond)} events/s · AUC ${formatFixed(auc)} · CTR ${formatPercent(ctr)}`;
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
