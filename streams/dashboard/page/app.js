// @ts-check
/// <reference lib="dom" />
/**
 * Shows the page that the address names.
 *
 * @module
 */

import { setText } from "./elements.js";
import { showOverview } from "./overview.js";
import { follow } from "./server.js";
import { Store } from "./store.js";

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const state = /** @type {HTMLElement} */ (document.getElementById("state"));
const about = /** @type {HTMLElement} */ (document.getElementById("about"));
const search = /** @type {HTMLFormElement} */ (document.getElementById("search"));

const [, page = ""] = location.pathname.split("/");
const name = page === "" ? "overview" : page;
document.querySelector(`[data-page="${CSS.escape(name)}"]`)?.setAttribute("aria-current", "page");

search.addEventListener("submit", (event) => {
  event.preventDefault();
  const user = String(new FormData(search).get("user") ?? "");
  if (user !== "") location.assign(`/users/${encodeURIComponent(user)}`);
});

const store = new Store();
const update = showOverview(main, store);
document.title = "Overview – meander";

follow((event, data) => {
  if (event === "hello") store.begin(data);
  else if (event === "tick") store.add(data);
  setText(about, `meander ${store.version}`);
  if (!document.hidden) update();
}, (now) => {
  state.className = `state ${now}`;
  setText(state, { live: "live", connecting: "connecting", lost: "no connection" }[now]);
});
document.addEventListener("visibilitychange", () => document.hidden || update());
