/**
 * What all charts of a report have in common: ECharts options as plain JSON, with the same figures as a table beside
 * each.
 *
 * A colour is the name of a CSS property of the page (`--blue`); the page's script puts its value in, so that
 * light and dark are decided in one place, the style sheet.
 *
 * @module
 */

import type { TableData } from "./html.ts";
import type { Figure } from "./report_data.ts";

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

/** Whether there is something to draw. */
export function isFigure(value: Figure): value is number {
  return value !== null && Number.isFinite(value);
}

/** Five significant digits: what a tooltip can use, at half the bytes. */
export function rounded(value: Figure): Figure {
  return isFigure(value) ? Number(value.toPrecision(5)) : null;
}
