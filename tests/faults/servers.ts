/**
 * HTTP in a simulated world: servers are reached by the name of their process, requests and answers take time, and a
 * process that dies breaks off its requests.
 *
 * @module
 */

import { here } from "./globals.ts";
import type { Owner, Random, World } from "./world.ts";

/** An answer, or why there is none. */
export interface Answer {
  /** 0 if there was no answer: what became of the request is unknown. */
  readonly status: number;
  readonly text: string;
}

type Handler = (request: Request) => Response | Promise<Response>;

const NONE: Answer = { status: 0, text: "" };

/** The servers of a world. */
export class Servers {
  readonly #world: World;
  readonly #random: Random;
  readonly #handlers = new Map<Owner, Handler>();
  /** A pending request to a server. */
  readonly #waiting = new Map<Owner, Set<(answer: Answer) => void>>();

  /** No server runs yet. */
  constructor(world: World) {
    this.#world = world;
    this.#random = world.random("http");
  }

  /** Lets the current owner serve until it stops. */
  serve(handler: Handler): { readonly stop: () => void; readonly ended: Promise<void> } {
    const owner = this.#world.current;
    this.#handlers.set(owner, handler);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const stop = () => {
      this.#handlers.delete(owner);
      resolve();
    };
    return { stop, ended };
  }

  /** A process is dead: its pending requests fail. */
  broke(owner: Owner): void {
    this.#handlers.delete(owner);
    for (const end of this.#waiting.get(owner) ?? []) {
      this.#world.schedule(this.#world.self, 1 + 20 * this.#random(), "connection reset", () => end(NONE));
    }
    this.#waiting.delete(owner);
  }

  /** Sends a request to a server, for the current owner. @param body JSON, or a value that becomes it */
  ask(of: Owner, method: string, path: string, body?: unknown): Promise<Answer> {
    const world = this.#world;
    const asking = world.current;
    const latency = () => 0.1 + 5 * this.#random() ** 4;
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(of) ?? new Set();
      this.#waiting.set(of, waiting);
      const end = (answer: Answer) => {
        if (waiting.delete(end)) world.schedule(asking, latency(), "http answer", () => resolve(answer));
      };
      waiting.add(end);
      if (!of.isAlive || !this.#handlers.has(of)) return end(NONE);
      const begin = async (handler: Handler) => {
        const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
        const headers = text === null ? {} : {
          "content-type": "application/json",
          "content-length": `${new TextEncoder().encode(text).length}`,
        };
        const request = new Request(`http://127.0.0.1${path}`, { method, headers, body: text });
        const response = await handler(request);
        end({ status: response.status, text: await response.text() });
      };
      world.schedule(of, latency(), "http request", () => {
        const handler = this.#handlers.get(of);
        if (handler === undefined) end(NONE);
        else begin(handler);
      });
    });
  }
}

let servers: WeakMap<World, Servers> | undefined;

/** Those of the current world. */
export function serversHere(): Servers {
  const world = here();
  servers ??= new WeakMap();
  let own = servers.get(world);
  if (own === undefined) servers.set(world, own = new Servers(world));
  return own;
}
