/**
 * Why a process cannot answer now: what it depends on is asked when somebody asks us, and within a bound.
 *
 * @module
 */

import type { Log } from "../../log/log.ts";
import { within } from "../deadline.ts";
import type { ApiContext } from "../context.ts";

/** How long a dependency may take to say how it is. */
export const PROBE_MS = 1000;

class Late extends Error {}

/** Asks a log whether it is there: never twice at a time, however many ask us. */
export class LogProbe {
  readonly #log: Pick<Log, "bounds">;
  readonly #topic: string;
  readonly #clock: () => number;
  #asking: Promise<unknown> | undefined;
  #answeredAt: number;

  /** Asks for the bounds of the first partition of a topic. @param clock milliseconds, which never goes back */
  constructor(log: Pick<Log, "bounds">, topic: string, clock: () => number) {
    this.#log = log;
    this.#topic = topic;
    this.#clock = clock;
    this.#answeredAt = clock();
  }

  /** Why it is not there; `null` when it has answered just now. */
  async reason(): Promise<string | null> {
    const asking = this.#asking ??= this.#log.bounds(this.#topic, 0).then(() => {
      this.#answeredAt = this.#clock();
    }).finally(() => this.#asking = undefined);
    try {
      await within(asking, PROBE_MS, () => new Late());
      return null;
    } catch (error) {
      if (!(error instanceof Late)) return `the log fails: ${(error as Error).message}`;
      const seconds = (this.#clock() - this.#answeredAt) / 1000;
      return `the log has not answered for ${seconds.toFixed(0)} s`;
    }
  }
}

/** Why the process cannot answer now; empty = it can. */
export async function unready(
  { service, metrics, health, isStopping, checks }: Pick<
    ApiContext,
    "service" | "metrics" | "health" | "isStopping" | "checks"
  >,
  probe: LogProbe,
): Promise<readonly string[]> {
  if (isStopping()) return ["it stops"];
  const late = () => new Late();
  const [away, own, others] = await Promise.all([
    probe.reason(),
    within(Promise.resolve(service?.unready() ?? []), PROBE_MS, late).catch((error): readonly string[] => {
      if (error instanceof Late) return []; // it waits for the log, which is said
      throw error;
    }),
    within(Promise.resolve(checks?.() ?? []), PROBE_MS, late).catch((): readonly string[] => []),
  ]);
  const { writeFailure } = metrics;
  const refused = writeFailure === null
    ? undefined
    : `the log does not take what is written: ${writeFailure}`;
  const failing = health.reason ?? refused ?? [];
  return [...away === null ? [] : [away], ...[failing].flat(), ...own, ...others];
}
