/** Starts and ends threads of this process that work on its log, and receives their reports. */

import { isShared } from "../capabilities.ts";
import { ignore } from "../ignore.ts";
import type { Log, LogAddress, LogChannel } from "../log.ts";
import { orAborted } from "../pause.ts";
import { type LeftOut, unreadable } from "../unreadable.ts";
import { packError, type PortError, unpackError } from "./port_calls.ts";
import { connectLog } from "./serve_log.ts";

/** Where a thread finds its log. */
export type ThreadLog =
  /** It opens the log itself. */
  | { readonly address: LogAddress }
  /** It uses the log of the process. */
  | LogChannel;

/** What every thread reports besides its results: records that it leaves out, and its end, with an error or without. */
export type CommonReport =
  | { readonly unreadable: LeftOut }
  | { readonly ended: PortError | null };

export interface LogThreadOptions<Order, Report> {
  readonly module: URL | string;
  /** What runs in it, for debuggers and errors. */
  readonly name: string;
  /** Deno permissions of the thread. @default {those of the process} */
  readonly permissions?: Deno.PermissionOptions | undefined;
  /** Makes the first order, which contains where its log is. */
  readonly start: (log: ThreadLog) => Order;
  /** The order to end. */
  readonly last: Order;
  /** How long it may take to end before it is terminated, which loses no more than a crash; milliseconds. */
  readonly patienceMs: number;
  /** Called with each report of its work. */
  readonly onReport: (report: Report) => void;
}

/** A thread, seen from the one that starts it. Errors in it reject `ended`; a silent exit goes undetected. */
export class LogThread<Order, Report extends object> implements AsyncDisposable {
  readonly #thread: Worker;
  readonly #connection: AsyncDisposable | undefined;
  readonly #options: LogThreadOptions<Order, Report>;
  /** Resolves when the thread has ended; rejects with its error. */
  readonly #ended = Promise.withResolvers<void>();
  #isOver = false;

  /** Starts the thread. */
  constructor(log: Log, options: LogThreadOptions<Order, Report>) {
    const { module, name, permissions, start } = options;
    this.#options = options;
    ignore(this.#ended.promise, "those who wait for the thread throw it");
    this.#thread = new Worker(module, {
      type: "module",
      name,
      ...(permissions === undefined ? {} : { deno: { permissions } }),
    });
    this.#thread.onmessage = ({ data }: MessageEvent<Report | CommonReport>) => this.#hear(data);
    this.#thread.onerror = (event) => {
      event.preventDefault();
      this.#end(new Error(`The thread of the ${name} died: ${event.message}`));
    };
    if (isShared(log)) this.order(start({ address: log.address }));
    else {
      const connection = this.#connection = connectLog(log);
      this.order(start(connection.channel), [connection.channel.port]);
    }
  }

  /** Resolves when the thread has ended. @throws its error */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  order(order: Order, transfer: Transferable[] = []): void {
    this.#thread.postMessage(order, transfer);
  }

  /** Waits for a promise of the thread's work. @throws the thread's error, or the signal's reason */
  async wait(done: Promise<void>, signal?: AbortSignal): Promise<void> {
    await orAborted(Promise.race([done, this.#ended.promise]), signal);
  }

  /** Orders the thread to end, unless it has, and terminates it if it does not. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) {
      this.order(this.#options.last);
      const patience = setTimeout(() => this.#end(), this.#options.patienceMs);
      await ignore(this.#ended.promise, "it is disposed");
      clearTimeout(patience);
    }
    this.#thread.terminate();
    await this.#connection?.[Symbol.asyncDispose]();
  }

  #hear(report: Report | CommonReport): void {
    if ("unreadable" in report) {
      const { place, reason, effect } = report.unreadable;
      unreadable.leaveOut(place, reason, effect);
    } else if ("ended" in report) this.#end(report.ended === null ? undefined : unpackError(report.ended));
    else this.#options.onReport(report);
  }

  #end(error?: Error): void {
    this.#isOver = true;
    if (error === undefined) this.#ended.resolve();
    else this.#ended.reject(error);
  }
}

/**
 * Does the work of a thread, in that thread, and reports an error. The work itself reports that it has ended, before it
 * closes its log, which no caller waits for.
 */
export async function workInThread(
  report: (report: CommonReport) => void,
  work: () => Promise<void>,
): Promise<void> {
  unreadable.forward((leftOut) => report({ unreadable: leftOut }));
  try {
    await work();
  } catch (error) {
    report({ ended: packError(error) });
  }
}
