/** The thread of a learner: a module worker, started by `threaded_learner.ts`. */

import { setImmediate as turn } from "node:timers/promises";
import { pause } from "../../log/pause.ts";
import { FigureTaker } from "../../learning/learner_figures.ts";
import type { Learning } from "../../learning/learning.ts";
import { openAt } from "../../log/kinds/kinds.ts";
import type { UngroupedLog } from "../../log/log.ts";
import { type ThreadLog, workInThread } from "../../log/threads/log_thread.ts";
import { RemoteLog } from "../../log/threads/remote_log.ts";
import { meteredLog, sizesOf } from "../../log/metered_log.ts";
import { ownPartitions } from "../../task/inputs/own_partitions.ts";
import { LEARNER_IDLE_MS, type LearnerSpec, openLearning } from "./learner_job.ts";
import type { ThreadOrder, ThreadReport } from "./thread_messages.ts";

/** The thread's side of its channel. */
interface ThreadScope {
  onmessage: (event: MessageEvent<ThreadOrder>) => void;
  postMessage(report: ThreadReport): void;
}

/** Samples per step: nothing waits for them here, and each request costs the other thread time. */
const SAMPLES = 64;
/** Pause after fewer samples than that, so that more arrive before the next request. */
const GATHER_MS = 20;
/** Time between two reports. */
const REPORT_MS = 250;

const scope = self as unknown as ThreadScope; // the library types `self` as a window's

const ending = new AbortController();
let finishes = false;

scope.onmessage = ({ data }) => {
  if ("end" in data) {
    finishes = data.end === "finish";
    ending.abort();
  } else void workInThread(report, () => live(data.start, data.log));
};

async function live(spec: LearnerSpec, place: ThreadLog): Promise<void> {
  await using log = ownPartitions(await openLog(place), spec.topics);
  await using learning = await openLearning(log, spec, { signal: ending.signal });
  await work(learning);
  if (finishes) await learning.checkpoint();
  report({ ended: null });
}

async function work(learning: Learning): Promise<void> {
  const taker = new FigureTaker(learning);
  const { signal } = ending;
  let reportedAt = -Infinity;
  /** Whether there is news since the last report; a response of the log counts. */
  let hasNews = true;
  while (!signal.aborted) {
    const untilDue = reportedAt + REPORT_MS - performance.now();
    if (hasNews && untilDue <= 0) {
      reportedAt = performance.now();
      hasNews = false;
      report({ figures: taker.take() });
    }
    if (await learning.step({ maxSamples: SAMPLES })) hasNews = true;
    else {
      const waitMs = hasNews ? Math.max(1, untilDue) : LEARNER_IDLE_MS;
      await learning.step({ maxSamples: SAMPLES, waitMs, signal }).catch((error) => {
        if (!signal.aborted || error !== signal.reason) throw error;
      });
      hasNews = true;
    }
    if (learning.taken > 0 && learning.taken < SAMPLES) await pause(GATHER_MS, signal);
    // A log in memory never yields, so messages would not be received.
    await turn();
  }
}

async function openLog(place: ThreadLog): Promise<UngroupedLog> {
  if ("port" in place) return new RemoteLog(place);
  return meteredLog(await openAt(place.address), {
    committed: (_, ms, { records }, ok) => report({ commit: { ms, ok, sizes: sizesOf(records) } }),
    appended: () => {}, // a learner only commits
    rebalanced: () => {}, // and has no group here
  });
}

function report(what: ThreadReport): void {
  scope.postMessage(what);
}
