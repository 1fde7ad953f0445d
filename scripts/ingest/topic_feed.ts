/**
 * What `ingest` feeds from: files, or a topic that may have no end.
 *
 * @module
 */

import type { Rejection } from "../../src/events/rejection.ts";
import { reasonOf } from "../../src/values/reason.ts";
import type { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { RegistryError } from "../../streams/formats/registry_client.ts";
import { pause } from "../../streams/log/pause.ts";
import { print } from "../flags/command_line.ts";

/** Longest wait for a record. */
const WAIT_MS = 1000;
/** Pause while the registry of schemas is unavailable. */
const REGISTRY_MS = 5000;

/** A feed from files or a topic. */
export interface Feed extends AsyncDisposable {
  /** Appends the next records. @returns whether there may be more */
  feed(): Promise<boolean>;
  /** Events appended so far. */
  readonly events: number;
  /** Items appended, and records rejected, so far. */
  readonly items: number;
  readonly rejected: number;
  readonly firstRejection: Rejection | undefined;
}

export interface TopicFeedParts {
  readonly feeder: TopicFeeder;
  readonly topic: string;
  /** Whether it ends when it has fed all that is there. */
  readonly once: boolean;
  /** Ends a wait. */
  readonly signal: AbortSignal;
  /** Disposed with it. */
  readonly owned: AsyncDisposableStack;
}

export class TopicFeed implements Feed {
  readonly #parts: TopicFeedParts;
  /** Dropped offsets that were reported. */
  #skipped = 0;

  constructor(parts: TopicFeedParts) {
    this.#parts = parts;
  }

  get events(): number {
    return this.#parts.feeder.events;
  }

  get items(): number {
    return this.#parts.feeder.items;
  }

  get rejected(): number {
    return this.#parts.feeder.rejected;
  }

  get firstRejection(): Rejection | undefined {
    return this.#parts.feeder.firstRejection;
  }

  async feed(): Promise<boolean> {
    const taken = await this.#feedOnce();
    const { feeder, topic, once } = this.#parts;
    const { skipped } = feeder;
    if (skipped !== this.#skipped) {
      print(Deno.stderr, `warning: ${topic} has dropped ${skipped} offsets that were not fed yet\n`);
    }
    this.#skipped = skipped;
    if (taken === undefined) return true;
    if (taken === 0) await feeder.check();
    return taken > 0 || !once;
  }

  /** @returns records taken; `undefined`, after a pause, when the registry of their schemas is unavailable */
  async #feedOnce(): Promise<number | undefined> {
    const { feeder, once, signal } = this.#parts;
    try {
      return await feeder.feed(once ? {} : { waitMs: WAIT_MS, signal });
    } catch (error) {
      if (signal.aborted) return 0;
      const isTemporary = error instanceof Error && error.cause instanceof RegistryError &&
        error.cause.isTemporary;
      if (!isTemporary) throw error;
      print(Deno.stderr, `waiting for the schema registry: ${reasonOf(error)}\n`);
      await pause(REGISTRY_MS, signal);
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.owned.disposeAsync();
  }
}
