/**
 * Replaces `streams/server/serve.ts` in a simulated world: no sockets, and requests come from the world.
 *
 * @module
 */

import type { Hono } from "hono";
import type * as serving from "../../../streams/server/serve.ts";
import { serversHere } from "../servers.ts";

/** See `streams/server/serve.ts`. */
export type ListenOptions = serving.ListenOptions;
/** See `streams/server/serve.ts`. */
export type HttpServer = serving.HttpServer;

/** See `streams/server/serve.ts`. Lets the current owner serve. */
export function serve(app: Hono<{ Bindings: { readonly address: string } }>): HttpServer {
  const { stop, ended } = serversHere().serve((request) => app.fetch(request, { address: "127.0.0.1" }));
  return {
    url: "http://127.0.0.1",
    ended,
    stop: () => Promise.resolve(stop()),
    [Symbol.asyncDispose]: () => Promise.resolve(stop()),
  };
}
