// @ts-check
/// <reference lib="dom" />
/** The overview page: the loop, charts, rejections and popular items. @module */

import { Chart } from "./charts.js";
import { card, empty, html, itemName, meter, numbers, setText, table, tag, tile } from "./elements.js";
import { bytes, clock, count, duration, fixed, moment, ms, percent, rate } from "./figures.js";
import { Loop } from "./loop.js";

/** @typedef {import("./charts.js").ChartSpec} ChartSpec */
/** @typedef {import("../snapshot.ts").Snapshot} Snapshot */
/** @typedef {import("./store.js").Store} Store */

/** @type {readonly ChartSpec[]} */
const CHARTS = [
  {
    title: "Throughput",
    about: "Events, recommendations and samples per second.",
    lines: [
      { key: "events", name: "events", color: 1 },
      { key: "requests", name: "requests", color: 2 },
      { key: "samples", name: "samples", color: 3 },
    ],
    format: rate,
    fromZero: true,
  },
  {
    title: "Click rate",
    about: "Share of positives among the newest 5,000 evaluated rows.",
    lines: [{ key: "ctr", name: "CTR", color: 1 }],
    format: percent,
    fromZero: true,
  },
  {
    title: "Ranking quality",
    about: "Progressive AUC of the same rows: each prediction was frozen before its outcome. 0.5 is chance.",
    lines: [{ key: "auc", name: "AUC", color: 1 }],
    format: fixed,
    marks: true,
  },
  {
    title: "Normalised entropy",
    about: "Log loss relative to predicting the mean click rate: below 1, the model is better.",
    lines: [{ key: "entropy", name: "NE", color: 1 }],
    format: fixed,
    reference: { value: 1, name: "constant" },
    marks: true,
  },
  {
    title: "Calibration",
    about: "Sum of predictions over sum of clicks: 1 is calibrated on average.",
    lines: [{ key: "calibration", name: "predicted ÷ observed", color: 1 }],
    format: fixed,
    reference: { value: 1, name: "right" },
    marks: true,
  },
  {
    title: "Latency",
    about: "Over the last minute: recommendations over HTTP, ranking, commits.",
    lines: [
      { key: "answerP99", name: "answer p99", color: 1 },
      { key: "scoreP99", name: "list p99", color: 2 },
      { key: "commitP99", name: "commit p99", color: 3 },
    ],
    format: ms,
    fromZero: true,
  },
  {
    title: "Versions",
    about:
      "The newest version and the serving one. Short ticks: published versions; tall lines: decisions of the guard.",
    lines: [
      { key: "made", name: "newest", color: 1 },
      { key: "served", name: "serving", color: 2 },
    ],
    format: count,
    steps: true,
    marks: true,
  },
  {
    title: "Waiting",
    about: "Events not yet committed, and samples not yet learnt.",
    lines: [
      { key: "lag", name: "events", color: 1 },
      { key: "waiting", name: "samples", color: 2 },
    ],
    format: count,
    fromZero: true,
  },
  {
    title: "Processor",
    about: "Processor use of this process: 100 % is one core.",
    lines: [{ key: "cpu", name: "CPU", color: 1 }],
    format: percent,
    fromZero: true,
  },
  {
    title: "Memory over time",
    about: "Resident memory of this process.",
    lines: [{ key: "resident", name: "resident", color: 1 }],
    format: bytes,
    fromZero: true,
  },
];

const SPANS = /** @type {const} */ ([
  ["seconds", "15 minutes", 900_000],
  ["minutes", "24 hours", 86_400_000],
]);

/** @type {readonly (readonly [title: string, about: string, value: (now: Snapshot) => string])[]} */
const TILES = [
  ["click rate", "of the newest evaluated rows", (now) => percent(now.quality.ctr)],
  ["AUC", "0.5 is chance", (now) => fixed(now.quality.auc)],
  ["normalised entropy", "below 1 is better", (now) => fixed(now.quality.entropy)],
  ["calibration", "1 is ideal", (now) => fixed(now.quality.calibration)],
  ["answer p99", "HTTP, last minute", (now) => ms(now.latency.answer.p99)],
  ["memory", "resident", (now) => bytes(now.memory["resident"])],
];

/**
 * Renders the overview.
 *
 * @param {HTMLElement} main
 * @param {Store} store
 * @returns {() => void} Renders updates.
 */
export function showOverview(main, store) {
  const loop = new Loop();
  const charts = CHARTS.map((spec) => new Chart(spec));
  const tiles = TILES.map(([title, about, value]) => {
    const shown = document.createTextNode("–");
    return { shown, value, element: tile(title, shown, about) };
  });
  /** @type {typeof SPANS[number]} */
  let span = SPANS[0];
  const choice = html(
    "fieldset",
    { class: "choice" },
    html("legend", { class: "hidden" }, "Time range"),
    ...SPANS.map(([name, title]) =>
      html(
        "label",
        {},
        html("input", { type: "radio", name: "span", value: name, checked: name === span[0] }),
        html("span", {}, title),
      )
    ),
  );
  const boxes = {
    models: html("div"),
    latency: html("div"),
    memory: html("div"),
    marks: html("div"),
    rejections: html("div"),
    items: html("div"),
    sources: html("div"),
    partitions: html("div"),
  };
  const model = html("span", { class: "muted" });
  main.replaceChildren(
    html("div", { class: "heading" }, html("h1", {}, "Overview"), model),
    html("section", { class: "card", "aria-label": "The loop" }, loop.element),
    html("div", { class: "tiles" }, ...tiles.map(({ element }) => element)),
    html("div", { class: "heading" }, html("h2", {}, "Over time"), choice),
    html("div", { class: "charts" }, ...charts.map(({ element }) => element)),
    html(
      "div",
      { class: "columns" },
      card(
        "Rejected",
        "Rejected records and entries of HTTP bodies since this process started, newest first.",
        boxes.rejections,
      ),
      card(
        "Popular items",
        "By clicks and other positives, recent ones weighing more, in the partitions of this process.",
        boxes.items,
      ),
      card(
        "Sources",
        "Since this process started. Listed: items on lists, by their main source. Hit rate: share of the items that users took which the source had proposed.",
        boxes.sources,
      ),
      card(
        "Models",
        "The deployment's own model and those of variants, each judged on its newest 5,000 evaluated rows.",
        boxes.models,
      ),
      card("Latency", "Percentiles of the last minute.", boxes.latency),
      card("Memory", "States and embeddings are parts of heap and external.", boxes.memory),
      card("Parameters", "Published versions and decisions of the guard, newest first.", boxes.marks),
      card("Partitions", "The partitions of this process.", boxes.partitions),
    ),
  );
  const draw = () => {
    const [name, , length] = span;
    for (const chart of charts) chart.update(store[name], length, store.marks);
  };
  choice.addEventListener("change", (event) => {
    const { value } = /** @type {HTMLInputElement} */ (event.target);
    span = SPANS.find(([name]) => name === value) ?? SPANS[0];
    draw();
  });
  return () => {
    const { now, point } = store;
    if (now === undefined) return;
    setText(
      model,
      now.model === null
        ? "no service in this process"
        : `model ${now.model}, up for ${duration(1000 * now.uptimeSeconds)}`,
    );
    loop.update(now, point);
    for (const { shown, value } of tiles) setText(shown, value(now));
    draw();
    boxes.models.replaceChildren(modelTable(now));
    boxes.latency.replaceChildren(latencyTable(now));
    boxes.memory.replaceChildren(memoryBars(now));
    boxes.items.replaceChildren(itemTable(now));
    boxes.sources.replaceChildren(sourceTable(now));
    boxes.partitions.replaceChildren(partitionTable(now));
    if (store.changed.has("marks")) boxes.marks.replaceChildren(markTable(store));
    if (store.changed.has("rejections")) boxes.rejections.replaceChildren(rejectionTable(store));
    store.changed.clear();
  };
}

/** @param {Snapshot} now */
function modelTable({ models }) {
  if (models.length === 0) return empty("This process has no model.");
  return table(
    "Models",
    ["model", ...numbers("made", "serving", "CTR", "AUC", "NE", "calib."), "guard"],
    models.map(({ model, made, served, quality, health }) => [
      model,
      count(made),
      count(served),
      percent(quality?.ctr),
      fixed(quality?.auc),
      fixed(quality?.entropy),
      fixed(quality?.calibration),
      tag(health ?? "learns elsewhere", health === null || health === "healthy" ? "" : "bad"),
    ]),
  );
}

/** @param {Snapshot} now */
function latencyTable({ latency }) {
  const rows = [
    { name: "answer over HTTP", ...latency.answer },
    { name: "ranking of a list (sampled)", ...latency.score },
    { name: "commit of a task", ...latency.commit },
  ];
  return table(
    "Latency",
    ["what", ...numbers("count", "p50", "p95", "p99")],
    rows.map((row) => [row.name, count(row.count), ms(row.p50), ms(row.p95), ms(row.p99)]),
  );
}

/** @param {Snapshot} now */
function memoryBars({ memory }) {
  const all = memory["resident"] ?? 1;
  const parts = ["resident", "heap", "external", "embeddings", "states"];
  return table(
    "Memory by part",
    ["part", ...numbers("bytes"), "of resident"],
    parts.map((part) => [part, bytes(memory[part]), meter((memory[part] ?? 0) / all, 1)]),
  );
}

/** @param {Snapshot} now */
function itemTable({ topItems }) {
  if (topItems.length === 0) return empty("Nothing has been clicked yet.");
  const most = topItems[0]?.popularity ?? 1;
  return table(
    "Popular items",
    ["item", "category", "popularity", ...numbers("shown", "click rate")],
    topItems.map(({ item, title, categories, popularity, outcomes, positives }) => [
      itemName({ item, title }),
      categories.join(", "),
      meter(popularity / most, 2),
      count(outcomes),
      percent(outcomes === 0 ? null : positives / outcomes),
    ]),
  );
}

/** @param {Snapshot} now */
function sourceTable({ sources }) {
  if (sources.length === 0) return empty("No list has been made yet.");
  const all = sources.reduce((sum, { listed }) => sum + listed, 0);
  return table(
    "Sources",
    ["source", ...numbers("listed"), "of all", ...numbers("hit rate")],
    sources.map(({ source, listed, hitRate }) => [
      source,
      count(listed),
      meter(all === 0 ? 0 : listed / all, 3),
      percent(hitRate),
    ]),
  );
}

/** @param {Snapshot} now */
function partitionTable({ partitions }) {
  if (partitions.length === 0) return empty("This process has no partitions.");
  return table(
    "Partitions",
    ["partition", "state", ...numbers("lag", "users in memory"), "watermark"],
    partitions.map(({ partition, restoring, restore, lag, users, watermark }) => [
      String(partition),
      restoring ? `restoring${restore?.share ? `, ${percent(restore.share)}` : ""}` : "running",
      count(lag),
      count(users),
      moment(watermark).slice(0, 16),
    ]),
  );
}

/** @param {Store} store */
function markTable({ marks }) {
  if (marks.length === 0) return empty("Nothing has been published since this process started.");
  return table(
    "Parameters",
    ["time", "what", ...numbers("version"), "details"],
    marks.slice(-12).reverse().map(({ time, kind, version, about }) => [
      clock(time),
      tag(kind, kind === "published" || kind === "healthy" ? "" : "bad"),
      count(version),
      kind === "published" && about === String(version) ? "" : about,
    ]),
  );
}

/** @param {Store} store */
function rejectionTable({ rejections, now }) {
  const codes = Object.entries(now?.rejectionCounts ?? {}).sort(([, a], [, b]) => b - a);
  if (codes.length === 0) return empty("Nothing has been rejected.");
  return html(
    "div",
    {},
    html(
      "p",
      { class: "tags" },
      ...codes.map(([code, times]) =>
        html("span", { class: "tag" }, `${code} `, html("b", {}, count(times)))
      ),
    ),
    table(
      "Rejected",
      ["time", "code", "reason"],
      rejections.slice(-10).reverse().map(({ time, code, reason, place, text }) => [
        clock(time),
        html("span", { class: "together" }, code),
        html("span", { class: "reason" }, `${place}: ${reason}`, text === "" ? null : html("code", {}, text)),
      ]),
    ),
  );
}
