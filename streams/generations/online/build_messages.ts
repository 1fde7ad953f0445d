/**
 * Messages between a service and the thread that builds a generation beside it.
 *
 * ```text
 *   service                       thread
 *   { start, log, ... }    ──>    opens the log and the generation
 *                          <──    { progress }, now and then
 *   { until }              ──>    builds up to there
 *                          <──    { done: true }
 *   { copyTo }             ──>    copies its snapshots
 *                          <──    { done: true }
 *   { end: true }          ──>    ends
 *                          <──    { ended: null }, or { ended: error } at any time
 * ```
 *
 * @module
 */

import type { LeftOut } from "../../log/unreadable.ts";
import type { PortError } from "../../log/threads/port_calls.ts";
import type { ThreadLog } from "../../service/jobs/thread_messages.ts";
import type { RebuildOptions, RebuildProgress } from "../rebuild.ts";

/** What is built; can be cloned. */
export type BuildSpec = Omit<RebuildOptions, "giveWay">;

/** What it does, one after the other. */
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

/** How far it is. */
export interface BuildFigures extends RebuildProgress {
  /** Newest version of its model. */
  readonly version: number;
}

/** From the thread. */
export type BuildReport =
  | { readonly progress: BuildFigures }
  | { readonly done: true }
  | { readonly unreadable: LeftOut }
  | { readonly ended: PortError | null };
