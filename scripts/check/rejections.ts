/** What `deno task check` says about the topic of rejected records: a note, or a problem if they are many. */

import { dateOf } from "../../src/values/date_of.ts";
import { shown } from "../../src/events/rejected.ts";
import { countOf } from "../../src/events/rejection.ts";
import { lookAtRejected, type RejectedLook } from "../../streams/feeders/newest_rejected.ts";
import type { RejectedCount, RejectedRecord } from "../../streams/feeders/rejected_records.ts";
import type { Log, LogRemark } from "../../streams/log/log.ts";
import type { Topics } from "../../streams/topics/topics.ts";

/** Bounds the cost of a look, however large the topic is. */
const LIMITS = { records: 10_000, bytes: 32 << 20 };
/** Reasons that are listed. */
const LISTED = 5;
/** Fewer are a note, whatever their share. */
const LEAST = 10;
/** One rejected record to so many events and items is a problem, altogether or within the last day. */
const TO_ONE = 20;
const DAY_MS = 86_400_000;

/** How many records were taken, and rejected. */
interface Share {
  /** Offsets of events and items, including those that were dropped. */
  readonly taken: number;
  readonly rejected: number;
}

/** How many were rejected for one reason, and when the newest was. */
type Reason = Pick<RejectedCount, "source" | "from" | "code" | "count"> & {
  readonly newest: Pick<RejectedRecord, "time">;
};

/** A look, with what it is to be judged by. */
export interface SeenRejections {
  readonly look: Pick<RejectedLook, "isAll" | "offsets"> & { readonly reasons: readonly Reason[] };
  /** Offsets of events and items; `undefined` = not known. */
  readonly taken: number | undefined;
  /** The last day, where the log has an index of times. @default {none} */
  readonly lastDay?: Share | undefined;
}

/** Looks at the newest rejected records of a deployment. @param now wall clock, milliseconds since the epoch */
export async function seenRejections(log: Log, topics: Topics, now: number): Promise<SeenRejections> {
  const look = await lookAtRejected(log, topics, {}, LIMITS);
  const since = now - DAY_MS;
  const last = look.records.filter(({ time }) => time >= since);
  let taken = 0, lastTaken = 0;
  for (const topic of [topics.events, topics.items]) {
    const partitions = (await log.identify(topic))?.partitions ?? 0;
    for (let partition = 0; partition < partitions; partition++) {
      const { end } = await log.bounds(topic, partition);
      taken += end; // also those that retention has dropped: rejected records stay longer
      if (last.length > 0) lastTaken += end - (await log.since?.(topic, partition, since) ?? end);
    }
  }
  const lastDay = log.since &&
    { rejected: last.reduce((sum, { rejection }) => sum + countOf(rejection), 0), taken: lastTaken };
  return { look, taken, lastDay };
}

/** The remark on rejected records; none if there are none. @param known how many are acknowledged */
export function remarksOn({ look, taken, lastDay }: SeenRejections, known = 0): readonly LogRemark[] {
  const { reasons, isAll, offsets } = look;
  if (reasons.length === 0) return [];
  const counted = reasons.reduce((sum, { count }) => sum + count, 0);
  const rejected = isAll ? counted : offsets;
  const left = rejected - known;
  const isProblem = (taken !== undefined && isLarge({ rejected: left, taken })) ||
    (lastDay !== undefined && isLarge({ ...lastDay, rejected: Math.min(left, lastDay.rejected) }));
  const newest = Math.max(...reasons.map(({ newest }) => newest.time));
  const until = newest > 0 ? `, the newest ${dateOf(newest)}` : "";
  const day = lastDay && lastDay.rejected > 0
    ? `; within a day, ${lastDay.rejected} beside ${lastDay.taken}`
    : "";
  const beside = taken === undefined ? "" : `, beside ${taken} events and items`;
  const scanned = isAll ? "" : ` of the newest ${counted}:`;
  const rest = reasons.length > LISTED ? `, and ${reasons.length - LISTED} further reasons` : "";
  const list = "`deno task meander -- rejected list` shows them";
  return [{
    what: `${rejected} records were rejected${beside}${day}${until}:${scanned} ` +
      reasons.slice(0, LISTED).map(reasonText).join(", ") + rest,
    remedy: isProblem ? `${list}; or accept them: --known rejected=${rejected}` : list,
    isProblem,
  }];
}

function isLarge({ rejected, taken }: Share): boolean {
  return rejected >= LEAST && rejected * TO_ONE >= taken;
}

function reasonText({ count, code, source, from }: Reason): string {
  const by = source === null ? "" : ` by ${shown(source)}`;
  return `${count} ${shown(code).slice(1, -1)} from ${shown(from)}${by}`;
}
