/**
 * Calls from one thread to another over a port.
 *
 * ```text
 *   { call, method, args }   ──>      { call, result } or { call, error }
 *   { cancel: call }         ──>      aborts the signal of the call
 * ```
 *
 * A message costs both threads tens of microseconds whatever its size, so the messages of one turn are sent as one.
 *
 * @module
 */

import { setImmediate } from "node:timers"; // our own binding: a faked clock must not stop it
import { isOneOf } from "../../../src/values/one_of.ts";
import { firstOf } from "../../../src/values/reason.ts";
import { LOG_ERROR_CODES, LogError } from "../log.ts";

export type PortRequest =
  | { readonly call: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly cancel: number };

export interface PortReply {
  /** The call that it answers. */
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

/** Options of {@linkcode PortCaller.call}. */
export interface CallOptions {
  /** Parts of the arguments to transfer instead of copying. */
  readonly transfer?: Transferable[];
  /** Ends the wait: the call then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The calling end of a port. Both ends are of the same build, so that results have the types of their calls. */
export class PortCaller<Methods extends Calls<Methods>> {
  readonly #outbox: Outbox<PortRequest>;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #closedError: () => Error;
  #last = 0;
  #closed = false;

  /** Takes over a port. @param closedError what a call rejects with once it is closed */
  constructor(port: MessagePort, closedError: () => Error) {
    this.#closedError = closedError;
    this.#outbox = new Outbox(port, (request, error) => {
      if ("call" in request) this.#hear({ call: request.call, error: packError(error) });
    });
    port.onmessage = ({ data }: MessageEvent<readonly PortReply[]>) => {
      for (const reply of data) this.#hear(reply);
    };
  }

  /** Whether it is closed. */
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
      this.#outbox.put({ cancel: call });
      this.#calls.delete(call);
      answer.reject(signal?.reason);
    };
    signal?.addEventListener("abort", cancel);
    this.#outbox.put({ call, method, args }, transfer);
    try {
      return await answer.promise as ReturnType<Methods[Name]>; // types do not cross threads
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Closes the port and rejects pending calls. */
  close(): void {
    this.#closed = true;
    this.#outbox.close();
    for (const { reject } of this.#calls.values()) reject(this.#closedError());
    this.#calls.clear();
  }

  #hear({ call, result, error }: PortReply): void {
    const answer = this.#calls.get(call);
    this.#calls.delete(call);
    if (error === undefined) answer?.resolve(result);
    else answer?.reject(unpackError(error));
  }
}

/** The answering end of a port. */
export class PortAnswerer<Methods extends Calls<Methods>> {
  readonly #outbox: Outbox<PortReply>;
  readonly #acts: Acts<Methods>;
  /** Calls in progress. */
  readonly #calls = new Map<number, AbortController>();

  /** Takes over a port. */
  constructor(port: MessagePort, acts: Acts<Methods>) {
    this.#outbox = new Outbox(port, ({ call }, error) => {
      this.#outbox.put({ call, error: packError(error) });
    });
    this.#acts = acts;
    port.onmessage = ({ data }: MessageEvent<readonly PortRequest[]>) => {
      for (const request of data) {
        if ("cancel" in request) this.#calls.get(request.cancel)?.abort();
        else void this.#answer(request.call, request.method, request.args);
      }
    };
  }

  /** Closes the port and aborts calls in progress. */
  close(): void {
    this.#outbox.close();
    for (const call of this.#calls.values()) call.abort();
  }

  async #answer(call: number, method: string, args: readonly unknown[]): Promise<void> {
    const cancelling = new AbortController();
    this.#calls.set(call, cancelling);
    try {
      if (!Object.hasOwn(this.#acts, method)) {
        throw new TypeError(`Cannot answer ${method}: there is no such call`);
      }
      const act = this.#acts[method as keyof Methods]; // checked above
      const own = args as Parameters<Methods[keyof Methods]>; // types do not cross threads
      const { result, transfer = [] } = await act(own, cancelling.signal);
      this.#outbox.put({ call, result }, transfer);
    } catch (error) {
      this.#outbox.put({ call, error: packError(error) });
    } finally {
      this.#calls.delete(call);
    }
  }
}

/** Messages to send at the end of a turn. */
class Outbox<Message> {
  readonly #port: MessagePort;
  readonly #notSent: (message: Message, error: unknown) => void;
  #pending: Pending<Message>[] = [];
  #closed = false;

  /** @param notSent called with a message that cannot be cloned, and why */
  constructor(port: MessagePort, notSent: (message: Message, error: unknown) => void) {
    this.#port = port;
    this.#notSent = notSent;
  }

  put(message: Message, transfer: readonly Transferable[] = []): void {
    if (this.#closed) return;
    this.#pending.push({ message, transfer });
    if (this.#pending.length === 1) setImmediate(() => this.#flush());
  }

  /** Sends pending messages and closes the port. */
  close(): void {
    this.#flush();
    this.#closed = true;
    this.#port.close();
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    try {
      this.#post(pending);
    } catch {
      // Nothing was sent, because some message cannot be cloned; the others are sent one by one.
      for (const one of pending) {
        try {
          this.#post([one]);
        } catch (error) {
          this.#notSent(one.message, error);
        }
      }
    }
  }

  #post(pending: readonly Pending<Message>[]): void {
    this.#port.postMessage(
      pending.map(({ message }) => message),
      pending.flatMap(({ transfer }) => transfer),
    );
  }
}

interface Pending<Message> {
  readonly message: Message;
  readonly transfer: readonly Transferable[];
}

/** An error in a form that can be cloned. */
export function packError(thrown: unknown): PortError {
  const error = firstOf(thrown);
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), stack: undefined, code: undefined };
  }
  const { name, message, stack } = error;
  if (error instanceof LogError) return { name, message, stack, code: error.code, records: error.records };
  return { name, message, stack, code: "code" in error ? error.code : undefined };
}

/** Recreates the error that was thrown at the other end, with its class if callers distinguish that. */
export function unpackError({ name, message, stack, code, records }: PortError): Error {
  const error = name === "LogError" && isOneOf(LOG_ERROR_CODES, code)
    ? new LogError(code, message, { records })
    : name === "RangeError"
    ? new RangeError(message)
    : name === "TypeError"
    ? new TypeError(message)
    : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
