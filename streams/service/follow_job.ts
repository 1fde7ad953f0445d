/**
 * What keeps a live model at the newest version.
 *
 * @module
 */

import type { ParameterSubscriber } from "../parameters.ts";
import type { Job } from "./worker.ts";

/** How long a step waits for a version. */
const IDLE_MS = 1000;

/** Applies versions as they come. */
export class FollowJob implements Job {
  readonly #subscriber: ParameterSubscriber;
  readonly #onServed: () => void;

  /** @param onServed told, again and again, that there is a version */
  constructor(subscriber: ParameterSubscriber, onServed: () => void) {
    this.#subscriber = subscriber;
    this.#onServed = onServed;
  }

  async step(signal: AbortSignal): Promise<void> {
    if (await this.#subscriber.update({ waitMs: IDLE_MS, signal }) > 0) this.#onServed();
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
