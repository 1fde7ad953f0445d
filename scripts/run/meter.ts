/** Logs the status of a service at intervals. */

import { getLogger } from "@logtape/logtape";
import type { Service } from "../../streams/service/service.ts";
import type { ServiceStatus } from "../../streams/service/status.ts";

const STATUS_MS = 10_000;

const logger = getLogger(["meander", "run"]);

/** Logs the status of a service until it is disposed. */
export function logStatus(service: Service): Disposable {
  const meter = new Meter();
  let isAsking = false;
  const timer = setInterval(async () => {
    if (isAsking) return; // the log does not respond, which is reported elsewhere
    isAsking = true;
    try {
      meter.report(await service.status());
    } catch (error) {
      logger.debug("cannot query the status: {error}", { error });
    }
    isAsking = false;
  }, STATUS_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Logs a status, with the speed since the previous one. */
class Meter {
  #time = performance.now();
  #events = 0;
  #lag = 0;

  report({ events, partitions, version, learner, sources }: ServiceStatus): void {
    const now = performance.now();
    const speed = counted(this.#events, events) / (now - this.#time) * 1000;
    const lag = [...partitions, ...sources?.lags ?? []].reduce((sum, one) => sum + one.lag, 0);
    const left = untilRead(this.#lag, lag, now - this.#time);
    [this.#time, this.#events, this.#lag] = [now, events, lag];
    const figure = (value: number | null | undefined) => value?.toFixed(4) ?? "-";
    logger.info(
      "{speed} events/s, partitions {partitions}, lag {lag}{left}, version {version}, AUC {auc}, CTR {ctr}, " +
        "samples waiting {samples}",
      {
        speed: Math.round(speed),
        partitions: partitions.map((one) => `${one.partition}${one.restoring ? "?" : ""}`).join(",") || "-",
        lag,
        left,
        version: Math.max(version, learner?.version ?? 0),
        auc: figure(learner?.auc),
        ctr: figure(learner?.ctr),
        samples: learner?.lag ?? "-",
      },
    );
  }
}

/** The increase of a counter; a smaller value means that it restarted, with another generation. */
export function counted(before: number, now: number): number {
  return now < before ? now : now - before;
}

/** How long a lag lasts that went from `before` to `now` within `ms`; empty if it grows, or is gone at once. */
export function untilRead(before: number, now: number, ms: number): string {
  const seconds = now / (before - now) * ms / 1000;
  if (!(seconds >= 10 && seconds < Infinity)) return "";
  return ` (${seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`} at this pace)`;
}
