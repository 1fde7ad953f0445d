/** All endpoints of a deployment, and their server. */

import { getLogger } from "@logtape/logtape";
import manifest from "../../deno.json" with { type: "json" };
import { type ConfiguredNames, NameCheck } from "../../src/mapping/name_check.ts";
import { dashboardPages, liveEndpoint } from "../dashboard/endpoints.ts";
import type { LiveFeed } from "../dashboard/live.ts";
import { doorEndpoints } from "../doors/doors.ts";
import { Access, type ApiKey } from "../http/contract/access.ts";
import { createApp } from "./app.ts";
import { Bodies } from "../http/bodies.ts";
import type { Endpoint } from "../http/endpoint.ts";
import { Callers } from "../http/callers.ts";
import type { ApiContext } from "../http/context.ts";
import { erasureEndpoints } from "../http/routes/erasure.ts";
import { eventEndpoints } from "../http/routes/events.ts";
import { ItemMirror } from "../http/routes/item_mirror.ts";
import { itemEndpoint } from "../http/routes/items.ts";
import { experimentEndpoints } from "../http/routes/experiments.ts";
import { explainEndpoint } from "../http/routes/explain.ts";
import { mergeEndpoint } from "../http/routes/merge.ts";
import { recommendEndpoints } from "../http/routes/recommend.ts";
import { rejectedEndpoint } from "../http/routes/rejected.ts";
import { sourceEndpoint } from "../http/routes/sources.ts";
import { statusEndpoints } from "../http/routes/status.ts";
import { userEndpoint } from "../http/routes/users.ts";
import { whyNotEndpoint } from "../http/routes/why_not.ts";
import type { Metrics } from "../http/metrics.ts";
import { openApi } from "./openapi.ts";
import { type HttpServer, type ListenOptions, serve } from "./serve.ts";
import { HTTP_LIMITS } from "../http/contract/limits.ts";
import { compileSource, type RecordSource } from "../mapping/record_source.ts";
import type { SourcesSettings } from "../mapping/source_settings.ts";
import { settle } from "../../src/options/option.ts";
import type { HttpSettings } from "../http/contract/settings.ts";

const logger = getLogger(["meander", "http"]);

/** The parts of a context that the settings define. */
export function limitsIn(
  settings: HttpSettings,
  clock: () => number,
): Pick<ApiContext, "bodies" | "maxEntries" | "answerTimeoutMs"> {
  const { maxBodyBytes: maxBytes, maxInFlightBytes, maxEntries, answerTimeoutMs } = settle(
    HTTP_LIMITS,
    settings,
  );
  const bodies = new Bodies({ maxBytes, maxInFlightBytes, clock });
  return { maxEntries, answerTimeoutMs, bodies };
}

/** Logs, once each, the names in events and items that the configuration does not declare. */
export function namesLogged(known: ConfiguredNames | undefined): ApiContext["see"] {
  if (known === undefined) return undefined;
  const names = new NameCheck(known);
  return (record) => {
    for (const warning of names.see(record)) logger.warn("{warning}", { warning });
  };
}

/** The sources of a configuration, compiled. */
export function sourcesIn(sources: SourcesSettings = {}): ReadonlyMap<string, RecordSource> {
  return new Map(Object.entries(sources).map(([name, settings]) => [name, compileSource(name, settings)]));
}

/** All endpoints, with one that describes them and the pages of the dashboard. */
export function apiOf(
  context: ApiContext,
  settings: HttpSettings,
  live: Pick<LiveFeed, "open">,
): readonly Endpoint[] {
  const items = new ItemMirror(context);
  const api = [
    ...eventEndpoints(context),
    itemEndpoint(context, items),
    sourceEndpoint(context),
    ...recommendEndpoints(context),
    userEndpoint(context),
    explainEndpoint(context),
    whyNotEndpoint(context),
    mergeEndpoint(context),
    ...erasureEndpoints(context),
    rejectedEndpoint(context),
    ...statusEndpoints(context),
    ...doorEndpoints(context, settings, items),
    liveEndpoint(live),
    ...experimentEndpoints(context),
  ];
  return [...api, documentation(api, context.maxEntries), ...dashboardPages()];
}

/** Where and to whom an API is served. */
export interface ServeOptions extends ListenOptions {
  readonly settings: HttpSettings;
  readonly keys: readonly ApiKey[];
  readonly metrics: Metrics;
  /** Reads the bodies for the endpoints. */
  readonly bodies: Bodies;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
}

/** Starts to serve. @throws Error when it cannot listen there, for example because the port is taken */
export function serveApi(
  endpoints: readonly Endpoint[],
  {
    settings: { rateLimit, proxies, cors = [], hosts, maxConnections },
    keys,
    metrics,
    bodies,
    clock,
    ...place
  }: ServeOptions,
): HttpServer {
  const callers = new Callers({ hostname: place.hostname, hosts, isOpen: keys.length === 0, cors });
  return serve(
    createApp({
      endpoints,
      access: new Access({
        keys,
        rateLimit,
        proxies,
        limited: (limit) => metrics.limited(limit),
        now: clock,
      }),
      metrics,
      bodies,
      callers,
      cors,
      clock,
    }),
    place,
    {
      maxConnections,
      isArriving: (request) => bodies.isArriving(request),
      isStalled: (request) => bodies.isStalled(request),
    },
  );
}

/** The endpoint that describes the others, and itself. */
function documentation(api: readonly Endpoint[], maxEntries: number): Endpoint {
  const own: Endpoint = {
    method: "GET",
    path: "/openapi.json",
    id: "openapi",
    summary: "This document",
    scope: null,
    answers: { 200: { description: "OpenAPI 3.1" } },
    handle: () => new Response(document, { headers: { "content-type": "application/json" } }),
  };
  const document = JSON.stringify(openApi([...api, own], { version: manifest.version, maxEntries }));
  return own;
}
