/**
 * Common parts of all charts of a report: ECharts options as plain JSON, with the same figures as a table.
 *
 * A colour is the name of a CSS property of the page (`--blue`), which the page's script resolves, so that the style
 * sheet alone defines light and dark.
 */

import type { TableData } from "./html.ts";
import type { Figure } from "./report_data.ts";

export interface Chart {
  /** Id of the element. */
  readonly id: string;
  readonly title: string;
  /** How to read it. */
  readonly caption: string;
  /** Text alternative. */
  readonly summary: string;
  /** ECharts options; `null` without data. */
  readonly option: Readonly<Record<string, unknown>> | null;
  readonly table: TableData;
}

/** Common options of all axes. */
export const AXIS = {
  nameTextStyle: { color: "--muted" },
  axisLabel: { color: "--muted", hideOverlap: true },
  axisLine: { lineStyle: { color: "--line" } },
  splitLine: { lineStyle: { color: "--line" } },
};
/** Common options of all charts. */
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

/** Whether there is anything to draw. */
export function isFigure(value: Figure): value is number {
  return value !== null && Number.isFinite(value);
}

/** Rounds to five significant digits: enough for a tooltip, at half the bytes. */
export function rounded(value: Figure): Figure {
  return isFigure(value) ? Number(value.toPrecision(5)) : null;
}
