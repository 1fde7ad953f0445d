/** Tries to replace the serving generation until it succeeds, or an attempt fails for good. */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";
import { CannotSwitchYet } from "../../streams/generations/online/legs.ts";
import { pause } from "../../streams/log/pause.ts";

export interface BesideOptions {
  /** Builds a generation and switches to it; resumes where the last attempt ended. @returns whether it serves */
  readonly build: () => Promise<boolean>;
  /** Whether the old tasks have stopped: nothing serves after a failure. */
  readonly isReleased: () => boolean;
  /** Called with the reason, for people, when an attempt fails. */
  readonly onFailure: (failure: string) => void;
  /** Ends it, without an error. */
  readonly signal: AbortSignal;
  /** Pause before the second attempt, doubled with each, milliseconds. @default {60_000} */
  readonly againMs?: number | undefined;
}

const AGAIN_MS = 60_000;
const LONGEST_AGAIN_MS = 30 * 60_000;
const NOT_GOOD_ENOUGH = "it was not good enough to serve: the log of the process gives the reason";

const logger = getLogger(["meander", "rebuild"]);

/**
 * Builds alongside the serving generation, which keeps serving after a failure.
 *
 * @returns whether the new one serves
 * @throws a failure after the old tasks have stopped
 */
export async function buildBeside(options: BesideOptions): Promise<boolean> {
  const { build, isReleased, onFailure, signal } = options;
  for (let againMs = options.againMs ?? AGAIN_MS; !signal.aborted;) {
    try {
      const isSwitched = await build();
      if (!isSwitched) onFailure(NOT_GOOD_ENOUGH);
      return isSwitched;
    } catch (error) {
      if (signal.aborted) return false;
      if (isReleased()) throw error;
      const reason = reasonOf(error);
      onFailure(reason);
      if (!(error instanceof CannotSwitchYet)) {
        logger.error("cannot build a new generation; the old one keeps serving: {reason}", { reason });
        return false;
      }
      const seconds = Math.round(againMs / 1000);
      logger.warn("{reason}; the old generation keeps serving, next attempt in {seconds} s", {
        reason,
        seconds,
      });
    }
    await pause(againMs, signal);
    againMs = Math.min(2 * againMs, LONGEST_AGAIN_MS);
  }
  return false;
}
