/**
 * A broker that is killed while in use.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { type DevBroker, startBroker } from "../../scripts/kafka/dev_broker.ts";

const START_TRIES = 5;

/** A broker that dies and comes back at the same address. */
export class RestartingBroker implements AsyncDisposable {
  /** Its address for clients. */
  readonly address: string;
  readonly #data: string;
  #broker: DevBroker;
  /** A broker that is away cannot be killed. */
  #last: Promise<void> = Promise.resolve();

  private constructor(broker: DevBroker, data: string) {
    this.#broker = broker;
    this.#data = data;
    this.address = broker.address;
  }

  /** Creates one, with its log in a folder, which is emptied. */
  static async start(data: string): Promise<RestartingBroker> {
    return new RestartingBroker(await startBroker({ data, fresh: true }), data);
  }

  /** Kills it; it is away for a while, and then needs seconds to come back. */
  restart(awayMs: number): Promise<void> {
    return this.#last = this.#last.then(async () => {
      await this.#broker[Symbol.asyncDispose]();
      await delay(awayMs);
      for (let tries = 1;; tries++) {
        try {
          this.#broker = await startBroker({ data: this.#data, port: Number(this.address.split(":")[1]) });
          return;
        } catch (error) {
          // On a busy machine it may not come up in time.
          if (tries === START_TRIES) throw error;
        }
      }
    });
  }

  /** Kills it for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {}); // the caller that restarted it handles this
    await this.#broker[Symbol.asyncDispose]();
  }
}
