/** Formats numbers and untrusted text, for the terminal and the HTML report alike. */

import type { Panel } from "../../src/nn/models/core/panel.ts";
import type { Figure } from "./report_data.ts";

/** Placeholder of an undefined figure. */
export const DASH = "–";

/** Created on first use, which takes a tenth of a command's start-up time. */
let grouped: Intl.NumberFormat | undefined;

// Control and format characters (the latter reorder or hide text), lone surrogates, line separators.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A whole number with thousands separators. */
export function formatCount(value: Figure | undefined): string {
  if (!isKnown(value)) return DASH;
  grouped ??= new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  return grouped.format(value);
}

/** A number with fixed decimals, 4 by default: the resolution at which AUCs are compared. */
export function formatFixed(value: Figure | undefined, digits = 4): string {
  return isKnown(value) ? value.toFixed(digits) : DASH;
}

/** A share in 0..1 as a percentage. */
export function formatPercent(value: Figure | undefined, digits = 1): string {
  return isKnown(value) ? `${(100 * value).toFixed(digits)} %` : DASH;
}

export const PANEL_FORMATS: Readonly<Record<Panel["unit"], (value: Figure | undefined) => string>> = {
  number: (value) => formatFixed(value, 3),
  share: formatPercent,
  count: formatCount,
};

/** A size in binary units. */
export function formatBytes(value: Figure | undefined): string {
  if (!isKnown(value)) return DASH;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${(value / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

/** A duration given in seconds. */
export function formatSeconds(value: Figure | undefined): string {
  if (!isKnown(value)) return DASH;
  if (value < 59.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return `${hours > 0 ? `${hours} h ` : ""}${minutes} min ${seconds} s`;
}

/** A time in milliseconds since the epoch, in UTC to the second; a dash outside the range of dates. */
export function formatTime(ms: Figure): string {
  const date = new Date(ms ?? NaN);
  return Number.isNaN(date.getTime())
    ? DASH
    : date.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

/**
 * Makes untrusted text safe to display: characters that move the cursor, hide or reorder text are escaped, and text
 * longer than `limit` characters is truncated with an ellipsis.
 */
export function printable(text: string, limit = Infinity): string {
  const characters = [...text.slice(0, 2 * Math.min(limit, text.length) + 2)];
  const cut = characters.length > limit
    ? [...characters.slice(0, Math.max(0, limit - 1)), "…"].join("")
    : text;
  return cut.replace(INVISIBLE, (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
}

function isKnown(value: Figure | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
