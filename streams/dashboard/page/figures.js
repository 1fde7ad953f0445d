// @ts-check
/** Formats figures for people. @module */

/** @typedef {number | null | undefined} Figure */

const NOTHING = "–";

/** @param {(value: number) => string} format @returns {(value: Figure) => string} */
function known(format) {
  return (value) =>
    value === null || value === undefined || !Number.isFinite(value) ? NOTHING : format(value);
}

/** A whole number, abbreviated when large: 12,345 or 1.2 M. */
export const count = known((value) => {
  if (Math.abs(value) >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return Math.round(value).toLocaleString("en");
});

/** A rate per second. */
export const rate = known((value) =>
  value >= 99.5 || value === 0 ? count(value) : value.toFixed(value >= 9.95 ? 0 : 1)
);

/** A share as a percentage, without line breaks. */
export const percent = known((value) =>
  value === 0
    ? "0\u00a0%"
    : `${value < 0 ? "−" : ""}${(100 * Math.abs(value)).toFixed(Math.abs(value) < 0.0995 ? 2 : 1)}\u00a0%`
);

/** Three decimals. */
export const fixed = known((value) => value.toFixed(3));

/** Milliseconds. */
export const ms = known((value) => {
  if (value === 0) return "0 ms";
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ms`;
});

/** Bytes. */
export const bytes = known((value) => {
  if (value === 0) return "0";
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} GB`;
  return value >= 1e6
    ? `${(value / 1e6).toFixed(value >= 1e8 ? 0 : 1)} MB`
    : `${(value / 1e3).toFixed(0)} kB`;
});

/** A number with its sign. */
export const signed = known((value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`);

/** A time of day. */
export const clock = known((time) =>
  new Date(time).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" })
);

/** A local date and time: 2026-11-30 18:44:06. */
export const moment = known((time) => new Date(time).toLocaleString("sv"));

/**
 * A duration in the largest suitable unit.
 *
 * @type {(value: Figure) => string}
 */
export const duration = known((value) => {
  const seconds = Math.abs(value) / 1000;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
});
