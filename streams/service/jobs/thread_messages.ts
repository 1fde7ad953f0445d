/**
 * Messages between a service and the thread of a learner, besides those of every thread (`log_thread.ts`).
 *
 * ```text
 *   service                           thread
 *   { start, log }            ──>     opens the log and the learner
 *                             <──     { figures }, when it has begun, then a quarter of a second apart while there is news,
 *                                     a second apart while there is none, as long as the log answers
 *                             <──     { commit }, after each one, when the log is its own
 *   { end: "finish" }         ──>     ends the current batch, writes a checkpoint, ends
 *   { end: "release" }         ──>     ends
 * ```
 */

import type { LearnerFigures } from "../../learning/learner_figures.ts";
import type { CommonReport, ThreadLog } from "../../log/threads/log_thread.ts";
import type { CommitReport } from "../../log/metered_log.ts";
import type { LearnerSpec } from "./learner_job.ts";

export type ThreadOrder =
  | { readonly start: LearnerSpec; readonly log: ThreadLog }
  | { readonly end: "finish" | "release" };

/** What a learner reports of its work. */
export type LearnerReport =
  | { readonly figures: LearnerFigures }
  | { readonly commit: CommitReport };

export type ThreadReport = LearnerReport | CommonReport;
