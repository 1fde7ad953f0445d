/**
 * The charts of the report: ECharts options as plain JSON, with the same figures as a table beside each.
 *
 * A colour is the name of a CSS property of the page (`--blue`); the page's script puts its value in, so that
 * light and dark are decided in one place, the style sheet.
 *
 * @module
 */

import { formatCount, formatFixed, formatPercent, formatTime } from "./format.ts";
import type { TableData } from "./html.ts";
import type { CalibrationBin, CurvePoint, Figure, ReportData } from "./report_data.ts";

/** One chart of the page. */
export interface Chart {
  /** Id of its element. */
  readonly id: string;
  readonly title: string;
  /** How to read it. */
  readonly caption: string;
  /** What it shows, in words, for those who do not see it. */
  readonly summary: string;
  /** ECharts options; `null` when there is nothing to draw. */
  readonly option: Readonly<Record<string, unknown>> | null;
  readonly table: TableData;
}

interface Line {
  readonly name: string;
  readonly color: string;
  readonly value: (point: CurvePoint) => Figure;
  readonly format: (value: Figure) => string;
}

interface Reference {
  readonly name: string;
  readonly value: Figure;
}

interface CurveSpec extends Pick<Chart, "id" | "title" | "caption"> {
  readonly lines: readonly Line[];
  readonly references?: readonly Reference[];
  /** Keep 0 on the vertical axis, for quantities whose ratio matters. */
  readonly fromZero?: boolean;
}

/** How the axes of all charts look. */
export const AXIS = {
  nameTextStyle: { color: "--muted" },
  axisLabel: { color: "--muted", hideOverlap: true },
  axisLine: { lineStyle: { color: "--line" } },
  splitLine: { lineStyle: { color: "--line" } },
};
/** What all charts have in common. */
export const BASE = {
  animation: false,
  textStyle: { fontFamily: "system-ui, sans-serif" },
  tooltip: {
    backgroundColor: "--card",
    borderColor: "--line",
    textStyle: { color: "--text" },
    confine: true,
  },
  legend: {
    top: 0,
    left: 0,
    icon: "roundRect",
    itemWidth: 14,
    itemHeight: 8,
    textStyle: { color: "--text" },
  },
};

/** Room beside a plot for the names of its references, pixels. */
const NAMES_WIDTH = 64;

/** Normal quantile of a two-sided 95 % interval. */
const Z95 = 1.959964;

/**
 * Wilson's 95 % interval of a proportion `k / n`: stays within 0..1 and holds up at small counts.
 * E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { wilsonInterval } from "./charts.ts";
 *
 * const [low, high] = wilsonInterval(10, 100);
 * assert.ok(Math.abs(low - 0.0552) < 1e-4 && Math.abs(high - 0.1744) < 1e-4);
 * assert.deepEqual(wilsonInterval(0, 0), [0, 1]);
 * ```
 */
export function wilsonInterval(k: number, n: number): [low: number, high: number] {
  if (n === 0) return [0, 1];
  const [p, z2] = [k / n, Z95 * Z95];
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z95 / (1 + z2 / n)) * Math.sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** The charts of a report, in the order in which they are shown. */
export function reportCharts(data: ReportData): Chart[] {
  const { overall } = data.metrics;
  const oracleNe = overall.oracleLogLoss && overall.constantLogLoss
    ? overall.oracleLogLoss / overall.constantLogLoss
    : null;
  const curves: CurveSpec[] = [
    {
      id: "auc",
      title: "Ranking quality",
      caption: "AUC of the frozen predictions in the window that ends at each point. 0.5 is chance.",
      lines: [{ name: "AUC", color: "--blue", value: (p) => p.auc, format: formatFixed }],
      references: [
        { name: "chance", value: 0.5 },
        { name: "oracle", value: overall.oracleAuc ?? null },
      ],
    },
    {
      id: "normalized-entropy",
      title: "Normalised entropy",
      caption: "Log loss of the window over that of its constant click rate: below 1, the model knows more.",
      lines: [{ name: "NE", color: "--blue", value: (p) => p.normalizedEntropy, format: formatFixed }],
      references: [{ name: "constant", value: 1 }, { name: "oracle", value: oracleNe }],
    },
    {
      id: "log-loss",
      title: "Log loss",
      caption: "Progressive log loss of the window, and the loss of the mini-batches it was trained on.",
      lines: [
        { name: "log loss", color: "--blue", value: (p) => p.logLoss, format: formatFixed },
        { name: "training loss", color: "--orange", value: (p) => p.loss, format: formatFixed },
      ],
      references: [
        { name: "constant", value: overall.constantLogLoss },
        { name: "oracle", value: overall.oracleLogLoss ?? null },
      ],
    },
    {
      id: "auxiliary-loss",
      title: "Auxiliary loss",
      caption: "Loss of telling the next behaviour from a sampled one: it trains the interest extractor.",
      lines: [
        { name: "auxiliary loss", color: "--green", value: (p) => p.auxLoss ?? null, format: formatFixed },
      ],
    },
    {
      id: "click-rate",
      title: "Click rate",
      caption: "Predicted against observed click rate of the window: the lines should lie on each other.",
      lines: [
        { name: "observed", color: "--blue", value: (p) => p.ctr, format: formatPercent },
        { name: "predicted", color: "--orange", value: predictedRate, format: formatPercent },
      ],
      fromZero: true,
    },
    {
      id: "throughput",
      title: "Throughput",
      caption: "Events per second of wall-clock time, everything included: state, answers and learning.",
      lines: [{
        name: "events/s",
        color: "--blue",
        value: (p) => p.eventsPerSecond,
        format: formatCount,
      }],
      fromZero: true,
    },
    ...memoryCurves(data),
  ];
  const trained = data.curve.length === 0 || data.curve.some(({ auxLoss }) => typeof auxLoss === "number");
  return [
    ...curves.filter(({ id }) => id !== "auxiliary-loss" || trained).map((spec) =>
      curveChart(spec, data.curve)
    ),
    calibrationChart(data.calibration),
  ];
}

/** The slots of a model with a memory; a model without one has no such charts. */
function memoryCurves({ slots }: ReportData): CurveSpec[] {
  if (slots === undefined) return [];
  const number = slots.usage.length;
  const share = (choose: (...shares: number[]) => number) => ({ slots }: CurvePoint) =>
    slots === undefined ? null : choose(...slots.usage);
  return [
    {
      id: "slot-cosine",
      title: "Likeness of the memory slots",
      caption:
        "Mean cosine of the pairs of slots, over the users who were active last. At 1 all slots hold the " +
        "same, and the memory is one vector: above 0.999 something is wrong.",
      lines: [{
        name: "cosine",
        color: "--blue",
        value: (p) => p.slots?.cosine ?? null,
        format: formatFixed,
      }],
      references: [{ name: "one slot", value: 1 }],
    },
    {
      id: "slot-usage",
      title: "Use of the memory slots",
      caption: `Share of what was written that the most and the least used of the ${number} slots have.`,
      lines: [
        { name: "most used", color: "--orange", value: share(Math.max), format: formatPercent },
        { name: "least used", color: "--blue", value: share(Math.min), format: formatPercent },
      ],
      references: [{ name: "even", value: 1 / number }],
      fromZero: true,
    },
    {
      id: "write-mass",
      title: "Write mass",
      caption: "Behaviours that a memory holds on average, each shrunk by the decay at every later one.",
      lines: [{ name: "mass", color: "--green", value: (p) => p.slots?.mass ?? null, format: formatCount }],
      fromZero: true,
    },
  ];
}

function predictedRate({ ctr, calibration }: CurvePoint): Figure {
  return ctr === null || calibration === null ? null : ctr * calibration;
}

function curveChart(spec: CurveSpec, curve: readonly CurvePoint[]): Chart {
  const { id, title, caption } = spec;
  const lines = spec.lines.filter(({ value }) => curve.some((point) => isFigure(value(point))));
  const references = (spec.references ?? []).filter(({ value }) => isFigure(value));
  const summary = lines.map(({ name, value, format }) => {
    const known = curve.filter((point) => isFigure(value(point)));
    const [first, last] = [known[0], known.at(-1)];
    return first === undefined || last === undefined
      ? ""
      : `${name} goes from ${format(value(first))} at row ` +
        `${formatCount(first.rows)} to ${format(value(last))} at row ${formatCount(last.rows)}`;
  });
  return {
    id,
    title,
    caption,
    summary: `${title}: ${summary.join("; ") || "no figures"}.`,
    option: lines.length === 0 ? null : {
      ...BASE,
      legend: { ...BASE.legend, show: lines.length > 1, data: lines.map(({ name }) => name) },
      grid: {
        left: 8,
        right: references.length > 0 ? NAMES_WIDTH : 20,
        top: lines.length > 1 ? 36 : 20,
        bottom: 26,
        containLabel: true,
      },
      tooltip: { ...BASE.tooltip, trigger: "axis" },
      xAxis: {
        type: "value",
        name: "rows",
        nameLocation: "middle",
        nameGap: 26,
        max: "dataMax",
        axisPointer: { label: { precision: 0 } },
        ...AXIS,
      },
      yAxis: { type: "value", scale: spec.fromZero !== true, ...AXIS },
      series: [
        ...lines.map(({ name, color, value }) => ({
          name,
          type: "line",
          showSymbol: curve.length < 3,
          itemStyle: { color },
          lineStyle: { color, width: 2 },
          data: curve.map((point) => [point.rows, rounded(value(point))]),
        })),
        ...references.map((reference) => referenceSeries(reference, curve.at(-1)?.rows ?? 0)),
      ],
    },
    table: {
      caption: `${title} by rows`,
      columns: [
        { title: "rows", kind: "number" },
        { title: "event time" },
        { title: "versions", kind: "number" },
        ...lines.map(({ name }) => ({ title: name, kind: "number" as const })),
      ],
      rows: curve.map((point) => [
        formatCount(point.rows),
        formatTime(point.time),
        formatCount(point.versions),
        ...lines.map(({ value, format }) => format(value(point))),
      ]),
    },
  };
}

/** A reference as a dashed line, from the first row to the last, whose name stands beside the plot. */
function referenceSeries({ name, value }: Reference, rows: number): Record<string, unknown> {
  const figure = formatFixed(value, value === 1 || value === 0.5 ? 1 : 4);
  return {
    name,
    type: "line",
    silent: true,
    showSymbol: false,
    tooltip: { show: false },
    itemStyle: { color: "--muted" },
    lineStyle: { color: "--muted", type: "dashed", width: 1 },
    endLabel: {
      show: true,
      color: "--muted",
      lineHeight: 13,
      offset: [0, -7],
      formatter: `${name}\n${figure}`,
    },
    labelLayout: { moveOverlap: "shiftY" },
    data: [[0, value], [rows, value]],
  };
}

function calibrationChart(bins: readonly CalibrationBin[]): Chart {
  const filled = bins.filter(({ rows }) => rows > 0).map((bin) => {
    const [low, high] = wilsonInterval(bin.observed * bin.rows, bin.rows);
    return { ...bin, low, high };
  });
  const top = filled.reduce((most, { predicted, high }) => Math.max(most, predicted, high), 0);
  const limit = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8].find((bound) => bound >= top) ?? 1;
  // One line with gaps draws all whiskers: low and high of a bin, then nothing.
  const whiskers = filled.flatMap(({ predicted, low, high }) => [
    [rounded(predicted), rounded(low)],
    [rounded(predicted), rounded(high)],
    ["-", "-"],
  ]);
  const inside = filled.filter(({ predicted, low, high }) => low <= predicted && predicted <= high).length;
  // `containShape` would widen the axis of the bars, and no bin would stand above its bar.
  const percentAxis = { type: "value", min: 0, max: limit, containShape: false, ...AXIS };
  return {
    id: "calibration",
    title: "Calibration",
    caption:
      "Observed click rate against mean prediction, with binomial 95 % intervals; the dashed diagonal is " +
      "perfect. Below: the number of rows in each bin.",
    summary:
      `Calibration: the 95 % interval of ${inside} of ${filled.length} bins holds the mean prediction.`,
    option: filled.length === 0 ? null : {
      ...BASE,
      tooltip: { ...BASE.tooltip, trigger: "item" },
      grid: [
        { left: 56, right: 16, top: 32, height: "48%" },
        { left: 56, right: 16, bottom: 44, height: "15%" },
      ],
      xAxis: [
        { ...percentAxis, gridIndex: 0, axisLabel: { show: false } },
        { ...percentAxis, gridIndex: 1, name: "predicted", nameLocation: "middle", nameGap: 26 },
      ],
      yAxis: [
        { ...percentAxis, gridIndex: 0 },
        { type: "value", gridIndex: 1, splitNumber: 2, ...AXIS },
      ],
      series: [
        {
          name: "perfect",
          type: "line",
          silent: true,
          showSymbol: false,
          lineStyle: { color: "--muted", type: "dashed", width: 1 },
          itemStyle: { color: "--muted" },
          data: [[0, 0], [limit, limit]],
        },
        {
          name: "95 % interval",
          type: "line",
          silent: true,
          symbol: "rect",
          symbolSize: [9, 2],
          lineStyle: { color: "--blue", width: 1.5, opacity: 0.6 },
          itemStyle: { color: "--blue", opacity: 0.6 },
          data: whiskers,
        },
        {
          name: "observed",
          type: "scatter",
          symbolSize: 9,
          itemStyle: { color: "--blue" },
          data: filled.map(({ predicted, observed }) => [rounded(predicted), rounded(observed)]),
        },
        {
          name: "rows",
          type: "bar",
          xAxisIndex: 1,
          yAxisIndex: 1,
          barWidth: 8,
          itemStyle: { color: "--orange" },
          data: filled.map(({ predicted, rows }) => [rounded(predicted), rows]),
        },
      ],
    },
    table: {
      caption: "Calibration by bins of the prediction",
      columns: [
        { title: "predicted", kind: "number" },
        { title: "observed", kind: "number" },
        { title: "95 % low", kind: "number" },
        { title: "95 % high", kind: "number" },
        { title: "rows", kind: "number" },
      ],
      rows: filled.map(({ predicted, observed, low, high, rows }) => [
        ...[predicted, observed, low, high].map((share) => formatPercent(share, 2)),
        formatCount(rows),
      ]),
    },
  };
}

function isFigure(value: Figure): value is number {
  return value !== null && Number.isFinite(value);
}

/** Five significant digits: what a tooltip can use, at half the bytes. */
function rounded(value: Figure): Figure {
  return isFigure(value) ? Number(value.toPrecision(5)) : null;
}
