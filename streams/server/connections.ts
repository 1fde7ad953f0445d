/**
 * The connections of a server: how many there may be, and how long a silent one stays.
 *
 * `Deno.serve` bounds neither, and its process dies when it has no file descriptor left for one more. So we accept
 * connections ourselves and hand each to Deno with a signal that ends it
 * ([decision 32](../../docs/decisions/0032-own-connections.md)).
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { HTTP_LIMITS } from "../http/contract/limits.ts";
import { ignoreRejection } from "../log/ignore_rejection.ts";

/** Bounds of {@linkcode Connections}. */
export interface ConnectionOptions {
  /** Open at a time. Beyond it the one goes that has been idle for the longest, or else stalled. @default {1000} */
  readonly maxConnections?: number | undefined;
  /** How long the head of a first request may take to come, milliseconds. @default {15_000} */
  readonly headTimeoutMs?: number | undefined;
  /** How long a connection may be idle after an answer, or take to read it, milliseconds. @default {65_000} */
  readonly idleTimeoutMs?: number | undefined;
  /** Whether the body of a request that is being answered comes too slowly. @default {never} */
  readonly isStalled?: ((request: Request) => boolean) | undefined;
  /** A clock in milliseconds that never goes back. @default {performance.now} */
  readonly clock?: (() => number) | undefined;
}

/** Answers a request that has come from an address. */
export type Handler = (request: Request, address: string) => Response | Promise<Response>;

/** Part of Deno that serves one connection. */
type ServeConnection = (
  connection: Deno.TcpConn,
  signal: Pick<AbortSignal, "addEventListener">,
  handler: (request: Request) => Response | Promise<Response>,
  onError: (error: unknown) => Response,
  onListen: () => void,
) => Pick<Deno.HttpServer, "finished" | "shutdown">;

interface Served {
  readonly address: string;
  readonly end: End;
  /** Requests for which it waits for us, not we for it; HTTP/2 may have several. */
  active: number;
  /** Those that are being answered. */
  readonly requests: Set<Request>;
  /** Whether it has sent a request. */
  used: boolean;
  /** When it was last accepted, asked or answered. */
  since: number;
  server?: ReturnType<ServeConnection>;
}

/**
 * What ends a connection. An `AbortController` would do, but for a connection that ends by itself in the same moment: Deno
 * throws then, and out of a listener of events that kills the process.
 */
class End {
  #listener: (() => void) | undefined;

  addEventListener(_type: string, listener: unknown): void {
    this.#listener = listener as () => void;
  }

  abort(): void {
    try {
      this.#listener?.();
    } catch {
      // it has ended by itself
    }
  }
}

const HEAD_TIMEOUT_MS = 15_000;
const IDLE_TIMEOUT_MS = 65_000;
/** Wait after an accept that failed. */
const RETRY_MS = 100;
/** Share of the connections that stays when the process has no file descriptors left: the log needs some, too. */
const KEPT = 0.8;
/** Least time between two warnings. */
const WARN_MS = 60_000;
/** What somebody is told who cannot be served. */
const BUSY = new TextEncoder().encode(
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
);
const ENDLESS = "text/event-stream";

const logger = getLogger(["meander", "http"]);

/** Accepts the connections of a listener, and answers their requests. */
export class Connections {
  /** Resolves when no connection is accepted any more and all have ended. */
  readonly ended: Promise<void>;
  readonly #listener: Deno.TcpListener;
  readonly #handler: Handler;
  readonly #onError: (error: unknown) => Response;
  readonly #serve: ServeConnection;
  readonly #headTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  readonly #isStalled: (request: Request) => boolean;
  readonly #clock: () => number;
  readonly #open = new Set<Served>();
  readonly #sweep: ReturnType<typeof setInterval>;
  #max: number;
  #closing = false;
  #warnedAt = -Infinity;
  #empty = Promise.withResolvers<void>();

  /** Begins to accept. @param onError makes the answer of a request whose handler failed */
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
    this.#isStalled = options.isStalled ?? (() => false);
    this.#clock = options.clock ?? (() => performance.now());
    const every = Math.max(10, Math.min(1000, this.#headTimeoutMs / 4, this.#idleTimeoutMs / 4));
    this.#sweep = setInterval(() => this.#endSilent(), every);
    this.ended = this.#accept().then(() => this.#empty.promise);
  }

  /** Connections that are open now. */
  get size(): number {
    return this.#open.size;
  }

  /** Accepts no more, closes what is idle, and lets the rest finish. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#sweep);
    this.#listener.close();
    for (const { server } of this.#open) ignoreRejection(server?.shutdown(), "it may end meanwhile");
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
      if (this.#open.size >= this.#max && !this.#endOldest()) await turnAway(connection);
      else this.#take(connection);
    }
  }

  /** No connection can be accepted: most likely the process has no file descriptors left. */
  async #full(error: unknown): Promise<void> {
    this.#max = Math.max(1, Math.min(this.#max, Math.floor(this.#open.size * KEPT)));
    this.#warn("cannot accept a connection ({reason}): from now on at most {max} stay open", {
      reason: error instanceof Error ? error.message : String(error),
      max: this.#max,
    });
    for (let over = this.#open.size - this.#max; over > 0 && this.#endOldest(); over--);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }

  #take(connection: Deno.TcpConn): void {
    const own: Served = {
      address: connection.remoteAddr.hostname,
      end: new End(),
      requests: new Set(),
      ...{ active: 0, used: false, since: this.#clock() },
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
    ignoreRejection(ended, "a client that breaks off is no failure of ours");
  }

  async #answer(own: Served, request: Request): Promise<Response> {
    own.used = true;
    own.requests.add(request);
    const response = await this.#work(own, () => this.#handler(request, own.address))
      .finally(() => own.requests.delete(request));
    if (!response.headers.get("content-type")?.startsWith(ENDLESS)) return response;
    // Not before: a body that somebody has looked at is sent in chunks, and more slowly.
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

  /** While this is at work, the client waits for us. */
  async #work<Result>(own: Served, work: () => Result | Promise<Result>): Promise<Result> {
    own.active++;
    try {
      return await work();
    } finally {
      own.active--;
      own.since = this.#clock();
    }
  }

  /** Ends those from which nothing has come for too long. */
  #endSilent(): void {
    const now = this.#clock();
    for (const own of this.#open) {
      const patience = own.used ? this.#idleTimeoutMs : this.#headTimeoutMs;
      if (own.active === 0 && now - own.since >= patience) this.#end(own);
    }
  }

  /**
   * Ends the idle connection that waits for the longest, of the address that has the most; where none is idle, one for
   * whose bodies we wait. Whether there was one.
   */
  #endOldest(): boolean {
    const counts = new Map<string, number>();
    for (const { address } of this.#open) counts.set(address, (counts.get(address) ?? 0) + 1);
    const order = (a: Served, b: Served) =>
      (counts.get(b.address) ?? 0) - (counts.get(a.address) ?? 0) || a.since - b.since;
    const open = [...this.#open];
    const idle = open.filter(({ active }) => active === 0);
    const victims = idle.length > 0 ? idle : open.filter((own) => this.#waitsForBodies(own));
    if (victims.length === 0) {
      this.#warn("{max} connections are busy: refuses more (http.maxConnections)", { max: this.#max });
      return false;
    }
    this.#end(victims.reduce((a, b) => order(a, b) <= 0 ? a : b));
    return true;
  }

  /** Whether it is busy with nothing but bodies that come too slowly. */
  #waitsForBodies({ active, requests }: Served): boolean {
    return active === requests.size && [...requests].every(this.#isStalled);
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
    await connection.write(BUSY); // fits into the buffer of the socket
  } catch {
    // whoever wanted it has gone
  } finally {
    connection.close();
  }
}

/** @throws Error when this version of Deno does not serve connections one by one */
function serveConnection(): ServeConnection {
  const { internal, version } = Deno as typeof Deno & { readonly internal: symbol };
  const parts =
    (Deno as unknown as Record<symbol, { readonly serveHttpOnConnection?: ServeConnection }>)[internal];
  const serve = parts?.serveHttpOnConnection;
  if (serve !== undefined) return serve;
  throw new Error(
    `Cannot serve HTTP with bounds on Deno ${version.deno}: it does not serve single connections; use Deno 2.9`,
  );
}
