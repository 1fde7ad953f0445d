// @ts-check
/// <reference lib="dom" />
/** Renders the page named by the address. @module */

import { seen, setText } from "./elements.js";
import { showExperiments } from "./experiments.js";
import { showOverview } from "./overview.js";
import { showRejected } from "./rejected.js";
import { follow } from "./server.js";
import { Store } from "./store.js";
import { showSearch, showUser } from "./user.js";

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const state = /** @type {HTMLElement} */ (document.getElementById("state"));
const about = /** @type {HTMLElement} */ (document.getElementById("about"));

const [, page = ""] = location.pathname.split("/");
const name = page === "" ? "overview" : page;
document.querySelector(`[data-page="${CSS.escape(name)}"]`)?.setAttribute("aria-current", "page");

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.getAttribute("role") !== "search") return;
  event.preventDefault();
  const user = String(new FormData(form).get("user") ?? "");
  if (user !== "") location.assign(`/users/${encodeURIComponent(user)}`);
});

const store = new Store();
const update = show();

/** Renders the page. @returns {() => void} Renders updates. */
function show() {
  switch (name) {
    case "users": {
      const user = decodeURIComponent(location.pathname.split("/")[2] ?? "");
      document.title = user === "" ? "Users – meander" : seen(`${user} – meander`);
      if (user === "") showSearch(main);
      else showUser(main, user);
      return () => {};
    }
    case "experiments":
      document.title = "Experiments – meander";
      return showExperiments(main);
    case "rejected":
      document.title = "Rejected – meander";
      return showRejected(main);
    default:
      document.title = "Overview – meander";
      return showOverview(main, store);
  }
}

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
