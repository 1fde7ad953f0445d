/**
 * The fixed parts of the report's page: style sheet and script.
 *
 * @module
 */

/** Style sheet, which also defines the colours of the charts. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --text: #1b2028; --muted: #5f6875; --line: #dfe3e9;
  --blue: #2563eb; --orange: #c2570c; --green: #047857; --bad: #b42318;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1216; --card: #181c22; --text: #e6e9ee; --muted: #98a1af; --line: #2c323b;
    --blue: #6ea8ff; --orange: #f5a35c; --green: #4fd1a5; --bad: #ff8f85;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main, header { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { margin: 0; font-size: 1.6rem; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 36px 0 12px; font-size: 1.15rem; }
h3 { margin: 0; font-size: 1rem; }
p { margin: 4px 0; }
a { color: var(--blue); }
.muted, figcaption, caption { color: var(--muted); }
code, .code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 0.87em; }
header code { display: block; margin-top: 10px; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0 0; }
.tile, figure, .card {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; margin: 0;
}
.tile b { display: block; font-size: 1.55rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { display: block; font-size: 0.85rem; color: var(--muted); overflow-wrap: anywhere; }
.tile { min-width: 0; }
.tile.bad b { color: var(--bad); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; }
figure { min-width: 0; display: flex; flex-direction: column; }
figure:last-child:nth-child(odd) { grid-column: 1 / -1; }
figcaption { font-size: 0.88rem; margin: 2px 0 8px; }
.chart { height: 300px; }
.empty { display: grid; place-items: center; color: var(--muted); flex: 1; min-height: 120px; }
details { margin-top: 8px; font-size: 0.88rem; }
summary { cursor: pointer; color: var(--muted); }
details .scroll { max-height: 320px; }
.scroll { overflow: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: 0.88rem; padding-bottom: 6px; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 500; }
thead th { color: var(--muted); font-size: 0.85rem; white-space: nowrap; }
thead th[title] { text-decoration: underline dotted; text-underline-offset: 3px; cursor: help; }
tbody tr:last-child > * { border-bottom: 0; }
.number { text-align: right; white-space: nowrap; }
td.text, td.code { overflow-wrap: anywhere; min-width: 22ch; }
tbody th { white-space: nowrap; }
ul { margin: 0; padding-left: 1.2em; overflow-wrap: anywhere; }
.facts th { width: 1%; color: var(--muted); }
.facts td { min-width: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 16px; align-items: start; }
.pair > * { min-width: 0; }
footer { margin: 36px 0 28px; color: var(--muted); font-size: 0.85rem; }
@media (max-width: 560px) {
  main, header { padding: 0 12px; }
  header { padding-top: 18px; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .tile b { font-size: 1.25rem; }
}
@media print {
  .chart { break-inside: avoid; }
  details { display: none; }
}
`;

/**
 * Script of the page: draws every chart of the JSON in `#charts` with the colours of the style sheet, redraws when the
 * colour scheme changes, and follows the size of its box.
 */
export const SCRIPT = `
"use strict";
{
  const text = document.getElementById("charts").textContent;
  const drawn = new Map();
  const draw = () => {
    const css = getComputedStyle(document.documentElement);
    const coloured = (_, value) =>
      typeof value === "string" && value.startsWith("--") ? css.getPropertyValue(value).trim() : value;
    for (const [id, option] of Object.entries(JSON.parse(text, coloured))) {
      const box = document.getElementById(id);
      const chart = drawn.get(id) ?? echarts.init(box, null, { renderer: "svg" });
      if (!drawn.has(id)) new ResizeObserver(() => chart.resize()).observe(box);
      drawn.set(id, chart);
      chart.setOption(option, true);
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
`;
