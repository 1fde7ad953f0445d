/**
 * Messages between a service and the thread of a learner.
 *
 * ```text
 *   service                           thread
 *   { start, log }            ──>     opens the log and the learner
 *                             <──     { figures }, when it has begun, then a quarter of a second apart while there is news,
 *                                     a second apart while there is none, as long as the log answers
 *                             <──     { commit }, after each one, when the log is its own
 *                             <──     { unreadable }, for each record that is left out
 *   { end: "finish" }         ──>     ends the current batch, writes a checkpoint, ends
 *   { end: "let go" }         ──>     ends
 *                             <──     { ended: null }, or { ended: error } at any time
 * ```
 *
 * @module
 */

import type { LearnerFigures } from "../../learning/learner_figures.ts";
import type { LogAddress, LogChannel } from "../../log/log.ts";
import type { LeftOut } from "../../log/unreadable.ts";
import type { PortError } from "../../log/threads/port_calls.ts";
import type { CommitReport } from "../../log/metered_log.ts";
import type { LearnerSpec } from "./learner_job.ts";

/** Where the thread finds its log. */
export type ThreadLog =
  /** It connects by itself. */
  | { readonly address: LogAddress }
  /** It asks the one of the process. */
  | LogChannel;

export type ThreadOrder =
  | { readonly start: LearnerSpec; readonly log: ThreadLog }
  | { readonly end: "finish" | "let go" };

export type ThreadReport =
  | { readonly figures: LearnerFigures }
  | { readonly unreadable: LeftOut }
  | { readonly commit: CommitReport }
  | { readonly ended: PortError | null };
