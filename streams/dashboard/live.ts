/** Server-sent events: one snapshot per second, made once for all viewers, while there are any. */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";
import { FairQueue } from "../http/contract/fair_queue.ts";
import { Problem } from "../http/contract/problem.ts";
import type { Call } from "../http/endpoint.ts";
import type { Recorder } from "./recorder.ts";
import { hello, type Snapshots, type Tick } from "./snapshot.ts";

const TICK_MS = 1000;
const MAX_VIEWERS = 50;
/** A viewer that lags by this many ticks misses some. */
const MAX_BEHIND = 5;

const logger = getLogger(["meander", "dashboard"]);
const encoder = new TextEncoder();

export interface LiveOptions {
  readonly recorder: Recorder;
  readonly snapshots: Snapshots;
  readonly version: string;
}

/** Records a point each second and sends it to the viewers. */
export class LiveFeed implements Disposable {
  readonly #options: LiveOptions;
  #viewers = new FairQueue<ReadableStreamDefaultController<Uint8Array>>(MAX_VIEWERS);
  readonly #timer: ReturnType<typeof setInterval>;
  #busy = false;

  /** Starts recording points. */
  constructor(options: LiveOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /**
   * Opens an event stream: `hello` with the history, then `tick` each second. When there are too many, the newest of the
   * caller with the most ends.
   *
   * @throws Problem when that is this one
   */
  async open({ caller }: Pick<Call, "caller">): Promise<Response> {
    const { recorder, snapshots, version } = this.#options;
    const now = await snapshots.take();
    const viewers = this.#viewers;
    let own!: ReadableStreamDefaultController<Uint8Array>; // `start` runs at once
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (own = controller),
      cancel: () => viewers.delete(caller, own),
    });
    const left = viewers.push(caller, own);
    if (left === own) {
      throw new Problem("unavailable", `The dashboard already has ${viewers.size} viewers`, {
        headers: { "retry-after": "30" },
      });
    }
    left?.close();
    own.enqueue(message("hello", hello(recorder, version, now)));
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  /** Stops recording and closes all streams. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const viewer of this.#viewers) viewer.close();
    this.#viewers = new FairQueue(MAX_VIEWERS); // it is disposed of again
  }

  async #tick(): Promise<void> {
    if (this.#busy) return; // the log is unavailable: skip a point
    this.#busy = true;
    try {
      await this.#record();
    } catch (error) {
      logger.warn("cannot record a point of the charts: {reason}", { reason: reasonOf(error) });
    } finally {
      this.#busy = false;
    }
  }

  async #record(): Promise<void> {
    const { recorder, snapshots } = this.#options;
    const watched = this.#viewers.size > 0;
    const news = await recorder.record(watched);
    if (!watched) return;
    const tick: Tick = { ...news, now: await snapshots.take() };
    const bytes = message("tick", tick);
    for (const viewer of this.#viewers) {
      if ((viewer.desiredSize ?? 0) > -MAX_BEHIND) viewer.enqueue(bytes);
    }
  }
}

function message(event: string, data: unknown): Uint8Array {
  return encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
