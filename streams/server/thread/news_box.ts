/**
 * Measurements of a server in its own thread, sent to the process in batches.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../../src/values/reason.ts";
import type { MetricsListener } from "../../http/metrics.ts";
import type { RejectedPart, ServerNews } from "./messages.ts";

const TELL_MS = 100;

const logger = getLogger(["meander", "http"]);

/** Collects measurements for the dashboard. */
export class NewsBox implements MetricsListener {
  readonly #tell: (news: ServerNews) => Promise<void>;
  #answered: number[] = [];
  #rejected: RejectedPart[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Starts empty. */
  constructor(tell: (news: ServerNews) => Promise<void>) {
    this.#tell = tell;
  }

  /** See {@linkcode MetricsListener.answered}. */
  answered(ms: number): void {
    this.#answered.push(ms);
    this.#wait();
  }

  /** See {@linkcode MetricsListener.rejectedOverHttp}. */
  rejectedOverHttp(kind: "event" | "item", code: string, reason: string): void {
    this.#rejected.push({ kind, code, reason });
    this.#wait();
  }

  /** Ignored: a server commits nothing. */
  committed(): void {}

  /** Ignored: a server writes no rejections. */
  rejected(): void {}

  /** Sends what is left. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flush();
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => void this.#flush(), TELL_MS);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const news = { answered: this.#answered, rejected: this.#rejected };
    [this.#answered, this.#rejected] = [[], []];
    await this.#tell(news).catch((error) =>
      logger.debug("cannot pass on measurements: {reason}", { reason: reasonOf(error) })
    );
  }
}
