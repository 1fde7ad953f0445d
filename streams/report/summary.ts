/** The result of a replay as plain text: summary, quality by segment, rejections, notes. */

import type { Panel } from "../../src/nn/models/core/panel.ts";
import {
  DASH,
  formatBytes,
  formatCount,
  formatFixed,
  formatPercent,
  formatSeconds,
  formatTime,
  PANEL_FORMATS,
  printable,
} from "./format.ts";
import type { MetricsReport } from "../../src/metrics/progressive_rows.ts";
import type { RejectedGroup, ReportData, ReportMetrics } from "./report_data.ts";
import { bold, renderFacts, renderTable, type TextColumn, type TextOptions } from "./table.ts";

/** Renders the output of a finished replay: summary, quality by segment, rejections, notes. */
export function renderSummary(data: ReportData, options: TextOptions = {}): string {
  const sections: (readonly [title: string, body: string])[] = [
    ["Summary", renderFacts(summaryFacts(data))],
    [`Quality of frozen predictions, from row ${formatCount(data.evalFrom)} on`, renderMetrics(data.metrics)],
  ];
  if (data.rejected.length > 0) sections.push(["Rejected", renderRejected(data.rejected, options)]);
  if (data.notes.length > 0) {
    sections.push(["Notes", data.notes.map((note) => `- ${printable(note)}\n`).join("")]);
  }
  return sections.map(([title, body]) => `${bold(title, options)}\n\n${body}`).join("\n");
}

function panelFact({ unit, per, values }: Panel): string {
  const format = PANEL_FORMATS[unit];
  const known = values.filter((value) => value !== null);
  if (per === undefined || known.length === 0) return format(known[0] ?? null);
  return `${format(Math.min(...known))} to ${format(Math.max(...known))}, ${values.length} ${per}s`;
}

/** Name and value of each fact of the summary, for the terminal and the HTML report. */
export function summaryFacts(data: ReportData): [name: string, value: string][] {
  const { totals, parameters, state } = data;
  const tableBytes = parameters.tables.reduce((sum, { bytes }) => sum + bytes, 0);
  const tableRows = parameters.tables.reduce((sum, { rows }) => sum + rows, 0);
  return [
    ["command", printable(data.command)],
    ["data", printable(data.dataSet)],
    ["model", `${printable(data.model)}, ${printable(data.kernels)} kernels`],
    ["started", formatTime(data.started)],
    ["finished", formatTime(data.finished)],
    ["took", `${formatSeconds(totals.seconds)}, ${formatCount(totals.eventsPerSecond)} events/s`],
    ["events", `${formatCount(totals.events)}, ${formatCount(totals.rejected)} rejected`],
    ["requests", formatCount(totals.requests)],
    ["impressions", `${formatCount(totals.impressions)} lists, ${formatCount(totals.rows)} items in them`],
    ["clicks", `${formatCount(totals.clicks)}, ${clickRate(data)} of the items`],
    ["samples", `${formatCount(totals.samples)} joined, ${formatCount(totals.versions)} versions published`],
    [
      "state",
      `${formatCount(state.users)} users, ${formatCount(state.behaviours)} behaviours, ${
        formatBytes(state.bytes)
      }`,
    ],
    ...(data.inspection?.panels ?? []).map((panel): [string, string] => [
      printable(panel.name.replaceAll("_", " ")),
      panelFact(panel),
    ]),
    [
      "parameters",
      `${formatCount(parameters.dense)} dense, ${formatCount(tableRows)} embedding rows (${
        formatBytes(tableBytes)
      })`,
    ],
    ...Object.entries(data.digests).map(([name, digest]): [string, string] => [
      `digest of ${printable(name)}`,
      printable(digest),
    ]),
  ];
}

/** The columns of a table of quality: heading, explanation and cell. */
export const METRIC_COLUMNS: readonly {
  readonly title: string;
  readonly about: string;
  readonly cell: (metrics: MetricsReport) => string;
}[] = [
  { title: "rows", about: "shown items judged", cell: (m) => formatCount(m.rows) },
  { title: "AUC", about: "area under the ROC curve", cell: (m) => formatFixed(m.auc) },
  { title: "GAUC", about: "AUC within each user, weighted by rows", cell: (m) => formatFixed(m.gauc) },
  { title: "log loss", about: "mean logistic loss, nats", cell: (m) => formatFixed(m.logLoss) },
  {
    title: "NE",
    about: "normalised entropy: log loss over that of the constant click rate; below 1 is better",
    cell: (m) => formatFixed(m.normalizedEntropy),
  },
  {
    title: "calib.",
    about: "predicted clicks over observed clicks",
    cell: (m) => formatFixed(m.calibration, 3),
  },
  { title: "PR AUC", about: "average precision", cell: (m) => formatFixed(m.prAuc) },
  { title: "accuracy", about: "share on the right side of 0.5", cell: (m) => formatPercent(m.accuracy) },
  {
    title: "constant",
    about: "log loss of the constant click rate",
    cell: (m) => formatFixed(m.constantLogLoss),
  },
  { title: "oracle", about: "log loss of the true probabilities", cell: (m) => formatFixed(m.oracleLogLoss) },
  { title: "oracle AUC", about: "AUC of the true probabilities", cell: (m) => formatFixed(m.oracleAuc) },
];

/** Segments of a report in display order, with their names. */
export function segments(metrics: ReportMetrics): [name: string, metrics: MetricsReport][] {
  return [
    ["overall", metrics.overall],
    ["tail", metrics.tail],
    ["new users", metrics.newUsers],
    ["returning users", metrics.returningUsers],
  ];
}

/** Quality by segment; columns without data are omitted. */
export function renderMetrics(metrics: ReportMetrics): string {
  const all = segments(metrics);
  const known = METRIC_COLUMNS.filter(({ cell }) => all.some(([, m]) => cell(m) !== DASH));
  return renderTable(
    [{ title: "segment" }, ...known.map(({ title }): TextColumn => ({ title, align: "right" }))],
    all.map(([name, m]) => [name, ...known.map(({ cell }) => cell(m))]),
  );
}

/** Rejections by code, most frequent first, each with its first example. */
export function renderRejected(groups: readonly RejectedGroup[], options: TextOptions = {}): string {
  return renderTable(
    [{ title: "code" }, { title: "count", align: "right" }, { title: "example" }, { title: "reason" }],
    groups.toSorted((a, b) => b.count - a.count).map(({ code, count, examples: [first] }) => [
      printable(code),
      formatCount(count),
      first === undefined ? DASH : printable(first.where),
      first === undefined ? DASH : printable(first.reason, options.colour ? 100 : 240),
    ]),
    options,
  );
}

function clickRate({ totals }: ReportData): string {
  return formatPercent(totals.rows === 0 ? null : totals.clicks / totals.rows, 2);
}
