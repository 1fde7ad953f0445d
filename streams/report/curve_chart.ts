/** A chart of figures over the rows of a run. */

import { AXIS, BASE, type Chart, isFigure, rounded } from "./chart.ts";
import { formatCount, formatFixed, formatTime } from "./format.ts";
import { numbers } from "./html.ts";
import type { CurvePoint, Figure } from "./report_data.ts";

export interface Line {
  readonly name: string;
  readonly color: string;
  readonly value: (point: CurvePoint) => Figure;
  readonly format: (value: Figure) => string;
}

/** A reference value for the lines. */
export interface Reference {
  readonly name: string;
  readonly value: Figure;
}

export interface CurveSpec extends Pick<Chart, "id" | "title" | "caption"> {
  readonly lines: readonly Line[];
  readonly references?: readonly Reference[];
  /** Keep 0 on the vertical axis, for ratio scales. */
  readonly fromZero?: boolean;
}

/** Margin for the names of the references, pixels. */
const NAMES_WIDTH = 64;

/** Draws the lines with data. */
export function curveChart(spec: CurveSpec, curve: readonly CurvePoint[]): Chart {
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
      columns: [...numbers("rows"), "event time", ...numbers("versions", ...lines.map(({ name }) => name))],
      rows: curve.map((point) => [
        formatCount(point.rows),
        formatTime(point.time),
        formatCount(point.versions),
        ...lines.map(({ value, format }) => format(value(point))),
      ]),
    },
  };
}

/** A reference as a dashed line from the first row to the last, with its name next to the plot. */
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
