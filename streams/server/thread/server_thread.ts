/**
 * A server in its own thread, with the log: [decision 27](../../../docs/decisions/0027-server-thread.md).
 *
 * ```text
 *   thread                                    process
 *   HTTP ── events, requests ──> SQLite log <══ reads, commits ══ tasks, learner
 *     └──── what needs a state ─────────────────────────────────> endpoints
 * ```
 *
 * @module
 */

import type { LogLevel } from "@logtape/logtape";
import { LocalGroups } from "../../log/group.ts";
import { ignore } from "../../log/ignore.ts";
import {
  type GroupHandlers,
  type Log,
  type LogAddress,
  type LogChannel,
  type LogConnection,
  LogError,
  type Membership,
} from "../../log/log.ts";
import { type Acts, PortAnswerer, PortCaller } from "../../log/threads/port_calls.ts";
import { RemoteLog } from "../../log/threads/remote_log.ts";
import type { Topics } from "../../topics/topics.ts";
import { type Backend, openBackend } from "../backend.ts";
import type { Endpoint } from "../../http/endpoint.ts";
import type { HttpOptions } from "../backend.ts";
import type { HttpServer } from "../serve.ts";
import type { Queues } from "../queues.ts";
import { answered, answerForwarded, answerOf } from "./forward.ts";
import type { ListenOrder, ProcessCalls, ServerStart, ThreadCalls } from "./messages.ts";

/** Options of {@linkcode ServerThread.open}. */
export interface ServerThreadOptions {
  /** The log that the thread opens, of a kind that is not shared. */
  readonly address: LogAddress;
  /** Topics of the deployment. */
  readonly topics: Topics;
  /** Permissions of the thread. @default {those of the process} */
  readonly permissions?: Deno.PermissionOptions;
  /** Lowest level of messages that are logged. @default {"info"} */
  readonly level?: LogLevel;
}

/** A thread that has the log, and serves HTTP when it is told to. Closing the log ends it. */
export class ServerThread {
  /** Resolves when the thread has ended; rejects when it died, after which nothing works. */
  readonly ended: Promise<void>;
  readonly #thread: Worker;
  readonly #orders: PortCaller<ThreadCalls>;
  readonly #calls: PortAnswerer<ProcessCalls>;
  readonly #end = Promise.withResolvers<void>();
  #death: Error | undefined;
  #log: ThreadLog | undefined;
  #backend: Backend | undefined;
  #endpoints: ReadonlyMap<string, Endpoint> = new Map();
  #ways = 0;

  private constructor({ permissions, level = "info" }: ServerThreadOptions) {
    this.ended = this.#end.promise;
    ignore(this.ended, "an owner need not watch it");
    const orders = new MessageChannel();
    const calls = new MessageChannel();
    this.#orders = new PortCaller(
      orders.port1,
      () => this.#death ?? new LogError("closed", "Cannot use the server's thread: it has ended"),
    );
    this.#calls = new PortAnswerer(calls.port1, this.#acts());
    const options: WorkerOptions = { type: "module", name: "server" };
    if (permissions !== undefined) options.deno = { permissions };
    this.#thread = new Worker(new URL("./thread.ts", import.meta.url), options);
    this.#thread.onerror = (event) => {
      event.preventDefault();
      this.#death = new Error(`The thread of the server died: ${event.message}`);
      this.#end.reject(this.#death);
      this.#log?.lose();
      this.#let();
    };
    const start: ServerStart = { orders: orders.port2, calls: calls.port2, level };
    this.#thread.postMessage(start, [orders.port2, calls.port2]);
  }

  /** Starts a thread, and opens the log in it. @throws LogError what opening the log throws */
  static async open(options: ServerThreadOptions): Promise<ServerThread> {
    const thread = new ServerThread(options);
    try {
      await thread.#orders.call("open", [options.address, options.topics]);
      const { channel } = thread.#connect(false);
      thread.#log = new ThreadLog(channel, () => thread.#connect(true), () => thread.#close());
      return thread;
    } catch (error) {
      thread.#let();
      throw error;
    }
  }

  /** The log; its consumer groups are local to this thread. */
  get log(): Log {
    if (this.#log === undefined) throw new Error("Cannot use the log of a thread that did not open it");
    return this.#log;
  }

  /**
   * Starts to serve. The thread itself uses the wall clock.
   *
   * @throws Error when it cannot listen there, for example because the port is taken
   */
  async listen(options: HttpOptions): Promise<HttpServer> {
    const { hostname, port, metrics, settings = {}, sources = {}, names, keys = settings.keys ?? [] } =
      options;
    const backend = this.#backend = await openBackend(options, this.#queues());
    this.#endpoints = new Map(backend.endpoints.map((endpoint) => [endpoint.id, endpoint]));
    const { partitions } = backend.context;
    const order: ListenOrder = { hostname, port, partitions, settings, sources, names, keys };
    return await backend.serve(async () => {
      const url = await this.#orders.call("listen", [order]);
      metrics.join(() => this.#orders.call("measures", []));
      let stopped: Promise<void> | undefined;
      const stop = (patienceMs?: number) => this.#orders.call("stop", [patienceMs]);
      return {
        url,
        ended: this.ended,
        stop: (patienceMs) => stopped ??= stop(patienceMs),
        [Symbol.asyncDispose]: () => stopped ??= stop(),
      };
    });
  }

  /** The queues of the thread, which end with its server. */
  #queues(): Queues {
    const orders = this.#orders;
    return {
      recommender: { ask: (event, now) => answerOf(orders.call("ask", [event, now])) },
      backlog: { room: () => answerOf(orders.call("room", [])) },
      async [Symbol.asyncDispose]() {},
    };
  }

  /** Opens a connection to the log. @param isMetered whether the thread measures it */
  #connect(isMetered: boolean): LogConnection {
    const { port1, port2 } = new MessageChannel();
    const id = ++this.#ways;
    // Calls over a port arrive in order, so this one comes before any on the connection.
    const connected = this.#orders.call("connect", [id, port1, isMetered], { transfer: [port1] });
    ignore(connected, "calls on the connection fail by themselves");
    return {
      channel: { port: port2, hasLatest: true },
      lost: this.ended,
      [Symbol.asyncDispose]: async () => {
        if (!this.#orders.closed) await this.#orders.call("disconnect", [id]);
      },
    };
  }

  async #close(): Promise<void> {
    try {
      if (!this.#orders.closed) await this.#orders.call("close", []);
    } finally {
      this.#let();
      this.#end.resolve();
    }
  }

  /** Terminates the thread. */
  #let(): void {
    this.#orders.close();
    this.#calls.close();
    this.#thread.terminate();
  }

  #acts(): Acts<ProcessCalls> {
    return {
      handle: ([request]) =>
        answered(() => answerForwarded(this.#endpoints, this.#listening.context.bodies, request)),
      withoutModel: ([event]) =>
        answered(async () => ({ result: await this.#listening.context.withoutModel(event) })),
      unknownAttribute: async ([names]) => ({
        result: await this.#listening.context.unknownAttribute?.(names) ?? null,
      }),
      told: ([{ answered, rejected }]) => {
        const { recorder } = this.#listening;
        for (const ms of answered) recorder.answered(ms);
        for (const { kind, code, reason } of rejected) recorder.rejectedOverHttp(kind, code, reason);
        return { result: undefined };
      },
    };
  }

  get #listening(): Backend {
    if (this.#backend === undefined) throw new Error("Cannot answer the thread: no server is listening yet");
    return this.#backend;
  }
}

/** The log of the thread, with consumer groups in this one. */
class ThreadLog extends RemoteLog implements Log {
  readonly connect: () => LogConnection;
  readonly #groups = new LocalGroups();
  readonly #close: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(channel: LogChannel, connect: () => LogConnection, close: () => Promise<void>) {
    super(channel);
    this.connect = connect;
    this.#close = close;
  }

  async join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    const known = await this.topics();
    if (this.#closing !== undefined) {
      throw new LogError("closed", `Cannot join group ${group}: the log is closing`);
    }
    const specs = topics.map((topic) => {
      const spec = known.get(topic);
      if (spec !== undefined) return spec;
      throw new LogError("unknown-topic", `Cannot find topic ${topic}: it does not exist`);
    });
    return await this.#groups.join(group, specs, handlers);
  }

  /** Fails all calls: the thread has died. */
  lose(): void {
    void super[Symbol.asyncDispose]();
  }

  override [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#end();
  }

  async #end(): Promise<void> {
    try {
      await this.#groups.close();
    } finally {
      await super[Symbol.asyncDispose]();
      await this.#close();
    }
  }
}
