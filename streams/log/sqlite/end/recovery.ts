/**
 * Checks on opening that a SQLite log holds what it should.
 *
 * ```text
 *            confirmed by the disk            acknowledged
 * ───────────────────┼──────────────────────────────┼─────── offsets
 *  less: refused     │ less: lost in a power cut;   │ as much or more: nothing is known to be lost; a power cut
 *                    │ refused if there was none    │ may have taken records together with the note of them
 * ```
 */

import { isSameBoot } from "./boot.ts";
import type { CommittedState, Shortfall } from "./committed_state.ts";
import type { Memory } from "./end_file.ts";
import { LogError } from "../../log.ts";

/**
 * Compares the log with its end file.
 *
 * @param boot when the machine was started, see `boot.ts`
 * @throws LogError `corrupt` when something is missing that no power cut can have taken
 * @returns A notice of what is or may be lost, or `null`
 */
export function recover(
  path: string,
  found: CommittedState,
  memory: Memory | "absent" | "damaged",
  boot: number,
): string | null {
  if (memory === "absent") {
    return `there is no ${path}-end, so a loss of the newest records cannot be detected`;
  }
  if (memory === "damaged") {
    throw new LogError(
      "corrupt",
      `Cannot open the log ${path}: ${path}-end, which records its end, is damaged; ` +
        "move that file away, and leave it away if `check --verify` finds nothing",
    );
  }
  const { acknowledged, confirmed } = memory;
  const hasRun = [acknowledged, confirmed].some((one) => one !== undefined && isSameBoot(one.boot, boot));
  if (acknowledged === undefined) {
    if (hasRun) return recover(path, found, "damaged", boot);
    refuseMissing(path, found, confirmed?.state, CONFIRMED);
    const before = confirmed?.windowMs ?? NaN;
    if (before === 0) return null;
    return `its end was being recorded when the machine stopped: ${mayBeLost(found, before)}`;
  }
  const { windowMs } = acknowledged;
  const { shortfalls, others } = acknowledged.state.missingIn(found);
  if (shortfalls.length === 0 && others.length === 0) {
    // A log that was closed, or that waits for the disk before it acknowledges, has lost nothing.
    if (hasRun || !(windowMs > 0)) return null;
    const stopped = Number.isNaN(boot)
      ? "it was not closed, and this process has no permission to see whether the machine has stopped since (--allow-sys=osUptime): if so, "
      : "it was not closed before the machine stopped: ";
    return stopped + mayBeLost(found, windowMs);
  }
  if (hasRun) {
    refuseMissing(path, found, acknowledged.state, "acknowledged, and the machine has run since");
  }
  if (windowMs === 0) refuseMissing(path, found, acknowledged.state, CONFIRMED);
  refuseMissing(path, found, confirmed?.state, CONFIRMED);
  const lost = shortfalls.reduce((sum, { from, to }) => sum + to - from, 0);
  return `${lost} acknowledged records are lost, because the machine stopped before its disk had them: ` +
    `${[...shortfalls.map(name), ...others].join(", ")}. In addition, ${mayBeLost(found, windowMs)}`;
}

/** The notice about records acknowledged so late that both files may lack them. */
function mayBeLost(found: CommittedState, windowMs: number): string {
  const late = windowMs > 0
    ? `within ${windowMs} ms, and the time of a sync, before that`
    : "shortly before that";
  return `what was acknowledged ${late} may be lost; the log ends at offsets ${found.describeEnds()}`;
}

const CONFIRMED = "confirmed by the disk";

function refuseMissing(
  path: string,
  found: CommittedState,
  wanted: CommittedState | undefined,
  how: string,
): void {
  const { shortfalls, others } = wanted?.missingIn(found) ?? { shortfalls: [], others: [] };
  if (shortfalls.length === 0 && others.length === 0) return;
  throw new LogError(
    "corrupt",
    `Cannot open the log ${path}: it holds less than was ${how}: ${
      [...shortfalls.map(name), ...others].join(", ")
    }. ` +
      `Its files are damaged, or an older copy. Put matching versions of ${path}, ${path}-wal and ${path}-end ` +
      `back; to continue without the missing records, move ${path}-end away`,
  );
}

function name({ topic, partition, from, to }: Shortfall): string {
  const last = to - 1;
  return last === from
    ? `offset ${from} of ${topic}/${partition} is missing`
    : `offsets ${from} to ${last} of ${topic}/${partition} are missing`;
}
