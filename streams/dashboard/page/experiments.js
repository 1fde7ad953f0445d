// @ts-check
/// <reference lib="dom" />
/** The experiments page: variants, users and current verdicts. @module */

import { card, empty, html, numbers, table, tag } from "./elements.js";
import { count, ms, percent } from "./figures.js";
import { keepAsking } from "./server.js";

/** @typedef {import("../../experiments/views.ts").ExperimentView} ExperimentView */

/**
 * Renders the experiments.
 *
 * @param {HTMLElement} main
 * @returns {() => void} Renders updates.
 */
export function showExperiments(main) {
  return keepAsking(main, "Experiments", "/v1/experiments", show);
}

/**
 * @param {HTMLElement} box
 * @param {{ experiments: readonly ExperimentView[] }} view
 */
function show(box, { experiments }) {
  if (experiments.length === 0) {
    box.replaceChildren(card(
      "No experiments yet",
      "",
      html(
        "p",
        {},
        "An experiment compares variants of the model, the policy or the candidates on a share of the users. Describe it in a file, explore.json:",
      ),
      html("pre", { tabindex: 0 }, html("code", {}, EXAMPLE)),
      html("p", {}, "Then start it:"),
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

/** @type {Readonly<Record<string, "good" | "bad">>} */
const KINDS = { better: "good", worse: "bad", harmful: "bad", invalid: "bad" };

/** @param {ExperimentView} view */
function experiment(view) {
  const { name, hypothesis, status, reason, layer, traffic, metric, variants, guardRails, text, moved } =
    view;
  const columns = [
    "variant",
    ...numbers("users", "shown", "click rate", metric),
    "lift, with an anytime-valid interval",
    "verdict",
    ...numbers("time per list", "lost users"),
  ];
  return card(
    name,
    hypothesis,
    html(
      "p",
      { class: "tags" },
      tag(status, status === "running" ? "good" : ""),
      tag(`${percent(traffic)} of users`),
      tag(`layer ${layer}`),
      tag(`metric ${metric}`),
      ...guardRails.map((rail) => tag(`guard ${rail}`)),
    ),
    reason ? html("p", { class: "said" }, `${status}: ${reason}`) : null,
    variants.length === 0 ? empty("No users yet.") : table(
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
        one.word && tag(one.word, KINDS[one.word] ?? ""),
        ms(one.tookMs),
        count(one.lost),
      ]),
    ),
    ...text.map((line) => html("p", { class: "muted said" }, line)),
    moved > 0
      ? html(
        "p",
        { class: "muted said" },
        `${count(moved)} lists are not counted because their users had changed variant.`,
      )
      : null,
  );
}
