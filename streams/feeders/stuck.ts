/**
 * What cannot be read for now: others wait for it for a minute and then go ahead, so that one source does not stop all.
 * It is tried again in the background, since what is silent must delay nobody.
 */

import { ignore } from "../log/ignore.ts";

const STUCK_MS = 60_000;
const AGAIN_MS = 5000;

/** Since when what cannot go on fails, by the monotonic clock; outlives feeders, which are opened again after failures. */
export type StuckSince = Map<string, number>;

/** See the module. */
export class Stuck {
  readonly #since: StuckSince;
  readonly #name: string;
  readonly #clock: () => number;
  #attempt: Promise<void> | undefined;
  #attemptedAt = -Infinity;

  /** @param clock monotonic, milliseconds */
  constructor({ since, name }: { readonly since: StuckSince; readonly name: string }, clock: () => number) {
    this.#since = since;
    this.#name = name;
    this.#clock = clock;
  }

  /** How long it has been unable to go on, milliseconds. */
  get ms(): number {
    const begun = this.#since.get(this.#name);
    return begun === undefined ? 0 : this.#clock() - begun;
  }

  /** Notes a failure. @returns whether others have waited for long enough */
  fails(): boolean {
    if (!this.#since.has(this.#name)) this.#since.set(this.#name, this.#clock());
    this.#attemptedAt = this.#clock();
    return this.ms >= STUCK_MS;
  }

  /** Notes that it goes on. */
  ends(): void {
    this.#since.delete(this.#name);
  }

  /** Tries in the background whether it can go on, if it is time to. */
  tryAgain(attempt: () => Promise<unknown>): void {
    if (this.#attempt !== undefined || this.#clock() - this.#attemptedAt < AGAIN_MS) return;
    this.#attemptedAt = this.#clock();
    this.#attempt = ignore(attempt(), "it is tried again").finally(() => this.#attempt = undefined);
  }
}
