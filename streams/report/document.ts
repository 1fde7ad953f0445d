/** A report as one self-contained HTML file. */

import { createHash } from "node:crypto";
import type { Chart } from "./chart.ts";
import { formatTime } from "./format.ts";
import { escapeHtml, htmlTable, scriptJson } from "./html.ts";
import { SCRIPT, STYLE } from "./page.ts";
import type { Figure } from "./report_data.ts";

/** A number at the top of a report. */
export interface Tile {
  /** Markup-free text. */
  readonly value: string;
  readonly label: string;
  /** Whether it is highlighted as bad. @default {false} */
  readonly bad?: boolean;
}

export interface ReportDocument {
  /** Title, as text. */
  readonly title: string;
  /** Kind of report, such as `replay`. */
  readonly kind: string;
  /** When it was finished, milliseconds since the epoch. */
  readonly finished: Figure;
  readonly command: string;
  readonly tiles: readonly Tile[];
  /** All charts that `main` places with {@linkcode figure}. */
  readonly charts: readonly Chart[];
  /** Markup of the page's body, with its text escaped. */
  readonly main: string;
}

/**
 * All data is escaped, and a content security policy allows only the two embedded scripts, by digest, and no loading at
 * all: a hostile item id stays text.
 *
 * @throws TypeError when the ECharts bundle is missing, as in a program without `node_modules`.
 */
export function renderDocument(
  { title, kind, finished, command, tiles, charts, main }: ReportDocument,
): string {
  const scripts = [readEcharts(), SCRIPT];
  const options = Object.fromEntries(
    charts.flatMap(({ id, option }) => option === null ? [] : [[`chart-${id}`, option]]),
  );
  const policy = [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    "img-src data:",
    `script-src ${scripts.map((script) => `'sha256-${sha256(script)}'`).join(" ")}`,
  ].join("; ");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · meander ${kind}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>
<p class="muted">meander ${kind} · ${formatTime(finished)}</p>
<h1>${escapeHtml(title)}</h1>
<code>${escapeHtml(command)}</code>
<div class="tiles">${tiles.map(tile).join("")}</div>
</header>
<main>
${main}
</main>
<script type="application/json" id="charts">${scriptJson(options)}</script>
${scripts.map((script) => `<script>${script}</script>`).join("\n")}
</body>
</html>
`;
}

/** A chart with its caption and data table. */
export function figure({ id, title, caption, summary, option, table }: Chart): string {
  const drawing = option === null
    ? `<div class="empty">No figures for this run.</div>`
    : `<div class="chart" id="chart-${id}" role="img" aria-label="${escapeHtml(summary)}"></div>
<details><summary>The figures</summary>${htmlTable(table)}</details>`;
  return `<figure><h3>${escapeHtml(title)}</h3><figcaption>${caption}</figcaption>
${drawing}</figure>`;
}

function tile({ value, label, bad }: Tile): string {
  return `<div class="tile${bad === true ? " bad" : ""}"><b>${escapeHtml(value)}</b><span>${
    escapeHtml(label)
  }</span></div>`;
}

function readEcharts(): string {
  const url = import.meta.resolve("echarts/dist/echarts.common.min.js");
  if (!url.startsWith("file:")) {
    throw new TypeError(`Cannot read the ECharts bundle: it is not a file but ${url}`);
  }
  return Deno.readTextFileSync(new URL(url));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
