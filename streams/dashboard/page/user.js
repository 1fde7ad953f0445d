// @ts-check
/// <reference lib="dom" />
/** The user page: behaviours, current recommendations and their explanation. @module */

import { card, empty, html, itemName, meter, numbers, svg, table, tile } from "./elements.js";
import { count, duration, fixed, moment, percent, signed } from "./figures.js";
import { getJson, ServerError } from "./server.js";

/** @typedef {import("../../http/routes/users.ts").UserView} UserView */
/** @typedef {import("../../http/routes/explain.ts").ExplanationView} ExplanationView */
/** @typedef {ExplanationView["items"][number]} Item */

/**
 * Renders the form for a user id.
 *
 * @param {HTMLElement} main
 */
export function showSearch(main) {
  main.replaceChildren(
    html("div", { class: "heading" }, html("h1", {}, "Users")),
    card(
      "Find a user",
      "By the id in the user's events. The page shows the behaviours, what would be recommended now, and why.",
      html(
        "form",
        { id: "find", class: "row", action: "/users", role: "search" },
        html("label", { class: "hidden", for: "find-user" }, "Id of the user"),
        html("input", {
          id: "find-user",
          name: "user",
          type: "search",
          maxlength: 256,
          required: true,
          autocomplete: "off",
        }),
        html("button", { type: "submit" }, "Show"),
      ),
    ),
  );
}

/**
 * Renders a user.
 *
 * @param {HTMLElement} main
 * @param {string} user
 */
export async function showUser(main, user) {
  const heading = html("div", { class: "heading" }, html("h1", {}, user));
  main.replaceChildren(heading, html("p", { class: "card muted", role: "status" }, "Asking the server …"));
  const path = `/v1/users/${encodeURIComponent(user)}`;
  try {
    const view = /** @type {UserView} */ (await getJson(path));
    const again = html("button", { type: "button" }, "Refresh");
    again.addEventListener("click", () => showUser(main, user));
    heading.append(again);
    const why = html("div", {}, empty("Scoring without each behaviour …"));
    main.replaceChildren(
      heading,
      html(
        "div",
        { class: "tiles" },
        tile("behaviours", count(view.totalBehaviours), `${view.behaviours.length} kept`),
        tile("newest", ago(view), "ago"),
        tile("open lists", count(view.pending.length), "outcome not final"),
        tile(
          "stored state",
          view.hidden.size === 0 ? "none" : count(view.hidden.size),
          view.hidden.size === 0
            ? "computed when it is read"
            : `numbers, computed by version ${view.hidden.version}`,
        ),
      ),
      card(
        "Behaviours",
        "In order of time; a taller line is a stronger behaviour. Gaps of more than a day are shortened.",
        timeline(view),
      ),
      why,
      html("div", { class: "columns" }, openLists(view), profile(view)),
    );
    await showWhy(why, path);
  } catch (error) {
    main.replaceChildren(heading, problem(error));
  }
}

/** @param {unknown} error */
function problem(error) {
  const text = error instanceof ServerError && error.code === "not-found"
    ? "This process does not know this user: it has applied no event with this id."
    : /** @type {Error} */ (error).message;
  return html("p", { class: "card", role: "alert" }, text);
}

/** @param {UserView} view */
function ago({ behaviours }) {
  const last = behaviours.at(-1);
  return last === undefined ? "–" : duration(Date.now() - last.time);
}

/** Distance between behaviours: the width of a short id. */
const STEP = 54;
const TALL = 74;
/** Width of a date. */
const DATE = 70;

/** @param {UserView} view */
function timeline({ behaviours }) {
  if (behaviours.length === 0) return empty("None yet.");
  let x = STEP / 2, dated = 0;
  const marks = [];
  for (const [i, one] of behaviours.entries()) {
    const before = behaviours[i - 1];
    const newDay = before === undefined || one.time - before.time > 86_400_000;
    if (newDay) {
      if (before !== undefined) x += DATE - STEP;
      marks.push(svg("text", { class: "tick", x, y: TALL + 34 }, moment(one.time).slice(0, 10)));
      dated = x + DATE;
    }
    const height = Math.min(1, 0.25 + 0.55 * Math.abs(one.strength)) * (TALL - 12);
    marks.push(svg(
      "g",
      { class: `act color-${actionColor(behaviours, one.action)}` },
      svg(
        "title",
        {},
        `${one.action} ${one.item}${one.title === undefined ? "" : `, ${one.title}`} (${
          one.categories.join(", ") || "no category"
        }), ${moment(one.time)}`,
      ),
      svg("line", { x1: x, x2: x, y1: TALL, y2: TALL - height }),
      svg("circle", { cx: x, cy: TALL - height, r: 4.5 }),
      svg("text", { class: "tick", x, y: TALL + 16, "text-anchor": "middle" }, short(one.item)),
    ));
    x += STEP;
  }
  x = Math.max(x - STEP / 2, dated);
  const actions = [...new Set(behaviours.map(({ action }) => action))];
  return html(
    "div",
    {},
    html(
      "p",
      { class: "legend" },
      ...actions.map((action) =>
        html(
          "span",
          { class: `color-${actionColor(behaviours, action)}` },
          html("i", { "aria-hidden": "true" }),
          action,
        )
      ),
    ),
    html(
      "div",
      {
        class: "scroll end",
        tabindex: 0,
        role: "region",
        "aria-label": `${behaviours.length} behaviours in order of time`,
      },
      svg(
        "svg",
        {
          class: "timeline",
          width: x,
          height: TALL + 42,
          role: "img",
          "aria-label": `From ${moment(behaviours[0]?.time)} to ${moment(behaviours.at(-1)?.time)}`,
        },
        svg("line", { class: "grid", x1: 0, x2: x, y1: TALL, y2: TALL }),
        ...marks,
      ),
    ),
  );
}

/** @param {UserView["behaviours"]} behaviours @param {string} action */
function actionColor(behaviours, action) {
  return 1 + [...new Set(behaviours.map((one) => one.action))].indexOf(action) % 4;
}

/**
 * The end of an id, where the ids of a shop differ most.
 *
 * @param {string} item
 */
function short(item) {
  return item.length > 6 ? `…${item.slice(-5)}` : item;
}

/**
 * @param {HTMLElement} box
 * @param {string} path
 */
async function showWhy(box, path) {
  try {
    const view = /** @type {ExplanationView} */ (await getJson(`${path}/explain?count=8`));
    if (view.empty !== null) {
      box.replaceChildren(card("What would be recommended", "", empty(`Nothing: ${view.empty.reason}.`)));
      return;
    }
    const detail = html("div", { "aria-live": "polite" });
    const choices = html(
      "fieldset",
      { class: "items" },
      html("legend", { class: "hidden" }, "Item to explain"),
      ...view.items.map((item, at) =>
        html(
          "label",
          {},
          html("input", { type: "radio", name: "item", value: at, checked: at === 0 }),
          html(
            "span",
            {},
            html("b", {}, `${at + 1}. ${item.item}`),
            item.title && html("small", { class: "name" }, item.title),
            html("small", {}, item.categories.join(", ") || "no category"),
            html("small", {}, scoreAndPrior(view, item)),
            html("small", { class: "tag" }, item.source),
          ),
        )
      ),
    );
    choices.addEventListener("change", (event) => {
      const at = Number(/** @type {HTMLInputElement} */ (event.target).value);
      const item = view.items[at];
      if (item !== undefined) detail.replaceChildren(explanation(view, item));
    });
    const [first] = view.items;
    if (first !== undefined) detail.append(explanation(view, first));
    box.replaceChildren(card(
      "What would be recommended now, and why",
      `${orderOf(view)}, as of ${moment(view.time)}. ${
        view.scoreKind === "share" || view.orderedBy === "model"
          ? ""
          : "The order depends on more than the probability shown. "
      }This page has no effect: nothing is logged, learnt or counted as shown.`,
      choices,
      detail,
    ));
  } catch (error) {
    box.replaceChildren(problem(error));
  }
}

/**
 * What ordered the list, and the model whose effects are shown.
 *
 * @param {ExplanationView} view
 */
function orderOf({ model, version, orderedBy = "model", modelShare }) {
  const made = `${model}, version ${version}`;
  if (orderedBy === "model") return `By ${made}`;
  const isWithout = modelShare === 0 || ["blend", "prior", "list"].includes(orderedBy);
  return `Ordered by ${orderedBy}; effects are those of ${made}${
    isWithout ? ", which does not affect the order" : ""
  }`;
}

/**
 * The score of an item, labelled if it is a share.
 *
 * @param {ExplanationView} view
 * @param {Item} item
 */
function scoreOf({ scoreKind }, item) {
  return scoreKind === "share" ? `share\u00a0${percent(item.score)}` : percent(item.score);
}

/**
 * The score, with the prior if the score is a probability as well.
 *
 * @param {ExplanationView} view
 * @param {Item} item
 */
function scoreAndPrior(view, item) {
  const score = scoreOf(view, item);
  return view.scoreKind === "share" ? score : `${score}, prior\u00a0${percent(item.prior)}`;
}

/**
 * @param {ExplanationView} view
 * @param {Item} item
 */
function explanation(view, item) {
  const { behaviours, panels } = view;
  const { effects, weights, looksAt } = item;
  const most = Math.max(...effects.map((effect) => Math.abs(effect ?? 0)), 1e-9);
  const heaviest = Math.max(...weights.map((weight) => weight ?? 0), 1e-9);
  const attends = looksAt === "behaviours";
  const rows = behaviours.map((one, i) => ({ one, effect: effects[i] ?? null, weight: weights[i] ?? null }));
  return html(
    "div",
    {},
    html(
      "p",
      { class: "muted about" },
      (view.scoreKind === "share"
        ? `${item.item} has a share of ${percent(item.score)} of what the user is expected to take next. `
        : `The model starts from a prior of ${percent(item.prior)} and predicts ${
          percent(item.score)
        } for ${item.item}. `) +
        "Effect: how much a behaviour raises (blue) or lowers (orange) the log-odds.",
    ),
    looksAt !== null && !attends ? parts(looksAt, weights, panels) : null,
    rows.length === 0
      ? empty("There are no behaviours yet: the score is that of the item for a new user.")
      : table(
        `Why ${item.item}`,
        [
          "behaviour",
          "category",
          "when",
          "effect",
          ...numbers(""),
          ...(attends ? ["attention", ...numbers("")] : []),
        ],
        rows.reverse().map(({ one, effect, weight }) => [
          html("span", {}, `${one.action} `, itemName(one)),
          one.categories.join(", "),
          html(
            "span",
            {},
            html("span", { class: "together" }, moment(one.time).slice(0, 10)),
            " ",
            moment(one.time).slice(11, 16),
          ),
          effect === null ? html("span", { class: "muted" }, "part of the memory") : both(effect / most),
          effect === null ? "" : signed(effect),
          ...(attends
            ? [meter((weight ?? 0) / heaviest, 3, `attention ${fixed(weight)}`), fixed(weight)]
            : []),
        ]),
      ),
  );
}

/**
 * The attention of a candidate to the parts of the state, next to the model's panels.
 *
 * @param {string} name of the parts
 * @param {readonly (number | null)[]} weights
 * @param {ExplanationView["panels"]} panels
 */
function parts(name, weights, panels) {
  const shown = panels.filter(({ unit, values }) => unit === "share" && values.length === weights.length);
  return table(
    name,
    [
      "",
      "attention of this item",
      ...numbers(""),
      ...shown.flatMap(({ title }) => [title, ...numbers("")]),
    ],
    weights.map((weight, i) => [
      String(i + 1),
      meter(weight ?? 0, 3, `attention ${percent(weight)}`),
      percent(weight),
      ...shown.flatMap(({ title, values }) => [
        meter(values[i] ?? 0, 3, `${title} ${percent(values[i])}`),
        percent(values[i]),
      ]),
    ]),
  );
}

/**
 * A bar from the middle to one side.
 *
 * @param {number} share in [−1, 1]
 */
function both(share) {
  const width = Math.max(0.5, 50 * Math.abs(share));
  return svg(
    "svg",
    { class: "both", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "ground", x: 0, y: 0, width: 100, height: 8 }),
    svg("rect", {
      class: share < 0 ? "over color-2" : "over color-1",
      x: share < 0 ? 50 - width : 50,
      y: 0,
      width,
      height: 8,
    }),
  );
}

/** @param {UserView} view */
function openLists({ pending }) {
  return card(
    "Open lists",
    "Shown lists for which a click still counts. Clicked items are green.",
    pending.length === 0 ? empty("None.") : table(
      "Open lists",
      ["request", "shown", "until", "items"],
      pending.slice(-8).reverse().map(({ request, time, deadline, items }) => [
        html("code", {}, request.length > 18 ? `${request.slice(0, 17)}…` : request),
        moment(time).slice(5, 16),
        moment(deadline).slice(11, 16),
        html(
          "span",
          { class: "tags" },
          ...items.map(({ item, title, label }) =>
            html("span", { class: label === 1 ? "tag good" : "tag", title }, item)
          ),
        ),
      ]),
    ),
  );
}

/** @param {UserView} view */
function profile({ profile, parked, lastOffset }) {
  const rows = Object.entries(profile).map((
    [name, value],
  ) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  return card(
    "Profile",
    `The user's last event is at offset ${lastOffset}; interactions waiting for their list: ${
      count(parked)
    }.`,
    rows.length === 0 ? empty("No attributes.") : table("Profile", ["attribute", "value"], rows),
  );
}
