/**
 * The calls between the thread of a server and the process, over two ports.
 *
 * @module
 */

import type { LogLevel } from "@logtape/logtape";
import type { RequestEvent } from "../../../src/events/event.ts";
import type { Recommendation } from "../../../src/events/recommendation.ts";
import type { ConfiguredNames } from "../../../src/mapping/name_check.ts";
import type { LogAddress } from "../../log/log.ts";
import type { Topics } from "../../topics/topics.ts";
import type { Measures } from "../../http/metrics.ts";
import type { ApiKey } from "../../http/contract/access.ts";
import type { PlainProblem } from "../../http/contract/problem.ts";
import type { ListenOptions } from "../serve.ts";
import type { SourcesSettings } from "../../mapping/source_settings.ts";
import type { HttpSettings } from "../../http/contract/settings.ts";

/** The calls of the process to the thread. */
export interface ThreadCalls {
  open(address: LogAddress, topics: Topics): void;
  /** Serves the log to a port, under an id. @param isMetered whether the thread measures it */
  connect(id: number, port: MessagePort, isMetered: boolean): void;
  disconnect(id: number): void;
  /** Serves HTTP. @returns its URL */
  listen(order: ListenOrder): string;
  /** The recommendation that answers a request, as on the log. @param now when it arrived, by the monotonic clock */
  ask(event: RequestEvent, now: number): Uint8Array<ArrayBuffer> | NoAnswer;
  /** Waits for room for events. */
  room(): void | NoAnswer;
  measures(): Measures;
  /** Stops serving HTTP. */
  stop(patienceMs: number | undefined): void;
  /** Closes the log. */
  close(): void;
}

/** The calls of the thread to the process. */
export interface ProcessCalls {
  /** Answers a request that needs a state. */
  handle(request: PlainRequest): PlainResponse | NoAnswer;
  /** Answers a request for which the model is late. */
  withoutModel(event: RequestEvent): Recommendation | NoAnswer;
  /** Why one of the attributes of a filter is not known; `null`: all are. */
  unknownAttribute(names: readonly string[]): string | null;
  /** Receives measurements. */
  told(news: ServerNews): void;
}

/** The first message to a thread. */
export interface ServerStart {
  /** Calls to the thread. */
  readonly orders: MessagePort;
  /** Calls from the thread. */
  readonly calls: MessagePort;
  /** Lowest level of messages that are logged. */
  readonly level: LogLevel;
}

/** How to listen. */
export interface ListenOrder extends ListenOptions {
  readonly partitions: number;
  readonly settings: HttpSettings;
  readonly sources: SourcesSettings;
  readonly names: ConfiguredNames | undefined;
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
