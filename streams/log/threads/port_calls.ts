/**
 * Calls from one thread to another over a port.
 *
 * ```text
 *   { call, method, args }   ──>      { call, result } or { call, error }
 *   { cancel: call }         ──>      the signal of the call is aborted, and nobody waits for it
 * ```
 *
 * A message costs both threads tens of microseconds, whatever is in it: what is said in a turn goes in one.
 *
 * @module
 */

import { setImmediate } from "node:timers"; // our own binding: a faked clock must not stop it
import { LOG_ERROR_CODES, LogError, type LogErrorCode } from "../log.ts";

/** From who calls. */
export type PortRequest =
  | { readonly call: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly cancel: number };

/** From who is called. */
export interface PortReply {
  /** What it answers. */
  readonly call: number;
  /** How it went. */
  readonly result?: unknown;
  /** What went wrong. */
  readonly error?: PortError;
}

/** An error, in a form that can be cloned. */
export interface PortError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
}

/** What a call has come to, and what of it is handed over and not copied. */
export interface Outcome {
  readonly result: unknown;
  readonly transfer?: Transferable[];
}

/** Does what a call asks for. The signal is aborted when nobody waits for it any more. */
export type Act = (
  method: string,
  args: readonly unknown[],
  signal: AbortSignal,
) => Promise<Outcome> | Outcome;

/** What a call may be given beside its arguments. */
export interface CallOptions {
  /** What of the arguments is handed over. */
  readonly transfer?: Transferable[];
  /** Ends the wait: the call then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The end of a port that calls. */
export class PortCaller {
  readonly #outbox: Outbox<PortRequest>;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #refusal: () => Error;
  #last = 0;
  #closed = false;

  /** Takes over a port. @param refusal what a call rejects with once it is closed */
  constructor(port: MessagePort, refusal: () => Error) {
    this.#refusal = refusal;
    this.#outbox = new Outbox(port, (request, error) => {
      if ("call" in request) this.#hear({ call: request.call, error: packError(error) });
    });
    port.onmessage = ({ data }: MessageEvent<readonly PortReply[]>) => {
      for (const reply of data) this.#hear(reply);
    };
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Calls. @throws what was thrown at the other end, the signal's reason, or the refusal */
  async call(
    method: string,
    args: readonly unknown[],
    { transfer = [], signal }: CallOptions = {},
  ): Promise<unknown> {
    if (this.#closed) throw this.#refusal();
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
      return await answer.promise;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Closes the port, and refuses what waits. */
  close(): void {
    this.#closed = true;
    this.#outbox.close();
    for (const { reject } of this.#calls.values()) reject(this.#refusal());
    this.#calls.clear();
  }

  #hear({ call, result, error }: PortReply): void {
    const answer = this.#calls.get(call);
    this.#calls.delete(call);
    if (error === undefined) answer?.resolve(result);
    else answer?.reject(unpackError(error));
  }
}

/** The end of a port that is called. */
export class PortAnswerer {
  readonly #outbox: Outbox<PortReply>;
  readonly #act: Act;
  /** Calls under way. */
  readonly #calls = new Map<number, AbortController>();

  /** Takes over a port. */
  constructor(port: MessagePort, act: Act) {
    this.#outbox = new Outbox(port, ({ call }, error) => {
      this.#outbox.put({ call, error: packError(error) });
    });
    this.#act = act;
    port.onmessage = ({ data }: MessageEvent<readonly PortRequest[]>) => {
      for (const request of data) {
        if ("cancel" in request) this.#calls.get(request.cancel)?.abort();
        else void this.#answer(request.call, request.method, request.args);
      }
    };
  }

  /** Closes the port, and aborts what is under way. */
  close(): void {
    this.#outbox.close();
    for (const call of this.#calls.values()) call.abort();
  }

  async #answer(call: number, method: string, args: readonly unknown[]): Promise<void> {
    const cancelling = new AbortController();
    this.#calls.set(call, cancelling);
    try {
      const { result, transfer = [] } = await this.#act(method, args, cancelling.signal);
      this.#outbox.put({ call, result }, transfer);
    } catch (error) {
      this.#outbox.put({ call, error: packError(error) });
    } finally {
      this.#calls.delete(call);
    }
  }
}

/** What is to be said at the end of a turn. */
class Outbox<Message> {
  readonly #port: MessagePort;
  readonly #unsaid: (message: Message, error: unknown) => void;
  #letters: Letter<Message>[] = [];
  #closed = false;

  /** @param unsaid told of a message that cannot be cloned, and why */
  constructor(port: MessagePort, unsaid: (message: Message, error: unknown) => void) {
    this.#port = port;
    this.#unsaid = unsaid;
  }

  put(message: Message, transfer: readonly Transferable[] = []): void {
    if (this.#closed) return;
    this.#letters.push({ message, transfer });
    if (this.#letters.length === 1) setImmediate(() => this.#flush());
  }

  /** Says what there is, and closes the port. */
  close(): void {
    this.#flush();
    this.#closed = true;
    this.#port.close();
  }

  #flush(): void {
    if (this.#letters.length === 0) return;
    const letters = this.#letters;
    this.#letters = [];
    try {
      this.#post(letters);
    } catch {
      // Nothing was said. One of them is in the way, and the others must not suffer for it.
      for (const letter of letters) {
        try {
          this.#post([letter]);
        } catch (error) {
          this.#unsaid(letter.message, error);
        }
      }
    }
  }

  #post(letters: readonly Letter<Message>[]): void {
    this.#port.postMessage(
      letters.map(({ message }) => message),
      letters.flatMap(({ transfer }) => transfer),
    );
  }
}

interface Letter<Message> {
  readonly message: Message;
  readonly transfer: readonly Transferable[];
}

/** An error as it travels. */
export function packError(error: unknown): PortError {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), stack: undefined, code: undefined };
  }
  const { name, message, stack } = error;
  return { name, message, stack, code: "code" in error ? error.code : undefined };
}

/** The error that was thrown on the other side: its class, if it is one that callers tell apart. */
export function unpackError({ name, message, stack, code }: PortError): Error {
  const error = name === "LogError" && (LOG_ERROR_CODES as readonly unknown[]).includes(code)
    ? new LogError(code as LogErrorCode, message)
    : name === "RangeError"
    ? new RangeError(message)
    : name === "TypeError"
    ? new TypeError(message)
    : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
