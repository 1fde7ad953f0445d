// @ts-check
/// <reference lib="dom" />
/** The experiments page: variants, users and current verdicts. @module */

import { card, empty, html, table } from "./elements.js";
import { count, ms, percent } from "./figures.js";
import { getJson } from "./server.js";

/** @typedef {import("../../experiments/views.ts").ExperimentView} ExperimentView */

const AGAIN_MS = 10_000;

/**
 * Renders the experiments.
 *
 * @param {HTMLElement} main
 * @returns {() => void} Renders updates.
 */
export function showExperiments(main) {
  const box = html(
    "div",
    { class: "stack" },
    html("p", { class: "card muted", role: "status" }, "Reading the log …"),
  );
  main.replaceChildren(html("div", { class: "heading" }, html("h1", {}, "Experiments")), box);
  let asked = -Infinity, busy = false;
  return () => {
    if (busy || performance.now() - asked < AGAIN_MS) return;
    busy = true;
    asked = performance.now();
    getJson("/v1/experiments").then(
      ({ experiments }) => show(box, experiments),
      (error) => box.replaceChildren(html("p", { class: "card", role: "alert" }, error.message)),
    ).finally(() => busy = false);
  };
}

/**
 * @param {HTMLElement} box
 * @param {readonly ExperimentView[]} experiments
 */
function show(box, experiments) {
  if (experiments.length === 0) {
    box.replaceChildren(card(
      "No experiments yet",
      "",
      html(
        "p",
        {},
        "An experiment compares variants of model, policy or candidates on a share of the users. Describe it in a file:",
      ),
      html("pre", { tabindex: 0 }, html("code", {}, EXAMPLE)),
      html("p", {}, "Then start it; every task assigns users to it from its next event on:"),
      html(
        "pre",
        {},
        html("code", {}, `deno task meander experiment start explore.json --url ${location.origin}`),
      ),
    ));
    return;
  }
  box.replaceChildren(...experiments.map(experiment));
}

const EXAMPLE = `{
  "name": "explore",
  "hypothesis": "some exploration finds better items",
  "traffic": 0.5,
  "variants": [
    { "name": "as-is" },
    { "name": "epsilon", "policy": { "name": "epsilon", "epsilon": 0.1 } }
  ],
  "metric": "ctr"
}`;

/**
 * A percentage, as verdicts write it.
 *
 * @param {number} share
 */
const points = (share) => `${share >= 0 ? "" : "−"}${(100 * Math.abs(share)).toFixed(1)}`;

/** @param {ExperimentView} view */
function experiment(view) {
  const { name, hypothesis, status, reason, layer, traffic, metric, variants, guardRails, text, moved } =
    view;
  const kind = { better: "tag good", worse: "tag bad", harmful: "tag bad", invalid: "tag bad" };
  const columns = [
    { title: "variant" },
    { title: "users", number: true },
    { title: "shown", number: true },
    { title: "click rate", number: true },
    { title: metric, number: true },
    { title: "lift, with an anytime-valid interval" },
    { title: "verdict" },
    { title: "time per list", number: true },
    { title: "lost users", number: true },
  ];
  return card(
    name,
    hypothesis,
    html(
      "p",
      { class: "tags" },
      html("span", { class: status === "running" ? "tag good" : "tag" }, status),
      html("span", { class: "tag" }, `${percent(traffic)} of users`),
      html("span", { class: "tag" }, `layer ${layer}`),
      html("span", { class: "tag" }, `metric ${metric}`),
      ...guardRails.map((rail) => html("span", { class: "tag" }, `guard ${rail}`)),
    ),
    reason ? html("p", { class: "said" }, `${status}: ${reason}`) : null,
    variants.length === 0 ? empty("It has no users yet.") : table(
      `Variants of ${name}`,
      columns,
      variants.map((one) => [
        one.name,
        count(one.users),
        count(one.rows),
        percent(one.ctr),
        one.value === null ? "–" : one.value.toPrecision(4),
        one.lift === null
          ? one.control ? html("span", { class: "muted" }, "control") : "–"
          : `${one.lift >= 0 ? "+" : ""}${points(one.lift)}\u00a0% [${
            one.low === null ? "−∞" : points(one.low)
          }, ${one.high === null ? "∞" : points(one.high)}]`,
        one.word === null ? "" : html(
          "span",
          { class: /** @type {Record<string, string>} */ (kind)[one.word] ?? "tag" },
          one.word,
        ),
        ms(one.tookMs),
        count(one.lost),
      ]),
    ),
    ...text.map((line) => html("p", { class: "muted said" }, line)),
    moved > 0
      ? html(
        "p",
        { class: "muted said" },
        `${count(moved)} lists are left out, as their users had changed variant.`,
      )
      : null,
  );
}
