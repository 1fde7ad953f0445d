/** The thread of `deno task run`: the engine as a service on a log. Stops cleanly on SIGTERM and Ctrl-C. */

import { getLogger } from "@logtape/logtape";
import { exitCodeOf } from "../flags/command_line.ts";
import type { Flags } from "./flags.ts";
import { serve } from "./serve.ts";
import { type Order, PATIENCE_MS, type Report } from "./start.ts";

const logger = getLogger(["meander", "run"]);

/** The scope of this thread, as far as it is used. */
interface ThreadScope {
  onmessage: (event: MessageEvent<Order<Flags>>) => void;
  postMessage(report: Report): void;
}

const scope = self as unknown as ThreadScope; // the library types `self` as a window's
/** Resolves when the service is to stop. */
const stop = Promise.withResolvers<void>();
/** What is still to be done before it has stopped. */
let unfinished = (): readonly string[] => ["opening the log"];

scope.onmessage = async ({ data: order }) => {
  if ("stop" in order) return stopOn(order.stop);
  const stopping = {
    stopped: stop.promise,
    onWork: (work: typeof unfinished) => void (unfinished = work),
    onFailure: () => endAfterPatience(1), // what failed may keep the rest from ending
  };
  scope.postMessage(await exitCodeOf(() => serve(order.flags, stopping)));
};
scope.postMessage("ready");

function stopOn(signal: Deno.Signal): void {
  logger.info("stopping on {signal}", { signal });
  stop.resolve();
  endAfterPatience(0);
}

function endAfterPatience(code: number): void {
  setTimeout(() => {
    logger.warn(
      "ending after {ms} ms without waiting for {what}: the next owner redoes what was not committed",
      { ms: PATIENCE_MS, what: unfinished().join(", ") },
    );
    scope.postMessage(code);
  }, PATIENCE_MS);
}
