/**
 * Serves an application until it is stopped: then it takes no new connection, ends what is under way, and closes.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Hono } from "hono";
import type { Connection } from "./app.ts";

/** Where to listen. */
export interface ListenOptions {
  /** Name or address of an interface. */
  readonly hostname: string;
  /** TCP port; 0 = a free one. */
  readonly port: number;
}

/** A server that runs. Disposing stops it. */
export interface HttpServer extends AsyncDisposable {
  /** Where it listens, as a URL without a path. */
  readonly url: string;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Ends what is under way, then closes; after `patienceMs` nobody waits for that any more. */
  stop(patienceMs?: number): Promise<void>;
}

const PATIENCE_MS = 3000;

const logger = getLogger(["meander", "http"]);

/** Starts to serve. @throws Error when the place cannot be listened at, such as a port that is taken */
export function serve(app: Hono<{ Bindings: Connection }>, { hostname, port }: ListenOptions): HttpServer {
  const server = listen(
    { hostname, port, onListen: () => {}, onError: failed },
    (request, { remoteAddr }) => app.fetch(request, { address: addressOf(remoteAddr) }),
  );
  let stopped: Promise<void> | undefined;
  const stop = async (patienceMs: number) => {
    // A server that shuts down cannot be aborted: to Deno it is gone, and the process dies of it.
    const closed = server.shutdown().then(() => server.finished);
    const { promise: late, resolve: giveUp } = Promise.withResolvers<void>();
    const timer = setTimeout(giveUp, patienceMs);
    try {
      await Promise.race([closed, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  const { addr } = server;
  const host = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  return {
    url: `http://${host}:${addr.port}`,
    ended: server.finished,
    stop: (patienceMs = PATIENCE_MS) => stopped ??= stop(patienceMs),
    [Symbol.asyncDispose]() {
      return this.stop();
    },
  };
}

function listen(
  options: Deno.ServeTcpOptions,
  handler: Deno.ServeHandler<Deno.NetAddr>,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve(options, handler);
  } catch (cause) {
    const place = `${options.hostname}:${options.port}`;
    if (cause instanceof Deno.errors.AddrInUse) {
      throw new Error(`Cannot listen at ${place}: the port is in use, take another one`);
    }
    throw new Error(`Cannot listen at ${place}`, { cause });
  }
}

function addressOf(address: Deno.Addr): string {
  return "hostname" in address ? address.hostname : "";
}

/** What is left when even the application's own answer to an error fails. */
function failed(error: unknown): Response {
  logger.error("a request failed: {reason}", {
    reason: error instanceof Error ? error.message : String(error),
  });
  return new Response(null, { status: 500 });
}
