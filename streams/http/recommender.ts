/**
 * Requests through the log: a request is appended to `events` like any other event, and answered by the recommendation
 * that its task commits. So every answer is on the log, and a request sees every event accepted before it.
 */

import type { RequestEvent } from "../../src/events/event.ts";
import type { Log } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import { ARRIVED_HEADERS } from "../topics/arrival.ts";
import type { Topics } from "../topics/topics.ts";
import { Answers } from "./answers.ts";
import { HTTP_LIMITS } from "./contract/limits.ts";
import { Problem } from "./contract/problem.ts";
import { within } from "./deadline.ts";
import { FairQueue } from "./contract/fair_queue.ts";

export interface RecommenderOptions {
  /** Longest wait for a recommendation, milliseconds. @default {2000} */
  readonly timeoutMs?: number | undefined;
  /** Requests that may wait at a time. @default {1000} */
  readonly maxWaiting?: number | undefined;
}

/** How far a request has got. */
type Stage = "begun" | "given to the log" | "on the log" | "given up";

/** What a late request waits for. */
const LATE: Readonly<Record<Stage, string>> = {
  "begun": "the log does not answer, and has not received the request (see GET /ready)",
  "given to the log": "the log does not answer, and may still append the request (see GET /ready)",
  "on the log":
    "earlier events are waiting (see lag in /v1/status); the request is on the log and will be answered there",
  "given up": "",
};

const encoder = new TextEncoder();

/** Appends requests, and returns the bytes of their recommendations. */
export class Recommender implements AsyncDisposable {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #partitions: number;
  readonly #timeoutMs: number;
  /** By partition. */
  readonly #answers = new Map<number, Answers>();
  readonly #closing = new AbortController();
  /** Functions that end the waits. */
  readonly #waiting: FairQueue<() => void>;

  /** Works on a log whose `events` have this many partitions. */
  constructor(log: Log, topics: Topics, partitions: number, options: RecommenderOptions = {}) {
    this.#log = log;
    this.#topics = topics;
    this.#partitions = partitions;
    this.#timeoutMs = options.timeoutMs ?? HTTP_LIMITS.answerTimeoutMs.value;
    this.#waiting = new FairQueue(options.maxWaiting ?? HTTP_LIMITS.maxWaiting.value);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Why answers cannot be read, a sentence for each partition. */
  get failures(): readonly string[] {
    return [...this.#answers.values()].flatMap(({ failure }) =>
      failure === undefined ? [] : `answers cannot be read: ${failure}`
    );
  }

  /**
   * Appends a request and waits for its recommendation.
   *
   * @param now time of the record, milliseconds since the epoch
   * @param caller who sends it: callers share the places fairly
   * @returns JSON of a `Recommendation`, as on the log
   * @throws Problem `answer-timeout`; `refused` when its task rejects it, or has left its answer out; `unavailable` when
   * too many wait already or we are closing
   */
  async ask(event: RequestEvent, now: number, caller = ""): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#closing.signal.aborted) throw new Problem("unavailable", "The server is stopping");
    const ended = Promise.withResolvers<never>();
    const end = () => {
      const detail = `${this.waiting} requests are waiting already, and no other caller has more of them`;
      ended.reject(new Problem("unavailable", detail, { headers: { "retry-after": "1" } }));
    };
    const left = this.#waiting.push(caller, end);
    left?.();
    if (left === end) return await ended.promise;
    const partition = partitionOf(event.user, this.#partitions); // more may have been added since
    const answers = this.#answersOf(partition);
    const answer = answers.expect(event.user, event.request);
    const value = encoder.encode(JSON.stringify(event));
    let stage: Stage = "begun";
    const append = async () => {
      await answers.started;
      if (stage === "given up") throw new Problem("answer-timeout", "The client no longer waits");
      stage = "given to the log";
      const record = { topic: this.#topics.events, partition, key: event.user, value, time: now };
      const [offset = 0] = await this.#log.append([{ ...record, headers: ARRIVED_HEADERS }]);
      answer.placed(offset);
      stage = "on the log";
    };
    const leave = () => this.#waiting.delete(caller, end);
    const appending = append();
    try {
      const answered = Promise.race([ended.promise, appending.then(() => answer.promise)]);
      return await within(answered, this.#timeoutMs, () => {
        const detail = `No answer within ${this.#timeoutMs} ms: ${LATE[stage]}`;
        if (stage === "begun") stage = "given up";
        return new Problem("answer-timeout", detail, { headers: { "retry-after": "1" } });
      });
    } finally {
      answer.forget();
      appending.then(leave, leave); // the append holds memory until then
    }
  }

  /** Stops following. Waiting requests fail with `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Problem("unavailable", "The server is stopping"));
    await Promise.all([...this.#answers.values()].map(({ ended }) => ended));
  }

  #answersOf(partition: number): Answers {
    let answers = this.#answers.get(partition);
    if (answers === undefined) {
      answers = new Answers(this.#log, this.#topics, partition, this.#closing.signal);
      this.#answers.set(partition, answers);
    }
    return answers;
  }
}
