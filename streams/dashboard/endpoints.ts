/** The endpoints of the dashboard: its pages, which need no key, and their data, which does. */

import type { Endpoint } from "../http/endpoint.ts";
import type { LiveFeed } from "./live.ts";
import app from "./page/app.js" with { type: "text" };
import charts from "./page/charts.js" with { type: "text" };
import elements from "./page/elements.js" with { type: "text" };
import experiments from "./page/experiments.js" with { type: "text" };
import figures from "./page/figures.js" with { type: "text" };
import html from "./page/index.html" with { type: "text" };
import loop from "./page/loop.js" with { type: "text" };
import overview from "./page/overview.js" with { type: "text" };
import rejected from "./page/rejected.js" with { type: "text" };
import server from "./page/server.js" with { type: "text" };
import store from "./page/store.js" with { type: "text" };
import style from "./page/style.css" with { type: "text" };
import user from "./page/user.js" with { type: "text" };

const JAVASCRIPT = "text/javascript; charset=utf-8";

/** The files of the pages, by name. */
const FILES: Readonly<Record<string, readonly [text: string, type: string]>> = {
  "app.js": [app, JAVASCRIPT],
  "charts.js": [charts, JAVASCRIPT],
  "elements.js": [elements, JAVASCRIPT],
  "experiments.js": [experiments, JAVASCRIPT],
  "figures.js": [figures, JAVASCRIPT],
  "loop.js": [loop, JAVASCRIPT],
  "overview.js": [overview, JAVASCRIPT],
  "rejected.js": [rejected, JAVASCRIPT],
  "server.js": [server, JAVASCRIPT],
  "store.js": [store, JAVASCRIPT],
  "user.js": [user, JAVASCRIPT],
  "style.css": [style, "text/css; charset=utf-8"],
};

/** Allows only the dashboard's own files and requests, and no framing. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
};

/** Paths that serve the page, whose script then renders by the address. */
const PAGES = ["/", "/users", "/users/:user", "/experiments", "/rejected"];

/** The pages and their files, which are not part of the API and its description. */
export function dashboardPages(): readonly Endpoint[] {
  const pages = PAGES.map((path) => page(path, `page ${path}`, html, "text/html; charset=utf-8"));
  const files = Object.entries(FILES).map(([name, [text, type]]) =>
    page(`/dashboard/${name}`, `file ${name}`, text, type)
  );
  return [...pages, ...files];
}

function page(path: string, id: string, text: string, type: string): Endpoint {
  return {
    method: "GET",
    path,
    id,
    scope: null,
    summary: "The dashboard",
    answers: { 200: { description: "The page", type } },
    handle: () => new Response(text, { headers: { ...HEADERS, "content-type": type } }),
  };
}

/** The endpoint of the overview's data. */
export function liveEndpoint(live: Pick<LiveFeed, "open">): Endpoint {
  return {
    method: "GET",
    path: "/v1/live",
    id: "live",
    summary: "The figures of the dashboard, each second",
    description: "Server-sent events: `hello` with the past, then `tick` each second. Not a stable format.",
    scope: "read",
    answers: { 200: { description: "An endless stream of events", type: "text/event-stream" } },
    problems: ["unavailable"],
    handle: (call) => live.open(call),
  };
}
