/**
 * The HTML report of a replay: one file that needs nothing else, neither a server nor a network.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Chart, reportCharts } from "./charts.ts";
import {
  DASH,
  formatBytes,
  formatCount,
  formatFixed,
  formatPercent,
  formatSeconds,
  formatTime,
} from "./format.ts";
import { escapeHtml, htmlTable, scriptJson, type TableData } from "./html.ts";
import { SCRIPT, STYLE } from "./page.ts";
import type { ReportData } from "./report_data.ts";
import { METRIC_COLUMNS, segments, summaryFacts } from "./table.ts";

/** Characters shown of a rejected record. */
const SHOWN_CHARACTERS = 300;

/**
 * A replay as one self-contained HTML page.
 *
 * All text of the data is escaped, and a content security policy lets the browser run nothing but the two
 * scripts that were put in here, by their digest, and load nothing at all: a hostile item id stays text.
 *
 * @throws TypeError when the ECharts bundle cannot be found, as in a program without `node_modules`.
 */
export function renderReport(data: ReportData): string {
  const charts = reportCharts(data);
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
  const title = `${escapeHtml(data.model)} on ${escapeHtml(data.dataSet)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · meander replay</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>
<p class="muted">meander replay · ${formatTime(data.finished)}</p>
<h1>${title}</h1>
<code>${escapeHtml(data.command)}</code>
${tiles(data)}
</header>
<main>
<section aria-labelledby="quality"><h2 id="quality">Quality</h2>
<div class="card">${htmlTable(metricsTable(data))}</div>
</section>
<section aria-labelledby="curves"><h2 id="curves">Over the run</h2>
<div class="charts">
${charts.map(figure).join("\n")}
</div>
</section>
<section aria-labelledby="rejected"><h2 id="rejected">Rejected</h2>
<div class="card">${rejections(data)}</div>
</section>
<section aria-labelledby="run"><h2 id="run">The run</h2>
<div class="pair">
<div class="card facts">${facts(data)}</div>
<div class="card">${htmlTable(parametersTable(data))}</div>
</div>
</section>
${notes(data)}
<footer>Every prediction was frozen when it was made and judged when its outcome was known. ${DASH} means not defined.</footer>
</main>
<script type="application/json" id="charts">${scriptJson(options)}</script>
${scripts.map((script) => `<script>${script}</script>`).join("\n")}
</body>
</html>
`;
}

function tiles({ metrics: { overall }, totals }: ReportData): string {
  const all: [value: string, label: string, bad?: boolean][] = [
    [formatFixed(overall.auc), `AUC over ${formatCount(overall.rows)} rows`],
    [formatFixed(overall.normalizedEntropy), "normalised entropy, below 1 is better than a constant"],
    [formatFixed(overall.calibration, 3), "calibration, 1 is unbiased"],
    [
      formatPercent(totals.rows === 0 ? null : totals.clicks / totals.rows),
      `click rate, ${formatCount(totals.clicks)} clicks`,
    ],
    [formatCount(totals.eventsPerSecond), `events/s over ${formatSeconds(totals.seconds)}`],
    [
      formatCount(totals.rejected),
      `rejected of ${formatCount(totals.events + totals.rejected)}`,
      totals.rejected > 0,
    ],
  ];
  return `<div class="tiles">${
    all.map(([value, label, bad]) =>
      `<div class="tile${bad ? " bad" : ""}"><b>${value}</b><span>${label}</span></div>`
    ).join("")
  }</div>`;
}

function figure({ id, title, caption, summary, option, table }: Chart): string {
  const drawing = option === null
    ? `<div class="empty">No figures for this run.</div>`
    : `<div class="chart" id="chart-${id}" role="img" aria-label="${escapeHtml(summary)}"></div>
<details><summary>The figures</summary>${htmlTable(table)}</details>`;
  return `<figure><h3>${title}</h3><figcaption>${caption}</figcaption>
${drawing}</figure>`;
}

function metricsTable({ metrics, evalFrom }: ReportData): TableData {
  const all = segments(metrics);
  const known = METRIC_COLUMNS.filter(({ cell }) => all.some(([, m]) => cell(m) !== DASH));
  return {
    caption: `Frozen predictions from row ${formatCount(evalFrom)} on`,
    columns: [
      { title: "segment" },
      ...known.map(({ title, about }) => ({ title, about, kind: "number" as const })),
    ],
    rows: all.map(([name, m]) => [name, ...known.map(({ cell }) => cell(m))]),
  };
}

function rejections({ rejected, totals }: ReportData): string {
  if (rejected.length === 0) return `<p class="muted">Nothing: every record could be read.</p>`;
  return htmlTable({
    caption: `${formatCount(totals.rejected)} records that could not be taken, by code, with examples`,
    columns: [
      { title: "code" },
      { title: "count", kind: "number" },
      { title: "where" },
      { title: "reason" },
      { title: "record", kind: "code" },
    ],
    rows: rejected.toSorted((a, b) => b.count - a.count).flatMap(({ code, count, examples }) => {
      const [first, ...others] = examples;
      if (first === undefined) return [[code, formatCount(count)]];
      return [
        [code, formatCount(count), ...evidence(first)],
        ...others.map((more) => ["", "", ...evidence(more)]),
      ];
    }),
  });
}

function evidence({ where, reason, text }: ReportData["rejected"][number]["examples"][number]): string[] {
  const shown = [...text.slice(0, 2 * SHOWN_CHARACTERS)].slice(0, SHOWN_CHARACTERS).join("");
  return [where, reason, shown.length < text.length ? `${shown}…` : shown];
}

function parametersTable({ parameters: { dense, tables } }: ReportData): TableData {
  return {
    caption: "Parameters",
    columns: [
      { title: "block" },
      { title: "rows", kind: "number" },
      { title: "width", kind: "number" },
      { title: "size", kind: "number" },
    ],
    rows: [
      ["dense weights", formatCount(dense), "1", formatBytes(4 * dense)],
      ...tables.map((
        { name, rows, width, bytes },
      ) => [name, formatCount(rows), formatCount(width), formatBytes(bytes)]),
    ],
  };
}

function facts(data: ReportData): string {
  const rows = summaryFacts(data).map(([name, value]) =>
    `<tr><th scope="row">${escapeHtml(name)}</th><td class="text">${escapeHtml(value)}</td></tr>`
  );
  return `<table><caption>Summary</caption><tbody>${rows.join("\n")}</tbody></table>`;
}

function notes({ notes }: ReportData): string {
  if (notes.length === 0) return "";
  const items = notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("");
  return `<section aria-labelledby="notes"><h2 id="notes">Notes</h2><div class="card"><ul>${items}</ul></div></section>`;
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
