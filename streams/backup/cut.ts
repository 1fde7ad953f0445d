/**
 * Finds a moment at which no transaction of a deployment is under way.
 *
 * ```text
 *   1  readable ends of all that tasks, learners and the monitor write
 *   2  readable ends of events and items
 *   3  written ends of the topics of 1: the same as in 1?
 * ```
 * If so, none of these partitions changed between 1 and 3, and none has a transaction that is open, or visible in some
 * partitions only. So at 2 each commit was complete, with its position, or absent, and nothing after the ends of 2 had
 * been read.
 */

import type { RecordLog } from "../log/capabilities.ts";
import type { Place } from "../log/log.ts";

const LONGEST_PAUSE_MS = 40;

export interface CutOptions {
  /** Partitions that the deployment reads, and that are written to at any time. */
  readonly sources: readonly Place[];
  /** Partitions that transactions of the deployment write to. */
  readonly derived: readonly Place[];
  /** How long to look, milliseconds. */
  readonly timeoutMs: number;
  /** A clock, milliseconds. */
  readonly now: () => number;
  /** Waits for this many milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
  /** Uniform in [0, 1): commits are periodic, and the looks must not fall into step with them. */
  readonly random: () => number;
}

/** Ends of partitions at one moment. */
export interface Cut {
  /** Of {@linkcode CutOptions.sources}. */
  readonly sources: readonly number[];
  /** Of {@linkcode CutOptions.derived}. */
  readonly derived: readonly number[];
  /** How often it looked. */
  readonly looks: number;
}

/** Looks for such a moment. @throws Error when there was none in time */
export async function findCut(log: Pick<RecordLog, "endsOf">, options: CutOptions): Promise<Cut> {
  const { sources, derived, timeoutMs, now, pause, random } = options;
  const until = now() + timeoutMs;
  for (let looks = 1;; looks++) {
    const readable = await log.endsOf(derived, "readable");
    const ends = await log.endsOf(sources, "readable");
    const written = await log.endsOf(derived, "written");
    if (written.every((end, i) => end === readable[i])) return { sources: ends, derived: readable, looks };
    if (now() >= until) {
      const busy = derived.filter((_, i) => written[i] !== readable[i]).map(({ topic, partition }) =>
        `${topic}/${partition}`
      );
      throw new Error(
        `Cannot find a moment without a commit within ${
          Math.round(timeoutMs / 1000)
        } s, after ${looks} looks (${
          busy.slice(0, 4).join(", ")
        }): let processes commit less often (--commit-interval), or stop them for the backup`,
      );
    }
    await pause(random() * LONGEST_PAUSE_MS);
  }
}
