/**
 * What the thread of a server and the rest of the process tell each other, as calls over two ports.
 *
 * ```text
 *   process -> thread                          thread -> process
 *   open(path, topics)     the log             handle(request)       what needs a state
 *   connect(id, port, ..)  a way to the log    withoutModel(event)   the answer of a late request
 *   disconnect(id)                             told(news)            what was measured
 *   listen(order)          HTTP
 *   ask(event, now)        an answer
 *   room()                 for events
 *   measures()
 *   stop(patienceMs)       HTTP
 *   close()                the log
 * ```
 *
 * @module
 */

import type { LogLevel } from "@logtape/logtape";
import type { ApiKey } from "../../http/contract/access.ts";
import type { PlainProblem } from "../../http/contract/problem.ts";
import type { ListenOptions } from "../serve.ts";
import type { HttpSettings } from "../../http/contract/settings.ts";

/** What a thread begins with. */
export interface ServerStart {
  /** Calls to the thread. */
  readonly orders: MessagePort;
  /** Calls from the thread. */
  readonly calls: MessagePort;
  /** What is worth a word of its own. */
  readonly level: LogLevel;
}

/** How to listen. */
export interface ListenOrder extends ListenOptions {
  readonly partitions: number;
  readonly settings: HttpSettings;
  readonly keys: readonly ApiKey[];
}

/** A request that another thread is to answer. */
export interface PlainRequest {
  /** Id of the endpoint. */
  readonly endpoint: string;
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Unpacked; `null` = there is none. */
  readonly body: Uint8Array<ArrayBuffer> | null;
  /** Parts of the path by name. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** An answer on its way. */
export interface PlainResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** A stream, where it has no end. */
  readonly body: ArrayBuffer | ReadableStream<Uint8Array> | null;
}

/** What a question comes to, when that is no answer. */
export interface NoAnswer {
  readonly problem: PlainProblem;
}

/** What was measured since the last time. */
export interface ServerNews {
  /** Times to an answer, milliseconds. */
  readonly answered: readonly number[];
  /** Parts of bodies that were sent back. */
  readonly rejected: readonly RejectedPart[];
}

/** A part of a body that was sent back. */
export interface RejectedPart {
  readonly kind: "event" | "item";
  readonly code: string;
  readonly reason: string;
}
