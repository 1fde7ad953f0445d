/**
 * Calls from one thread to another over a port.
 *
 * ```text
 *   { call, method, args }   ──>      { call, result } or { call, error }
 *   { cancel: call }         ──>      aborts the signal of the call
 * ```
 */

import { isOneOf } from "../../../src/values/one_of.ts";
import { firstOf } from "../../../src/values/reason.ts";
import { LOG_ERROR_CODES, LogError } from "../log.ts";

export type PortRequest =
  | { readonly call: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly cancel: number };

export interface PortReply {
  readonly call: number;
  readonly result?: unknown;
  /** What was thrown. */
  readonly error?: PortError;
}

/** An error in a form that can be cloned. */
export interface PortError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
  /** See {@linkcode LogError.records}. */
  readonly records?: readonly number[];
  /** See {@linkcode LogError.end}. */
  readonly end?: number | undefined;
}

/** The calls that a port carries: parameters and result of each method, by its name. */
export type Calls<Methods> = { readonly [Name in keyof Methods]: (...args: never[]) => unknown };

/** The result of a call, and what is transferred with it instead of copied. */
export interface Outcome<Result = unknown> {
  readonly result: Result;
  readonly transfer?: Transferable[];
}

/** Carries out each call. The signal is aborted when the caller gives up. */
export type Acts<Methods extends Calls<Methods>> = {
  readonly [Name in keyof Methods]: (
    args: Parameters<Methods[Name]>,
    signal: AbortSignal,
  ) => Promise<Outcome<ReturnType<Methods[Name]>>> | Outcome<ReturnType<Methods[Name]>>;
};

export interface CallOptions {
  /** Parts of the arguments to transfer instead of copying. */
  readonly transfer?: Transferable[];
  /** Ends the wait: the call then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The calling end of a port. Both ends are of the same build, so that results have the types of their calls. */
export class PortCaller<Methods extends Calls<Methods>> {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #closedError: () => Error;
  #last = 0;
  #closed = false;

  /** Takes over a port. @param closedError what a call rejects with once it is closed */
  constructor(port: MessagePort, closedError: () => Error) {
    this.#port = port;
    this.#closedError = closedError;
    port.onmessage = ({ data: { call, result, error } }: MessageEvent<PortReply>) => {
      const answer = this.#calls.get(call);
      if (error === undefined) answer?.resolve(result);
      else answer?.reject(unpackError(error));
    };
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Calls a method. @throws what the other end threw, the signal's reason, or the error of a closed port */
  async call<Name extends keyof Methods & string>(
    method: Name,
    args: Parameters<Methods[Name]>,
    { transfer = [], signal }: CallOptions = {},
  ): Promise<ReturnType<Methods[Name]>> {
    if (this.#closed) throw this.#closedError();
    signal?.throwIfAborted();
    const call = ++this.#last;
    const answer = Promise.withResolvers<unknown>();
    this.#calls.set(call, answer);
    const cancel = () => {
      this.#port.postMessage({ cancel: call } satisfies PortRequest);
      answer.reject(signal?.reason);
    };
    signal?.addEventListener("abort", cancel);
    try {
      this.#port.postMessage({ call, method, args } satisfies PortRequest, transfer);
      return await answer.promise as ReturnType<Methods[Name]>; // types do not cross threads
    } finally {
      this.#calls.delete(call);
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Closes the port and rejects pending calls. */
  close(): void {
    this.#closed = true;
    this.#port.close();
    for (const { reject } of this.#calls.values()) reject(this.#closedError());
  }
}

/** The answering end of a port. */
export class PortAnswerer<Methods extends Calls<Methods>> {
  readonly #port: MessagePort;
  readonly #acts: Acts<Methods>;
  /** Calls in progress. */
  readonly #calls = new Map<number, AbortController>();

  /** Takes over a port. */
  constructor(port: MessagePort, acts: Acts<Methods>) {
    this.#port = port;
    this.#acts = acts;
    port.onmessage = ({ data: request }: MessageEvent<PortRequest>) => {
      if ("cancel" in request) this.#calls.get(request.cancel)?.abort();
      else void this.#answer(request.call, request.method, request.args);
    };
  }

  /** Closes the port and aborts calls in progress. */
  close(): void {
    this.#port.close();
    for (const call of this.#calls.values()) call.abort();
  }

  async #answer(call: number, method: string, args: readonly unknown[]): Promise<void> {
    const cancelling = new AbortController();
    this.#calls.set(call, cancelling);
    try {
      const act = this.#acts[method as keyof Methods]; // types do not cross threads
      const own = args as Parameters<Methods[keyof Methods]>; // as are those of the method
      const { result, transfer = [] } = await act(own, cancelling.signal);
      this.#port.postMessage({ call, result } satisfies PortReply, transfer);
    } catch (error) {
      // Perhaps the result cannot be cloned.
      this.#port.postMessage({ call, error: packError(error) } satisfies PortReply);
    } finally {
      this.#calls.delete(call);
    }
  }
}

/** An error in a form that can be cloned. */
export function packError(thrown: unknown): PortError {
  const error = firstOf(thrown);
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), stack: undefined, code: undefined };
  }
  const { name, message, stack } = error;
  if (error instanceof LogError) {
    const { code, records, end } = error;
    return { name, message, stack, code, records, end };
  }
  return { name, message, stack, code: "code" in error ? error.code : undefined };
}

/** Recreates the error that was thrown at the other end, with its class if callers distinguish that. */
export function unpackError({ name, message, stack, code, records, end }: PortError): Error {
  const error = name === "LogError" && isOneOf(LOG_ERROR_CODES, code)
    ? new LogError(code, message, { records, end })
    : name === "RangeError"
    ? new RangeError(message)
    : name === "TypeError"
    ? new TypeError(message)
    : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
