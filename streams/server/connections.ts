/**
 * The connections of a server: bounds their number, and closes silent ones.
 *
 * `Deno.serve` does neither, and the process dies when it runs out of file descriptors. So we accept connections
 * ourselves and hand each to Deno with a signal that ends it
 * ([decision 32](../../docs/decisions/0032-own-connections.md)).
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";
import { networkOf, ownerOf } from "../http/contract/clients.ts";
import { HTTP_LIMITS } from "../http/contract/limits.ts";
import { ignore } from "../log/ignore.ts";

export interface ConnectionOptions {
  /** Most connections open at a time; beyond it an idle one is closed, or else one that waits for a body. @default {1000} */
  readonly maxConnections?: number | undefined;
  /** Longest wait for the head of the first request, milliseconds. @default {15_000} */
  readonly headTimeoutMs?: number | undefined;
  /** How long a connection may be idle after a response, or take to read it, milliseconds. @default {65_000} */
  readonly idleTimeoutMs?: number | undefined;
  /** Whether the body of a request is still arriving. @default {never} */
  readonly isArriving?: ((request: Request) => boolean) | undefined;
  /** Whether it arrives too slowly. @default {never} */
  readonly isStalled?: ((request: Request) => boolean) | undefined;
  /** Monotonic clock, milliseconds. @default {performance.now} */
  readonly clock?: (() => number) | undefined;
}

/** Answers a request from an address. */
export type Handler = (request: Request, address: string) => Response | Promise<Response>;

/** Deno's internal function that serves one connection. */
type ServeConnection = (
  connection: Deno.TcpConn,
  signal: Pick<AbortSignal, "addEventListener">,
  handler: (request: Request) => Response | Promise<Response>,
  onError: (error: unknown) => Response,
  onListen: () => void,
) => Pick<Deno.HttpServer, "finished" | "shutdown">;

interface Served {
  readonly address: string;
  readonly network: string;
  readonly end: End;
  /** Requests that we are working on; HTTP/2 may have several. */
  active: number;
  /** Requests that are not answered yet. */
  readonly requests: Set<Request>;
  /** Whether it has sent a request. */
  used: boolean;
  /** When it was accepted, or last answered a request. */
  since: number;
  server?: ReturnType<ServeConnection>;
}

/**
 * Ends a connection. Deno throws when the connection ends by itself at the same moment; from the listener of an
 * `AbortController`, that would kill the process.
 */
class End {
  #listener: (() => void) | undefined;

  addEventListener(_type: string, listener: unknown): void {
    this.#listener = listener as () => void; // the runtime adds one without parameters
  }

  abort(): void {
    try {
      this.#listener?.();
    } catch {
      // The connection has ended by itself.
    }
  }
}

const HEAD_TIMEOUT_MS = 15_000;
const IDLE_TIMEOUT_MS = 65_000;
/** Pause after a failed accept. */
const RETRY_MS = 100;
/** Share of the connections that is kept when file descriptors run out: the log needs some, too. */
const KEPT = 0.8;
/** Least time between two warnings. */
const WARN_MS = 60_000;
/** The response to a connection that is turned away. */
const BUSY = new TextEncoder().encode(
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
);
const ENDLESS = "text/event-stream";

const logger = getLogger(["meander", "http"]);

/** Accepts connections and answers their requests. */
export class Connections {
  /** Resolves when accepting has stopped and all connections have ended. */
  readonly ended: Promise<void>;
  readonly #listener: Deno.TcpListener;
  readonly #handler: Handler;
  readonly #onError: (error: unknown) => Response;
  readonly #serve: ServeConnection;
  readonly #headTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  readonly #isArriving: (request: Request) => boolean;
  readonly #isStalled: (request: Request) => boolean;
  readonly #clock: () => number;
  readonly #open = new Set<Served>();
  readonly #sweep: ReturnType<typeof setInterval>;
  #max: number;
  #closing = false;
  #warnedAt = -Infinity;
  #empty = Promise.withResolvers<void>();

  /** Starts accepting. @param onError makes the response of a request whose handler failed */
  constructor(
    listener: Deno.TcpListener,
    handler: Handler,
    onError: (error: unknown) => Response,
    options: ConnectionOptions = {},
  ) {
    this.#serve = serveConnection();
    this.#listener = listener;
    this.#handler = handler;
    this.#onError = onError;
    this.#max = options.maxConnections ?? HTTP_LIMITS.maxConnections.value;
    this.#headTimeoutMs = options.headTimeoutMs ?? HEAD_TIMEOUT_MS;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
    this.#isArriving = options.isArriving ?? (() => false);
    this.#isStalled = options.isStalled ?? (() => false);
    this.#clock = options.clock ?? (() => performance.now());
    const every = Math.max(10, Math.min(1000, this.#headTimeoutMs / 4, this.#idleTimeoutMs / 4));
    this.#sweep = setInterval(() => this.#endSilent(), every);
    this.ended = this.#accept().then(() => this.#empty.promise);
  }

  /** Stops accepting, closes idle connections, and lets the others finish. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#sweep);
    this.#listener.close();
    for (const { server } of this.#open) ignore(server?.shutdown(), "it may end meanwhile");
    this.#settle();
  }

  async #accept(): Promise<void> {
    while (!this.#closing) {
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (this.#closing) return;
        await this.#full(error);
        continue;
      }
      const network = ownerOf(networkOf(connection.remoteAddr.hostname));
      if (this.#open.size >= this.#max && !this.#makeRoom(network)) await turnAway(connection);
      else this.#take(connection, network);
    }
  }

  /** Handles a failed accept: most likely file descriptors have run out. */
  async #full(error: unknown): Promise<void> {
    this.#max = Math.max(1, Math.min(this.#max, Math.floor(this.#open.size * KEPT)));
    this.#warn("cannot accept a connection ({reason}): from now on at most {max} stay open", {
      reason: reasonOf(error),
      max: this.#max,
    });
    for (let over = this.#open.size - this.#max; over > 0 && this.#makeRoom(); over--);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }

  #take(connection: Deno.TcpConn, network: string): void {
    const { hostname: address } = connection.remoteAddr;
    const own: Served = {
      address,
      network,
      end: new End(),
      requests: new Set(),
      active: 0,
      used: false,
      since: this.#clock(),
    };
    this.#open.add(own);
    connection.setNoDelay();
    own.server = this.#serve(
      connection,
      own.end,
      (request) => this.#answer(own, request),
      this.#onError,
      () => {},
    );
    const ended = own.server.finished.finally(() => {
      this.#open.delete(own);
      this.#settle();
    });
    ignore(ended, "a client that disconnects is not our failure");
  }

  async #answer(own: Served, request: Request): Promise<Response> {
    own.used = true;
    own.requests.add(request);
    let response: Response;
    try {
      response = await this.#work(own, () => this.#handler(request, own.address));
    } finally {
      own.requests.delete(request);
    }
    if (!response.headers.get("content-type")?.startsWith(ENDLESS)) return response;
    // Only here: reading `body` makes Deno send any response in chunks, and more slowly.
    const { body } = response;
    if (body === null) return response;
    const reader = body.getReader();
    const followed = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await this.#work(own, () => reader.read());
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
    return new Response(followed, response);
  }

  /** Runs work for a connection, which counts as active meanwhile. */
  async #work<Result>(own: Served, work: () => Result | Promise<Result>): Promise<Result> {
    own.active++;
    try {
      return await work();
    } finally {
      own.active--;
      own.since = this.#clock();
    }
  }

  /** Ends connections that have been silent for too long. */
  #endSilent(): void {
    const now = this.#clock();
    for (const own of this.#open) {
      const patience = own.used ? this.#idleTimeoutMs : this.#headTimeoutMs;
      if (own.active === 0 && now - own.since >= patience) this.#end(own);
    }
  }

  /**
   * Ends the longest idle connection of the network with the most connections; if none is idle, one that waits only for
   * slow bodies. If there is none either, one of a network with more than asks may wait for bodies that are not slow yet:
   * sent anew before they are, they would keep all others out.
   *
   * @param network of a further connection
   * @returns whether there was one
   */
  #makeRoom(network?: string): boolean {
    const counts = new Map<string, number>();
    for (const { network } of this.#open) counts.set(network, (counts.get(network) ?? 0) + 1);
    const countOf = (of: Served) => counts.get(of.network) ?? 0;
    const few = network === undefined ? Infinity : 1 + (counts.get(network) ?? 0);
    const open = [...this.#open];
    const victims = [
      ({ active }: Served) => active === 0,
      (own: Served) => this.#waitsFor(own, this.#isStalled),
      (own: Served) => countOf(own) > few && this.#waitsFor(own, this.#isArriving),
    ].map((isVictim) => open.filter(isVictim)).find(({ length }) => length > 0);
    if (victims === undefined) {
      this.#warn("{max} connections are busy: refusing more (http.maxConnections)", { max: this.#max });
      return false;
    }
    const order = (a: Served, b: Served) => countOf(b) - countOf(a) || a.since - b.since;
    this.#end(victims.reduce((a, b) => order(a, b) <= 0 ? a : b));
    return true;
  }

  /** Whether it is busy only with such bodies. */
  #waitsFor({ active, requests }: Served, isSuch: (request: Request) => boolean): boolean {
    return active === requests.size && [...requests].every(isSuch);
  }

  #end(own: Served): void {
    this.#open.delete(own);
    own.end.abort();
  }

  #settle(): void {
    if (this.#closing && this.#open.size === 0) this.#empty.resolve();
  }

  #warn(message: string, facts: Record<string, unknown>): void {
    const now = this.#clock();
    if (now - this.#warnedAt < WARN_MS) return;
    this.#warnedAt = now;
    logger.warn(message, facts);
  }
}

async function turnAway(connection: Deno.TcpConn): Promise<void> {
  try {
    await connection.write(BUSY); // it fits into the socket's buffer
  } catch {
    // The client has gone.
  } finally {
    connection.close();
  }
}

/** @throws Error when this version of Deno has no such function */
function serveConnection(): ServeConnection {
  // No type declares the symbol or what it leads to.
  const { internal, version } = Deno as typeof Deno & { readonly internal: symbol };
  const parts: { readonly serveHttpOnConnection?: ServeConnection } | undefined = Reflect.get(Deno, internal);
  const serve = parts?.serveHttpOnConnection;
  if (serve !== undefined) return serve;
  throw new Error(
    `Cannot bound HTTP connections on Deno ${version.deno}, which cannot serve single connections; use Deno 2.9`,
  );
}
