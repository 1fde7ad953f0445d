/** Follows recommendations and rejections, and hands each waiting request its own. */

import { getLogger } from "@logtape/logtape";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { decodeRejection, type Rejection } from "../../src/events/rejection.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { ignore } from "../log/ignore.ts";
import { isTransient, type Log, LogError, type LogRecord } from "../log/log.ts";
import { pause } from "../log/pause.ts";
import { unreadable } from "../log/unreadable.ts";
import { INPUT } from "../topics/delivery.ts";
import type { Topics } from "../topics/topics.ts";
import { Problem } from "./contract/problem.ts";

const WAIT_MS = 1000;
/** The first pause after a failed read; it doubles, to this at most, until a read succeeds. */
const RETRY_MS = 200;
const LONGEST_RETRY_MS = 5000;

/** Rejections that are remembered for requests whose append has not resolved yet. */
const MAX_REJECTED = 1000;

const logger = getLogger(["meander", "http"]);
/** An id may begin with U+FEFF. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** How a recommendation begins. */
const HEAD = new TextEncoder().encode('{"request":"');
const QUOTE = 0x22;

/** The answer to a request that is not on the log yet. */
export interface ExpectedAnswer {
  /** JSON of a `Recommendation`, as on the log; rejects with a `Problem` when the request is rejected. */
  readonly promise: Promise<Uint8Array<ArrayBuffer>>;
  /** Says where the request is on the log. */
  readonly placed: (offset: number) => void;
  /** Ends the wait. */
  readonly forget: () => void;
}

/** An answer, with the offset of the request that it answers. */
interface Answered {
  readonly offset: number;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** A request that waits for its answer, not for one to an earlier request with the same id. */
class Waiting {
  readonly answer: PromiseWithResolvers<Uint8Array<ArrayBuffer>> = Promise.withResolvers();
  #offset: number | undefined;
  /** Answers that came before the offset was known. */
  #early: Answered[] = [];

  placed(offset: number): void {
    this.#offset = offset;
    for (const one of this.#early) this.answered(one);
    this.#early = [];
  }

  answered(one: Answered): void {
    if (this.#offset === undefined) this.#early.push(one);
    else if (one.offset >= this.#offset) this.answer.resolve(one.value);
  }
}

/** Waits for the outcome of requests of one partition: recommendations, or rejections. */
export class Answers {
  /** Resolves once every later recommendation will be seen. */
  readonly started: Promise<void>;
  readonly ended: Promise<unknown>;
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #partition: number;
  readonly #answers: Follower;
  /** Waiting requests, by user and request. */
  readonly #expected = new Map<string, Set<Waiting>>();
  /** Waiting requests, by offset. */
  readonly #placed = new Map<number, Waiting>();
  /** The newest rejections by offset, since an append may resolve after its event was rejected. */
  readonly #rejected = new Map<number, Rejection>();

  /** Follows the topics of a partition until the signal. */
  constructor(log: Log, topics: Topics, partition: number, signal: AbortSignal) {
    this.#log = log;
    this.#topics = topics;
    this.#partition = partition;
    const fail = (error: unknown) => {
      for (const waiting of this.#expected.values()) for (const each of waiting) each.answer.reject(error);
    };
    const follow = (topic: string, take: Followed["take"]) =>
      new Follower(log, { topic, partition, signal, take, fail });
    const rejections = follow(topics.rejected, (value) => this.#reject(value));
    this.#answers = follow(topics.recommendations, (value, record) => this.#deliver(value, record));
    this.started = this.#answers.started; // it can answer without rejections
    this.ended = Promise.all([this.#answers.ended, rejections.ended]);
  }

  /** Why recommendations cannot be read now; `undefined` = they can. */
  get failure(): string | undefined {
    return this.#answers.failure;
  }

  /** Waits for the answer to a request. Call before it is appended. */
  expect(user: string, request: string): ExpectedAnswer {
    const key = keyOf(user, request);
    const waiting = this.#expected.get(key) ?? new Set();
    this.#expected.set(key, waiting);
    const own = new Waiting();
    let at: number | undefined;
    ignore(own.answer.promise, "the client may have given up");
    waiting.add(own);
    const placed = (offset: number) => {
      own.placed(offset);
      this.#placed.set(at = offset, own);
      const rejection = this.#rejected.get(offset);
      if (rejection !== undefined) this.#fail(own, rejection);
    };
    const forget = () => {
      waiting.delete(own);
      if (at !== undefined) this.#placed.delete(at);
      if (waiting.size === 0 && this.#expected.get(key) === waiting) this.#expected.delete(key);
    };
    return { promise: own.answer.promise, placed, forget };
  }

  /** A recommendation without {@linkcode INPUT} answers any request with its id. */
  #deliver(value: Uint8Array, { key: user, headers }: LogRecord): void {
    if (this.#expected.size === 0 || user === null) return;
    const waiting = this.#expected.get(keyOf(user, requestOf(value)));
    if (waiting === undefined) return;
    const copy = new Uint8Array(value); // the value may be a view of a large buffer
    const input = headers[INPUT];
    const offset = input === undefined ? Infinity : Number(input.split("/")[1]);
    for (const each of waiting) each.answered({ offset, value: copy });
  }

  #reject(value: Uint8Array): void {
    if (this.#expected.size === 0) return;
    const rejection = decodeRejection(value);
    if (!("offset" in rejection) || rejection.topic !== this.#topics.events) return;
    if (rejection.partition !== this.#partition) return;
    const { offset } = rejection;
    this.#rejected.set(offset, rejection);
    const [oldest] = this.#rejected.keys();
    if (this.#rejected.size > MAX_REJECTED && oldest !== undefined) this.#rejected.delete(oldest);
    const own = this.#placed.get(offset);
    if (own !== undefined) this.#fail(own, rejection);
  }

  /** Fails a request, unless it has an answer: another of its outputs may have been left out. */
  async #fail(own: Waiting, { code, reason }: Rejection): Promise<void> {
    try {
      // An answer is on the log no later than a rejection of its event.
      const { end } = await this.#log.bounds(this.#topics.recommendations, this.#partition);
      await this.#answers.reached(end);
    } catch {
      return; // the log fails: the request waits for its time-out
    }
    own.answer.reject(new Problem("refused", reason, { more: { errors: [{ index: 0, code, reason }] } }));
  }
}

/** What a {@linkcode Follower} follows. */
interface Followed {
  readonly topic: string;
  readonly partition: number;
  readonly signal: AbortSignal;
  /** Called with each record. What it throws makes the record unreadable. */
  readonly take: (value: Uint8Array, record: LogRecord) => void;
  /** Called when it ends. */
  readonly fail: (error: unknown) => void;
}

/** Follows a partition from its end on. */
class Follower {
  /** Resolves once every later record will be seen. */
  readonly started: Promise<void>;
  readonly ended: Promise<void>;
  /** Why its last read failed; `undefined` = it has not. */
  failure: string | undefined;
  #next: number | undefined;
  /** See `ReadResult.epoch`, of the last read. */
  #epoch: number | undefined;
  /** Waiters for a position, by offset. */
  readonly #reaching = new Set<{ readonly offset: number; readonly resolve: () => void }>();

  constructor(log: Log, followed: Followed) {
    const started = Promise.withResolvers<void>();
    this.started = started.promise;
    ignore(this.started, "each request awaits it");
    this.ended = this.#follow(log, followed, started.resolve).catch((error) => {
      started.reject(error);
      followed.fail(error);
    });
  }

  /** Resolves when it has taken every record below an offset. */
  reached(offset: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#reaching.add({ offset, resolve });
    this.#tell();
    return promise;
  }

  async #follow(log: Log, followed: Followed, onStart: () => void): Promise<never> {
    const { topic, partition, signal, take } = followed;
    for (let retryMs = RETRY_MS;;) {
      signal.throwIfAborted();
      try {
        this.#next ??= (await log.bounds(topic, partition)).end;
        onStart();
        const options = { epoch: this.#epoch, waitMs: WAIT_MS, signal };
        const read = await log.read(topic, partition, this.#next, options);
        retryMs = RETRY_MS;
        this.failure = undefined;
        for (const record of read.records) {
          const { value } = record;
          if (value === null) continue;
          try {
            take(value, record);
          } catch (cause) {
            unreadable.leaveOut(record, cause, "a request that waits for it gets no answer");
          }
        }
        [this.#next, this.#epoch] = [read.next, read.epoch];
        this.#tell();
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const reason = this.failure = reasonOf(error);
        logger.warn("cannot read {topic}/{partition}, on which answers come, trying again: {reason}", {
          topic,
          partition,
          reason,
        });
        // The topic has lost its end, or was created again: the position is meaningless now.
        if (!isTransient(error)) {
          [this.#next, this.#epoch] = [error instanceof LogError ? error.end : undefined, undefined];
        }
        await pause(retryMs, signal);
        retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
      }
    }
  }

  #tell(): void {
    for (const one of this.#reaching) {
      if ((this.#next ?? -1) < one.offset) continue;
      this.#reaching.delete(one);
      one.resolve();
    }
  }
}

/** The request of a recommendation. Tasks write it first, so the rest need not be parsed. */
function requestOf(answer: Uint8Array): string {
  const begin = HEAD.length;
  if (HEAD.every((byte, at) => answer[at] === byte)) {
    const id = decoder.decode(answer.subarray(begin, answer.indexOf(QUOTE, begin)));
    if (!id.includes("\\")) return id;
  }
  const { request }: Recommendation = JSON.parse(decoder.decode(answer));
  return request;
}

function keyOf(user: string, request: string): string {
  return `${user}\n${request}`; // ids have no control characters
}
