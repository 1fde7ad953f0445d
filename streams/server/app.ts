/** The HTTP application: access checks before the endpoints, request ids, metrics, problems (RFC 9457). */

import { getLogger } from "@logtape/logtape";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { idProblem } from "../../src/events/check.ts";
import { nearName, noSuch } from "../../src/events/keys/near_name.ts";
import { shown } from "../../src/events/rejected.ts";
import { reasonOf } from "../../src/values/reason.ts";
import type { Access } from "../http/contract/access.ts";
import type { Bodies } from "../http/bodies.ts";
import { bodyKind } from "../http/body.ts";
import { type Endpoint, isOwn } from "../http/endpoint.ts";
import type { Metrics } from "../http/metrics.ts";
import { LogError, type LogErrorCode } from "../log/log.ts";
import type { Callers } from "../http/callers.ts";
import { Problem } from "../http/contract/problem.ts";

export interface AppOptions {
  readonly endpoints: readonly Endpoint[];
  /** Checks keys and rates. */
  readonly access: Access;
  /** Holds the bodies until their requests are answered. */
  readonly bodies: Pick<Bodies, "release">;
  /** Checks host names and origins. */
  readonly callers: Callers;
  /** Counts requests. */
  readonly metrics: Metrics;
  /** Origins of pages that may call from a browser. @default {[]} */
  readonly cors?: readonly string[];
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
}

export interface Connection {
  readonly address: string;
}

/** Client request ids that are kept. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Interval between messages about requests that the log fails. */
const REMIND_MS = 60_000;

const logger = getLogger(["meander", "http"]);

/** Makes the application. */
export function createApp(options: AppOptions): Hono<{ Bindings: Connection }> {
  const app = new Hono<{ Bindings: Connection }>({ strict: false }); // clients of Gorse end paths with a slash
  const { endpoints, cors: origins = [] } = options;
  const answering = { ...options, failures: new LogFailures(options.clock) };
  if (origins.length > 0) {
    const origin = origins.includes("*") ? "*" : [...origins]; // in a list, Hono takes `*` for an origin
    app.use("*", cors({ origin, exposeHeaders: ["X-Request-Id", "Retry-After"], maxAge: 600 }));
  }
  for (const endpoint of endpoints) {
    app.on(endpoint.method, endpoint.path, (context) => answer(answering, endpoint, context));
  }
  // An application of its own: Hono composes the handlers of a request that matches two, which takes longer.
  const others = new Hono<{ Bindings: Connection }>({ strict: false });
  app.notFound((context) => others.fetch(context.req.raw, context.env));
  const methods = Map.groupBy(endpoints, ({ path }) => path);
  for (const [path, all] of methods) {
    const allow = all.map(({ method }) => method).join(", ");
    others.all(
      path,
      (context) =>
        answerNone(
          options,
          context,
          path,
          new Problem("method-not-allowed", `Allowed here: ${allow}`, { headers: { allow } }),
        ),
    );
  }
  others.notFound((context) =>
    answerNone(
      options,
      context,
      "unknown",
      new Problem(
        "not-found",
        `There is nothing at ${context.req.path}; ${hintAt(context.req.path, methods)}`,
      ),
    )
  );
  return app;
}

/** What may have been meant by a path. */
function hintAt(path: string, paths: ReadonlyMap<string, unknown>): string {
  const near = nearName(path, [...paths.keys()].filter((known) => !/[:{*]/.test(known)));
  return near === undefined ? "/openapi.json lists what there is" : `did you mean ${near}?`;
}

type AppContext = Context<{ Bindings: Connection }>;

async function answer(
  { access, bodies, callers, metrics, clock, failures }: AppOptions & { readonly failures: LogFailures },
  endpoint: Endpoint,
  context: AppContext,
): Promise<Response> {
  const begun = clock();
  const requestId = requestIdOf(context.req.raw);
  let response: Response;
  try {
    callers.checkHost(hostOf(context.req.raw));
    if (endpoint.scope !== null) callers.checkOrigin(context.req.raw.headers);
    checkPath(context.req.path);
    const admitted = access.admit(context.req.raw.headers, endpoint.scope, context.env?.address ?? "");
    checkType(context.req.raw.headers, endpoint);
    checkQuery(context.req.raw.url, endpoint);
    const parameters: Readonly<Record<string, string>> = context.req.param();
    checkParts(parameters, endpoint);
    response = await endpoint.handle({ request: context.req.raw, parameters, ...admitted });
    if (context.req.raw.method === "HEAD") {
      await response.body?.cancel(); // Hono drops it without cancelling it
      response = new Response(null, response); // the headers of CORS cannot be added to one with a cancelled body
    }
  } catch (error) {
    response = toProblem(error, requestId, failures).toResponse(requestId);
  } finally {
    if (endpoint.body !== undefined) bodies.release(context.req.raw);
  }
  const ms = clock() - begun;
  metrics.served(endpoint.method, endpoint.path, response.status, ms);
  logger.debug("{method} {path} {status} in {ms} ms, request {requestId}", {
    method: endpoint.method,
    path: endpoint.path,
    status: response.status,
    ms: ms.toFixed(1),
    requestId,
  });
  return finish(response, requestId);
}

/** Checks the content type before the body is read. @throws Problem `unsupported-media-type` */
function checkType(headers: Headers, { body }: Endpoint): void {
  // Without a CORS preflight, a page can send types other than JSON to another origin, but always with an `Origin`.
  if (body !== undefined && !(body.untyped && !headers.has("origin"))) bodyKind(headers, body.kinds);
}

/** The host; HTTP/2 has no `Host`, but the URL has it. */
function hostOf({ headers, url }: Request): string {
  return headers.get("host") ?? /^https?:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
}

/** Hono takes an undecodable path literally. @throws Problem `bad-parameter` */
function checkPath(path: string): void {
  if (!path.includes("%")) return;
  try {
    decodeURIComponent(path);
  } catch (cause) {
    throw new Problem("bad-parameter", "The path is not percent-encoded UTF-8", { cause });
  }
}

/** Path parameters that are described only by a text are ids or names. @throws Problem `bad-parameter` */
function checkParts(parts: Readonly<Record<string, string>>, { parameters = {} }: Endpoint): void {
  for (const [name, part] of Object.entries(parts)) {
    const wanted = typeof parameters[name] === "string" ? idProblem(part) : null;
    if (wanted !== null) throw new Problem("bad-parameter", `${name} in the path must be ${wanted}`);
  }
}

/**
 * Rejects unknown parameters of our own API, where a misspelt one would be ignored, and repeated ones, of which all but
 * one would be. @throws Problem `bad-parameter`
 */
function checkQuery(url: string, endpoint: Endpoint): void {
  if (!url.includes("?")) return;
  const { query = {} } = endpoint;
  const given = [...new URL(url).searchParams.keys()];
  const names = Object.keys(query);
  const unknown = isOwn(endpoint) ? given.find((name) => !names.includes(name)) : undefined;
  if (unknown !== undefined) {
    throw new Problem("bad-parameter", `${shown(unknown)}: ${noSuch("parameter", unknown, names)}`);
  }
  const twice = given.find((name, at) =>
    Object.hasOwn(query, name) && !query[name]!.repeats && given.indexOf(name) < at
  );
  if (twice !== undefined) throw new Problem("bad-parameter", `${twice} is given more than once`);
}

/** Answers a request without an endpoint. */
function answerNone(
  { callers, metrics }: AppOptions,
  context: AppContext,
  route: string,
  problem: Problem,
): Response {
  const requestId = requestIdOf(context.req.raw);
  try {
    callers.checkHost(hostOf(context.req.raw)); // a host with a slash becomes a part of the path
  } catch (error) {
    problem = toProblem(error, requestId, null);
  }
  // Clients can invent methods, which must not become labels.
  metrics.served("other", route, problem.status, 0);
  return finish(problem.toResponse(requestId), requestId);
}

function finish(response: Response, requestId: string): Response {
  response.headers.set("x-request-id", requestId);
  response.headers.set("cache-control", "no-store");
  response.headers.set("x-content-type-options", "nosniff");
  return response;
}

function requestIdOf({ headers }: Request): string {
  const given = headers.get("x-request-id");
  return given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID();
}

/** Responses to clients while the log accepts no writes, and after how many seconds they may retry. */
const LOG_PROBLEMS: Readonly<
  Partial<Record<LogErrorCode, readonly [detail: string | null, seconds: number]>>
> = {
  "unknown-topic": [null, 5], // the reason names the topic
  full: ["The disk of the log is full", 10],
  unreachable: ["The log cannot be reached", 5],
};

/** The problem of an error, without details that only operators should see. */
function toProblem(error: unknown, requestId: string, failures: LogFailures | null): Problem {
  if (error instanceof Problem) return error;
  const reason = reasonOf(error);
  if (error instanceof LogError && error.code === "closed") {
    return new Problem("unavailable", "The server is stopping", { cause: error });
  }
  if (error instanceof LogError && error.code === "too-large") {
    return new Problem("too-large", reason, { cause: error });
  }
  const [detail, seconds] = error instanceof LogError && LOG_PROBLEMS[error.code] || [];
  if (error instanceof LogError && seconds !== undefined) {
    failures?.tell(error);
    return new Problem("unavailable", detail ?? reason, {
      cause: error,
      headers: { "retry-after": `${seconds}` },
    });
  }
  logger.error("request {requestId} failed: {reason}", { requestId, reason, error });
  return new Problem(
    "internal",
    "Internal error; see the server's log for this request id",
  );
}

/** Logs requests that fail because of the log, of each kind once a minute: then every request fails for one reason. */
class LogFailures {
  readonly #clock: () => number;
  readonly #kinds = new Map<LogErrorCode, { toldAt: number; since: number }>();

  /** Starts without failures. @param clock monotonic, milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  tell(error: LogError): void {
    const now = this.#clock();
    const kind = this.#kinds.get(error.code) ?? { toldAt: -Infinity, since: 0 };
    this.#kinds.set(error.code, kind);
    kind.since++;
    if (now - kind.toldAt < REMIND_MS) return;
    logger.error("requests failed because of the log, {requests} since the last such message: {reason}", {
      requests: kind.since,
      reason: reasonOf(error),
    });
    kind.toldAt = now;
    kind.since = 0;
  }
}
