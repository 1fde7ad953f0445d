/** Compares predicted with observed rates by bin. */

import { AXIS, BASE, type Chart, rounded } from "./chart.ts";
import { numbers } from "./html.ts";
import { formatCount, formatPercent } from "./format.ts";
import type { CalibrationBin } from "./report_data.ts";

/** Normal quantile of a two-sided 95 % interval. */
const Z95 = 1.959964;

/**
 * Wilson's 95 % interval of a proportion `k / n`: stays within 0..1 and holds up at small counts.
 * E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { wilsonInterval } from "./calibration_chart.ts";
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

/** Draws the non-empty bins. */
export function calibrationChart(bins: readonly CalibrationBin[]): Chart {
  const filled = bins.filter(({ rows }) => rows > 0).map((bin) => {
    const [low, high] = wilsonInterval(bin.observed * bin.rows, bin.rows);
    return { ...bin, low, high };
  });
  const top = filled.reduce((most, { predicted, high }) => Math.max(most, predicted, high), 0);
  const limit = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8].find((bound) => bound >= top) ?? 1;
  // One line with gaps draws all whiskers: low and high of each bin, then a gap.
  const whiskers = filled.flatMap(({ predicted, low, high }) => [
    [rounded(predicted), rounded(low)],
    [rounded(predicted), rounded(high)],
    ["-", "-"],
  ]);
  const inside = filled.filter(({ predicted, low, high }) => low <= predicted && predicted <= high).length;
  // `containShape` would widen the axis of the bars and misalign the bins.
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
      columns: numbers("predicted", "observed", "95 % low", "95 % high", "rows"),
      rows: filled.map(({ predicted, observed, low, high, rows }) => [
        ...[predicted, observed, low, high].map((share) => formatPercent(share, 2)),
        formatCount(rows),
      ]),
    },
  };
}
