/** The thread that builds a generation: a module worker, started by `threaded_build.ts`. */

import { setImmediate as turn } from "node:timers/promises";
import { openAt } from "../../log/kinds/kinds.ts";
import type { Log } from "../../log/log.ts";
import { pause } from "../../log/pause.ts";
import { type ThreadLog, workInThread } from "../../log/threads/log_thread.ts";
import { RemoteLog } from "../../log/threads/remote_log.ts";
import type { BuildOrder, BuildReport, BuildWork } from "./build_messages.ts";
import { lowerPriority, measureSpent, restAfter } from "../../service/jobs/processor_share.ts";
import { ownPartitions } from "../../task/inputs/own_partitions.ts";
import { GentleLog } from "./gentle_log.ts";
import { Rebuild } from "../build/rebuild.ts";

/** The thread's side of its channel. */
interface ThreadScope {
  onmessage: (event: MessageEvent<BuildOrder>) => void;
  postMessage(report: BuildReport): void;
}

/** Time between two reports. */
const REPORT_MS = 500;
/** Time between two checks whether the service is still late. */
const LOOK_MS = 10;
/** Most records per read, as logs have it. */
const RECORDS = 1000;

const scope = self as unknown as ThreadScope; // the library types `self` as a window's
const ending = new AbortController();
let work = Promise.withResolvers<BuildWork>();
/** When progress was last reported, by the clock. */
let reportedAt = -Infinity;

scope.onmessage = ({ data }) => {
  if ("end" in data) ending.abort();
  else if ("start" in data) void workInThread(report, () => live(data));
  else work.resolve(data);
};

async function live(
  { start: spec, log: place, share, late }: Extract<BuildOrder, { start: unknown }>,
): Promise<void> {
  lowerPriority();
  const { signal } = ending;
  const ended = new Promise<null>((resolve) => signal.addEventListener("abort", () => resolve(null)));
  await using log = ownPartitions(await openLog(place), spec.spec.topics);
  const isLate = () => Atomics.load(late, 0) === 1;
  const gentle = new GentleLog(log, {
    share: 1,
    isLate,
    maxRecords: RECORDS,
    signal,
    clock: () => performance.now(),
    async giveWay() {
      if (!isLate()) return false;
      await pause(LOOK_MS, signal);
      return true;
    },
  });
  const giveWay = () => gentle.rest();
  await using rebuild = await Rebuild.open(gentle.log, { ...spec, giveWay });
  for (let next = await Promise.race([work.promise, ended]); next !== null && !signal.aborted;) {
    work = Promise.withResolvers();
    let restedMs = -gentle.restedMs;
    if ("copyTo" in next) await rebuild.copySnapshots(next.copyTo);
    else {
      if (next.isLast) gentle.end();
      restedMs += await buildLeg(rebuild, next, share);
    }
    restedMs += gentle.restedMs;
    if (!signal.aborted) report({ restedMs });
    next = await Promise.race([work.promise, ended]);
  }
  report({ ended: null });
}

/**
 * Builds up to the positions of a leg, and takes no more than a share of the processor until the last.
 *
 * @returns how long it rested for that share, milliseconds
 */
async function buildLeg(
  rebuild: Rebuild,
  { until, haste, isShort, isLast }: Extract<BuildWork, { until: unknown }>,
  share: number,
): Promise<number> {
  const { signal } = ending;
  let restedMs = 0;
  rebuild.extend(until);
  for (let isOpen = true; isOpen && !signal.aborted;) {
    const spent = measureSpent();
    isOpen = await rebuild.step(isShort);
    const now = performance.now();
    if (!isOpen || now - reportedAt >= REPORT_MS) {
      reportedAt = now;
      report({ progress: { ...rebuild.progress, version: rebuild.learning.version } });
    }
    const begun = performance.now();
    if (!isLast) await pause(restAfter(spent(), Math.min(1, haste * share)), signal);
    restedMs += performance.now() - begun;
    await turn(); // a log in memory never yields, so messages would not be received
  }
  return restedMs;
}

/** The log, perhaps without groups, which a build does not need. */
async function openLog(place: ThreadLog): Promise<Log> {
  if (!("port" in place)) return await openAt(place.address);
  return new RemoteLog(place) as unknown as Log; // which has no groups
}

function report(what: BuildReport): void {
  scope.postMessage(what);
}
