/** The HTML report of a replay, one self-contained file. */

import { reportCharts } from "./charts.ts";
import { figure, renderDocument, type Tile } from "./document.ts";
import { DASH, formatBytes, formatCount, formatFixed, formatPercent, formatSeconds } from "./format.ts";
import { escapeHtml, htmlTable, numbers, type TableData } from "./html.ts";
import type { ReportData } from "./report_data.ts";
import { METRIC_COLUMNS, segments, summaryFacts } from "./summary.ts";

/** Characters shown of a rejected record. */
const SHOWN_CHARACTERS = 300;

/**
 * A replay as one self-contained HTML page; see {@linkcode renderDocument}.
 *
 * @throws TypeError when the ECharts bundle is missing, as in a program without `node_modules`.
 */
export function renderReport(data: ReportData): string {
  const charts = reportCharts(data);
  return renderDocument({
    title: `${data.model} on ${data.dataSet}`,
    kind: "replay",
    finished: data.finished,
    command: data.command,
    tiles: tiles(data),
    charts,
    main: `<section aria-labelledby="quality"><h2 id="quality">Quality</h2>
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
<footer>Every prediction was frozen when it was made and judged when its outcome was known. ${DASH} means not defined.</footer>`,
  });
}

function tiles({ metrics: { overall }, totals }: ReportData): Tile[] {
  return [
    { value: formatFixed(overall.auc), label: `AUC over ${formatCount(overall.rows)} rows` },
    {
      value: formatFixed(overall.normalizedEntropy),
      label: "normalised entropy, below 1 is better than a constant",
    },
    { value: formatFixed(overall.calibration, 3), label: "calibration, 1 is unbiased" },
    {
      value: formatPercent(totals.rows === 0 ? null : totals.clicks / totals.rows),
      label: `click rate, ${formatCount(totals.clicks)} clicks`,
    },
    { value: formatCount(totals.eventsPerSecond), label: `events/s over ${formatSeconds(totals.seconds)}` },
    {
      value: formatCount(totals.rejected),
      label: `rejected of ${formatCount(totals.events + totals.rejected)}`,
      bad: totals.rejected > 0,
    },
  ];
}

function metricsTable({ metrics, evalFrom }: ReportData): TableData {
  const all = segments(metrics);
  const known = METRIC_COLUMNS.filter(({ cell }) => all.some(([, m]) => cell(m) !== DASH));
  return {
    caption: `Frozen predictions from row ${formatCount(evalFrom)} on`,
    columns: ["segment", ...known.map(({ title, about }) => ({ title, about, kind: "number" as const }))],
    rows: all.map(([name, m]) => [name, ...known.map(({ cell }) => cell(m))]),
  };
}

function rejections({ rejected, totals }: ReportData): string {
  if (rejected.length === 0) return `<p class="muted">Nothing: every record could be read.</p>`;
  return htmlTable({
    caption: `${formatCount(totals.rejected)} rejected records, by code, with examples`,
    columns: ["code", ...numbers("count"), "where", "reason", { title: "record", kind: "code" }],
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
    columns: ["block", ...numbers("rows", "width", "size")],
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
