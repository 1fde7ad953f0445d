/**
 * Messages between a service and the thread that builds a generation alongside, besides those of every thread
 * (`log_thread.ts`).
 *
 * ```text
 *   service                       thread
 *   { start, log, ... }    ──>    opens the log and the generation
 *                          <──    { progress }, at intervals
 *   { until }              ──>    builds up to there
 *                          <──    { restedMs }
 *   { copyTo }             ──>    copies its snapshots
 *                          <──    { restedMs }
 *   { end: true }          ──>    ends
 * ```
 */

import type { CommonReport, ThreadLog } from "../../log/threads/log_thread.ts";
import type { RebuildOptions } from "../build/options.ts";
import type { RebuildProgress } from "../build/rebuild.ts";

/** What is built; can be cloned. */
export type BuildSpec = Omit<RebuildOptions, "giveWay">;

/** What it does, one at a time. */
export type BuildWork =
  | {
    readonly until: readonly number[];
    readonly haste: number;
    readonly isShort: boolean;
    readonly isLast: boolean;
  }
  | { readonly copyTo: string };

export type BuildOrder =
  | {
    readonly start: BuildSpec;
    readonly log: ThreadLog;
    readonly share: number;
    /** Its element is 1 while the service is late. */
    readonly late: Int32Array<SharedArrayBuffer>;
  }
  | BuildWork
  | { readonly end: true };

export interface BuildFigures extends RebuildProgress {
  /** Newest version of its model. */
  readonly version: number;
}

/** What a build reports of its work. */
export type WorkReport =
  | { readonly progress: BuildFigures }
  /** The work is done; how long it rested for the service, milliseconds. */
  | { readonly restedMs: number };

export type BuildReport = WorkReport | CommonReport;
