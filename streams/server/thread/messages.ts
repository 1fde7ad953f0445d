/**
 * The calls between the thread of a server and the process, over two ports.
 *
 * ```text
 *   process -> thread                          thread -> process
 *   open(path, topics)     the log             handle(request)       what needs a state
 *   connect(id, port, ..)  a way to the log    withoutModel(event)   the answer of a late request
 *   disconnect(id)                             unknownAttribute()    of a filter
 *   listen(order)          HTTP                told(news)            what was measured
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
import type { SourcesSettings } from "../../mapping/source_settings.ts";
import type { HttpSettings } from "../../http/contract/settings.ts";

/** The first message to a thread. */
export interface ServerStart {
  /** Calls to the thread. */
  readonly orders: MessagePort;
  /** Calls from the thread. */
  readonly calls: MessagePort;
  /** Least level of messages that are logged. */
  readonly level: LogLevel;
}

/** How to listen. */
export interface ListenOrder extends ListenOptions {
  readonly partitions: number;
  readonly settings: HttpSettings;
  readonly sources: SourcesSettings;
  readonly keys: readonly ApiKey[];
}

/** A request for another thread. */
export interface PlainRequest {
  /** Id of the endpoint. */
  readonly endpoint: string;
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Unpacked; `null`: none. */
  readonly body: Uint8Array<ArrayBuffer> | null;
  /** Parts of the path by name. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** A response from another thread. */
export interface PlainResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** A stream if the response is endless. */
  readonly body: ArrayBuffer | ReadableStream<Uint8Array> | null;
}

/** A call that failed with a problem. */
export interface NoAnswer {
  readonly problem: PlainProblem;
}

/** Measurements since the last call. */
export interface ServerNews {
  /** Times to a recommendation, milliseconds. */
  readonly answered: readonly number[];
  /** Rejected entries of bodies. */
  readonly rejected: readonly RejectedPart[];
}

/** A rejected entry of a body. */
export interface RejectedPart {
  readonly kind: "event" | "item";
  readonly code: string;
  readonly reason: string;
}
