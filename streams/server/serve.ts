/** Serves an application until it is stopped: then it finishes open requests, and closes. */

import { getLogger } from "@logtape/logtape";
import type { Hono } from "hono";
import { reasonOf } from "../../src/values/reason.ts";
import type { Connection } from "./app.ts";
import { type ConnectionOptions, Connections } from "./connections.ts";

/** Where to listen. */
export interface ListenOptions {
  /** Host name or address to listen on. */
  readonly hostname: string;
  /** TCP port; 0 picks a free one. */
  readonly port: number;
}

/** A running server. Disposing stops it. */
export interface HttpServer extends AsyncDisposable {
  /** Its URL, without a path. */
  readonly url: string;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Accepts no more connections, and waits for requests in progress, `patienceMs` at most (3000 by default). */
  stop(patienceMs?: number): Promise<void>;
}

const PATIENCE_MS = 3000;

const logger = getLogger(["meander", "http"]);

/** Starts to serve. @throws Error when it cannot listen there, for example because the port is taken */
export function serve(
  app: Hono<{ Bindings: Connection }>,
  { hostname, port }: ListenOptions,
  bounds: ConnectionOptions = {},
): HttpServer {
  const listener = listen({ hostname, port });
  const answer = (request: Request, address: string) => app.fetch(request, { address });
  const connections = new Connections(listener, answer, failed, bounds);
  let stopped: Promise<void> | undefined;
  const stop = async (patienceMs: number) => {
    connections.close();
    const { promise: late, resolve: giveUp } = Promise.withResolvers<void>();
    const timer = setTimeout(giveUp, patienceMs);
    try {
      await Promise.race([connections.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  const { addr } = listener;
  const host = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  return {
    url: `http://${host}:${addr.port}`,
    ended: connections.ended,
    stop: (patienceMs = PATIENCE_MS) => stopped ??= stop(patienceMs),
    [Symbol.asyncDispose]() {
      return this.stop();
    },
  };
}

/** Checks that a server can listen there, before anything else is begun. @throws Error when it cannot */
export function checkPlace(place: ListenOptions): void {
  listen(place).close();
}

function listen(place: ListenOptions): Deno.TcpListener {
  try {
    return Deno.listen(place);
  } catch (cause) {
    const at = `${place.hostname}:${place.port}`;
    if (cause instanceof Deno.errors.AddrInUse) {
      throw new Error(`Cannot listen at ${at}: the port is in use, choose another one`);
    }
    throw new Error(`Cannot listen at ${at}`, { cause });
  }
}

/** The response when even the application's error handling fails. */
function failed(error: unknown): Response {
  logger.error("a request failed: {reason}", {
    reason: reasonOf(error),
  });
  return new Response(null, { status: 500 });
}
