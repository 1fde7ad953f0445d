/** Keeps a live model at the newest version. */

import { setImmediate as turn } from "node:timers/promises";
import type { ParameterSubscriber } from "../../topics/parameters.ts";
import type { Job } from "./worker.ts";

/** How long a step waits for a version. */
const IDLE_MS = 1000;

/** Applies new versions as they arrive. */
export class FollowJob implements Job {
  readonly #subscriber: ParameterSubscriber;
  readonly #onLooked: (version: number) => void;

  /** @param onLooked called repeatedly with the version of the model; 0 = there is none yet */
  constructor(subscriber: ParameterSubscriber, onLooked: (version: number) => void) {
    this.#subscriber = subscriber;
    this.#onLooked = onLooked;
  }

  async step(signal: AbortSignal): Promise<void> {
    this.#onLooked(await this.#subscriber.update({ waitMs: IDLE_MS, signal, giveWay: () => turn() }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
