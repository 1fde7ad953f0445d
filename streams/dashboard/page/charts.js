// @ts-check
/// <reference lib="dom" />
/** SVG line charts over time, redrawn every second. @module */

import { html, setText, svg } from "./elements.js";
import { clock } from "./figures.js";

/** @typedef {import("../series.ts").SeriesView} SeriesView */
/**
 * @typedef {object} Line
 * @property {string} key Column of the series.
 * @property {string} name
 * @property {1 | 2 | 3 | 4} color
 */
/**
 * @typedef {object} ChartSpec
 * @property {string} title
 * @property {string} about How to read it.
 * @property {readonly Line[]} lines
 * @property {(value: number | null | undefined) => string} format
 * @property {boolean} [fromZero] Keep 0 on the axis, for ratio scales.
 * @property {boolean} [steps] Values hold until the next one.
 * @property {{ value: number, name: string }} [reference] A dashed line.
 * @property {boolean} [marks] Whether changes of the parameters are drawn.
 */
/** @typedef {{ time: number, kind: string, about: string }} Mark */

const HEIGHT = 190;
const LEAST_SPAN_MS = 120_000;
const PADDING = { left: 8, right: 8, top: 10, bottom: 22 };
/** Width of a time label. */
const CLOCK = 60;

/** A chart in its own figure. */
export class Chart {
  /** @param {ChartSpec} spec */
  constructor(spec) {
    this.spec = spec;
    /** @type {SeriesView | undefined} */
    this.series = undefined;
    /** @type {readonly Mark[]} */
    this.marks = [];
    this.span = 900_000;
    /** Index of the selected point; −1 = the newest. */
    this.at = -1;
    this.values = spec.lines.map(() => html("b"));
    this.when = html("span", { class: "when" });
    this.plot = svg("svg", { class: "plot", height: HEIGHT, tabindex: 0, role: "img" });
    this.element = html(
      "figure",
      { class: "card" },
      html("h2", {}, spec.title),
      html("figcaption", { class: "muted" }, spec.about),
      html(
        "p",
        { class: "legend" },
        ...spec.lines.map((line, i) =>
          html(
            "span",
            { class: `color-${line.color}` },
            html("i", { "aria-hidden": "true" }),
            line.name,
            " ",
            this.values[i],
          )
        ),
        this.when,
      ),
      this.plot,
    );
    this.width = 0;
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width === this.width) return;
      this.width = width;
      this.draw();
    }).observe(this.plot);
    this.plot.addEventListener("pointermove", (event) => this.look(event.offsetX));
    this.plot.addEventListener("pointerleave", () => this.select(-1));
    this.plot.addEventListener("blur", () => this.select(-1));
    this.plot.addEventListener("keydown", (event) => this.step(event));
  }

  /**
   * Shows the last `span` milliseconds of a series.
   *
   * @param {SeriesView} series
   * @param {number} span
   * @param {readonly Mark[]} marks
   */
  update(series, span, marks) {
    this.series = series;
    this.span = span;
    this.marks = this.spec.marks ? marks : [];
    this.draw();
  }

  /** @param {number} x */
  look(x) {
    const { series } = this;
    if (series === undefined || series.times.length === 0) return;
    const inner = this.width - PADDING.left - PADDING.right;
    const time = this.start + (this.end - this.start) * (x - PADDING.left) / inner;
    let best = 0;
    for (let i = 0; i < series.times.length; i++) {
      if (Math.abs((series.times[i] ?? 0) - time) < Math.abs((series.times[best] ?? 0) - time)) best = i;
    }
    this.select(best);
  }

  /** @param {KeyboardEvent} event */
  step(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -60, PageDown: 60 }[event.key];
    const length = this.series?.times.length ?? 0;
    if (move === undefined || length === 0) return;
    event.preventDefault();
    const from = this.at < 0 ? length - 1 : this.at;
    this.select(Math.min(length - 1, Math.max(0, from + move)));
  }

  /** @param {number} at */
  select(at) {
    if (at === this.at) return;
    this.at = at;
    this.draw();
  }

  /** Time at the left edge, limited to the available history. */
  get start() {
    const first = this.series?.times[0] ?? 0;
    return Math.max(this.end - this.span, Math.min(first, this.end - LEAST_SPAN_MS));
  }

  /** Time at the right edge. */
  get end() {
    return this.series?.times.at(-1) ?? 0;
  }

  draw() {
    const { series, width, spec } = this;
    if (series === undefined || width < 40) return;
    const { times } = series;
    const { start, end } = this;
    const first = Math.max(0, times.findIndex((time) => time >= start));
    const columns = spec.lines.map(({ key }) => series.columns[key] ?? []);
    this.say(columns);
    const values = columns.flatMap((column) => column.slice(first)).filter((value) => value !== null);
    this.plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    if (values.length === 0) {
      this.plot.replaceChildren(
        svg(
          "text",
          { class: "nothing", x: width / 2, y: HEIGHT / 2, "text-anchor": "middle" },
          "nothing yet",
        ),
      );
      return;
    }
    const scale = axis(values, spec);
    const right = width - PADDING.right, bottom = HEIGHT - PADDING.bottom;
    const x = (/** @type {number} */ time) =>
      PADDING.left + (time - start) / (end - start) * (right - PADDING.left);
    const y = (/** @type {number} */ value) =>
      bottom - (value - scale.min) / (scale.max - scale.min) * (bottom - PADDING.top);
    const at = this.at >= 0 ? this.at : times.length - 1;
    this.plot.replaceChildren(
      ...scale.ticks.map((tick) =>
        svg("line", { class: "grid", x1: PADDING.left, x2: right, y1: y(tick), y2: y(tick) })
      ),
      ...timeTicks(start, end, width).map((time) =>
        svg(
          "text",
          { class: "tick", x: x(time), y: HEIGHT - 6, "text-anchor": "middle" },
          clock(time).slice(0, end - start < 300_000 ? 8 : 5),
        )
      ),
      ...this.drawMarks(start, x, bottom),
      spec.reference !== undefined && spec.reference.value >= scale.min && spec.reference.value <= scale.max
        ? svg("line", {
          class: "reference",
          x1: PADDING.left,
          x2: right,
          y1: y(spec.reference.value),
          y2: y(spec.reference.value),
        })
        : "",
      ...columns.map((column, i) =>
        svg("path", {
          class: `color-${spec.lines[i]?.color}`,
          d: path(times, column, first, this.span / 60, x, y, spec.steps ?? false),
        })
      ),
      // Drawn above the lines for legibility.
      ...scale.ticks.map((tick) =>
        svg("text", { class: "tick", x: PADDING.left + 2, y: y(tick) - 4 }, spec.format(tick))
      ),
      ...(this.at >= 0 && (times[at] ?? 0) >= start
        ? this.drawLook(x(times[at] ?? 0), columns, at, y, bottom)
        : []),
    );
  }

  /**
   * @param {number} start
   * @param {(time: number) => number} x
   * @param {number} bottom
   */
  drawMarks(start, x, bottom) {
    return this.marks.filter(({ time }) => time >= start).map(({ time, kind, about }) =>
      svg(
        "line",
        {
          class: kind === "published" ? "mark" : "mark alarm",
          x1: x(time),
          x2: x(time),
          y1: kind === "published" ? bottom - 6 : PADDING.top,
          y2: bottom,
        },
        svg("title", {}, `${clock(time)} ${kind}: ${about}`),
      )
    );
  }

  /**
   * @param {number} x
   * @param {readonly (readonly (number | null)[])[]} columns
   * @param {number} at
   * @param {(value: number) => number} y
   * @param {number} bottom
   */
  drawLook(x, columns, at, y, bottom) {
    return [
      svg("line", { class: "look", x1: x, x2: x, y1: PADDING.top, y2: bottom }),
      ...columns.flatMap((column, i) => {
        const value = column[at];
        return value === null || value === undefined
          ? []
          : [svg("circle", { class: `color-${this.spec.lines[i]?.color}`, cx: x, cy: y(value), r: 3.5 })];
      }),
    ];
  }

  /**
   * Writes the figures to the legend and to screen readers.
   *
   * @param {readonly (readonly (number | null)[])[]} columns
   */
  say(columns) {
    const { spec, series } = this;
    const at = this.at >= 0 ? this.at : (series?.times.length ?? 0) - 1;
    const said = columns.map((column, i) => {
      const text = spec.format(column[at]);
      const value = this.values[i];
      if (value !== undefined) setText(value, text);
      return `${spec.lines[i]?.name} ${text}`;
    });
    setText(this.when, this.at >= 0 ? `at ${clock(series?.times[at])}` : "");
    this.plot.setAttribute("aria-label", `${spec.title}: ${said.join(", ")}. Arrow keys move through time.`);
  }
}

/**
 * Limits and ticks at 1, 2 or 5 times a power of ten.
 *
 * @param {readonly number[]} values
 * @param {ChartSpec} spec
 */
function axis(values, { fromZero = false, reference }) {
  let low = fromZero ? 0 : Infinity, high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (reference !== undefined && !fromZero) {
    low = Math.min(low, reference.value);
    high = Math.max(high, reference.value);
  }
  const spread = Math.max(high - low, Math.abs(high) * 0.02, 1e-6);
  const rough = spread / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const interval = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const min = fromZero ? 0 : Math.floor(low / interval) * interval;
  const max = Math.max(min + interval, Math.ceil(high / interval) * interval);
  const ticks = Array.from({ length: Math.round((max - min) / interval) }, (_, i) => min + i * interval);
  return { min, max: max + 0.05 * (max - min), ticks };
}

/**
 * @param {number} start
 * @param {number} end
 * @param {number} width
 */
function timeTicks(start, end, width) {
  const wanted = Math.max(2, Math.floor(width / 90));
  const step = [15_000, 30_000, 60_000, 120_000, 300_000, 3_600_000, 7_200_000, 14_400_000, 21_600_000]
    .find((each) => (end - start) / each <= wanted) ?? 43_200_000;
  const zone = new Date(end).getTimezoneOffset() * 60_000;
  const edge = (end - start) * (CLOCK / 2 - PADDING.left) / (width - PADDING.left - PADDING.right);
  const ticks = [];
  for (let time = Math.ceil((start - zone) / step) * step + zone; time <= end; time += step) {
    if (time - start > edge && end - time > edge) ticks.push(time);
  }
  return ticks;
}

/**
 * The path of a line, with gaps at unknown values and pauses.
 *
 * @param {readonly number[]} times
 * @param {readonly (number | null)[]} column
 * @param {number} first
 * @param {number} gap
 * @param {(time: number) => number} x
 * @param {(value: number) => number} y
 * @param {boolean} steps
 */
function path(times, column, first, gap, x, y, steps) {
  let d = "", last = -Infinity;
  for (let i = first; i < times.length; i++) {
    const value = column[i], time = times[i] ?? 0;
    if (value === null || value === undefined) {
      last = -Infinity;
      continue;
    }
    const px = x(time).toFixed(1), py = y(value).toFixed(1);
    if (time - last > gap) d += `M${px} ${py}h0.1`;
    else d += steps ? `H${px}V${py}` : `L${px} ${py}`;
    last = time;
  }
  return d;
}
