/** Why a process is not ready. Its dependencies are probed on request, within a time limit. */

import { reasonOf } from "../../../src/values/reason.ts";
import type { Log } from "../../log/log.ts";
import { within } from "../deadline.ts";
import type { ApiContext } from "../context.ts";

/** Longest wait for a dependency. */
export const PROBE_MS = 1000;

class Late extends Error {}

/** Probes a log; concurrent calls share one probe. */
export class LogProbe {
  readonly #log: Pick<Log, "bounds">;
  readonly #topic: string;
  readonly #clock: () => number;
  #asking: Promise<unknown> | undefined;
  #answeredAt: number;

  /** Probes the bounds of the first partition of a topic. @param clock monotonic, milliseconds */
  constructor(log: Pick<Log, "bounds">, topic: string, clock: () => number) {
    this.#log = log;
    this.#topic = topic;
    this.#clock = clock;
    this.#answeredAt = clock();
  }

  /** Why the log does not respond; `null` when it does. */
  async reason(): Promise<string | null> {
    const asking = this.#asking ??= this.#log.bounds(this.#topic, 0).then(() => {
      this.#answeredAt = this.#clock();
    }).finally(() => this.#asking = undefined);
    try {
      await within(asking, PROBE_MS, () => new Late());
      return null;
    } catch (error) {
      if (!(error instanceof Late)) return `the log fails: ${reasonOf(error)}`;
      const seconds = (this.#clock() - this.#answeredAt) / 1000;
      return `the log has not answered for ${seconds.toFixed(0)} s`;
    }
  }
}

/** Why the process is not ready; empty when it is. */
export async function unready(
  { service, metrics, recommender, isStopping, checks }: Pick<
    ApiContext,
    "service" | "metrics" | "recommender" | "isStopping" | "checks"
  >,
  probe: LogProbe,
): Promise<readonly string[]> {
  if (isStopping()) return ["it is stopping"];
  const late = () => new Late();
  const [away, own, others] = await Promise.all([
    probe.reason(),
    within(Promise.resolve(service?.unready() ?? []), PROBE_MS, late).catch((error): readonly string[] => {
      if (error instanceof Late) return []; // it waits for the log, which is reported by itself
      throw error;
    }),
    within(Promise.resolve(checks?.() ?? []), PROBE_MS, late).catch((): readonly string[] => []),
  ]);
  const { writeFailure } = metrics;
  const failing = writeFailure === null ? [] : [`writes to the log fail: ${writeFailure}`];
  return [...away === null ? [] : [away], ...failing, ...recommender.failures, ...own, ...others];
}
