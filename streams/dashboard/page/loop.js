// @ts-check
/// <reference lib="dom" />
/** The diagram of the loop: flows, rates and queues. @module */

import { html, setText, svg } from "./elements.js";
import { count, ms, percent, rate } from "./figures.js";

/** @typedef {import("../snapshot.ts").Snapshot} Snapshot */
/** @typedef {Readonly<Record<string, number | null>>} Point */
/** @typedef {"events" | "task" | "recommendations" | "samples" | "learner" | "versions"} Station */
/** @typedef {Readonly<Record<Station, readonly [x: number, y: number]>>} Places */

const STATIONS = /** @type {const} */ ([
  ["events", "Events"],
  ["task", "Task"],
  ["recommendations", "Recommendations"],
  ["samples", "Samples"],
  ["learner", "Learner"],
  ["versions", "Versions"],
]);

/** The figure that shows whether anything flows along an arrow. */
const FLOWS = /** @type {const} */ ([
  ["events", "task", "events"],
  ["task", "recommendations", "requests"],
  ["recommendations", "samples", "samples"],
  ["samples", "learner", "learnt"],
  ["learner", "versions", "learnt"],
  ["versions", "task", "learnt"],
]);

const WIDE = {
  size: /** @type {const} */ ([1080, 268]),
  box: /** @type {const} */ ([264, 96]),
  /** @type {Places} */
  places: {
    events: [2, 2],
    task: [408, 2],
    recommendations: [814, 2],
    samples: [814, 170],
    learner: [408, 170],
    versions: [2, 170],
  },
};

const NARROW = {
  size: /** @type {const} */ ([356, 398]),
  box: /** @type {const} */ ([156, 96]),
  /** @type {Places} */
  places: {
    events: [2, 2],
    task: [198, 2],
    recommendations: [198, 151],
    samples: [198, 300],
    learner: [2, 300],
    versions: [2, 151],
  },
};

const NARROW_BELOW = 640;

/** The diagram, in a wide or a narrow layout. */
export class Loop {
  constructor() {
    this.element = html("div", { class: "loop" });
    /** @type {Map<Station, { value: Element, about: Element }>} */
    this.texts = new Map();
    /** @type {{ element: Element, figure: string }[]} */
    this.arrows = [];
    this.narrow = /** @type {boolean | undefined} */ (undefined);
    /** @type {[Snapshot, Point] | undefined} */
    this.shown = undefined;
    new ResizeObserver(([entry]) => this.layout((entry?.contentRect.width ?? 0) < NARROW_BELOW))
      .observe(this.element);
  }

  /** @param {boolean} narrow */
  layout(narrow) {
    if (narrow === this.narrow) return;
    this.narrow = narrow;
    const { size, box, places } = narrow ? NARROW : WIDE;
    this.arrows = FLOWS.map(([from, to, figure]) => ({
      figure,
      element: svg("path", {
        class: "flow",
        "marker-end": "url(#arrow)",
        d: arrow(places[from], places[to], box),
      }),
    }));
    const stations = STATIONS.map(([station, title]) => {
      const [x, y] = places[station];
      const value = svg("text", { class: "value", x: x + 14, y: y + 56 });
      const about = svg("text", { class: "about", x: x + 14, y: y + 80 });
      this.texts.set(station, { value, about });
      return svg(
        "g",
        { class: `station ${station}` },
        svg("rect", { x, y, width: box[0], height: box[1], rx: 10 }),
        svg("text", { class: "title", x: x + 14, y: y + 24 }, title),
        value,
        about,
      );
    });
    this.element.replaceChildren(svg(
      "svg",
      { viewBox: `0 0 ${size[0]} ${size[1]}`, role: "img", "aria-label": "The loop of events and learning" },
      svg(
        "defs",
        {},
        svg(
          "marker",
          {
            id: "arrow",
            viewBox: "0 0 8 8",
            refX: 7,
            refY: 4,
            markerWidth: 7,
            markerHeight: 7,
            orient: "auto",
          },
          svg("path", { class: "head", d: "M0 0L8 4L0 8z" }),
        ),
      ),
      ...this.arrows.map(({ element }) => element),
      ...stations,
    ));
    if (this.shown !== undefined) this.update(...this.shown);
  }

  /**
   * @param {Snapshot} now
   * @param {Point} point
   */
  update(now, point) {
    this.shown = [now, point];
    const { learner, totals, latency, partitions } = now;
    const restoring = partitions.filter((one) => one.restoring).length;
    const lag = point["lag"] ?? 0;
    this.say("events", `${rate(point["events"])} /s`, `${count(totals.events)} applied`);
    this.say(
      "task",
      `${count(now.users)} users`,
      restoring > 0
        ? `restoring ${restoring} of ${partitions.length} partitions`
        : partitions.length === 0
        ? "no task in this process"
        : `lag ${count(lag)}${partitions.length > 1 ? ` in ${partitions.length} partitions` : ""}`,
    );
    this.say(
      "recommendations",
      `${rate(point["requests"])} /s`,
      latency.score.count === 0
        ? `${count(totals.requests)} answered`
        : `made in ${ms(latency.score.p50)} (p50)`,
    );
    this.say(
      "samples",
      `${rate(point["samples"])} /s`,
      `${percent(totals.rows === 0 ? null : totals.positives / totals.rows)} clicked overall`,
    );
    this.say(
      "learner",
      learner === null ? "elsewhere" : `${rate(point["learnt"])} rows/s`,
      learner === null ? "not in this process" : `${count(point["waiting"])} samples waiting`,
    );
    this.say(
      "versions",
      learner === null ? `v${now.served}` : `v${learner.version}`,
      learner !== null && learner.health !== "healthy"
        ? `${learner.health}; serves v${now.served}`
        : `serves v${now.served}${orderer(learner)}`,
    );
    for (const { element, figure } of this.arrows) {
      element.classList.toggle("flowing", (point[figure] ?? 0) > 0);
    }
  }

  /**
   * @param {Station} station
   * @param {string} value
   * @param {string} about
   */
  say(station, value, about) {
    const texts = this.texts.get(station);
    if (texts === undefined) return;
    setText(texts.value, value);
    setText(texts.about, about);
  }
}

/**
 * The path from the edge of one box to the next; the last one bends.
 *
 * @param {readonly [number, number]} from
 * @param {readonly [number, number]} to
 * @param {readonly [number, number]} box
 */
function arrow([x1, y1], [x2, y2], [width, height]) {
  const gap = 6;
  if (y1 === y2) {
    const y = y1 + height / 2;
    return x1 < x2 ? `M${x1 + width} ${y}H${x2 - gap}` : `M${x1} ${y}H${x2 + width + gap}`;
  }
  if (x1 === x2) {
    const x = x1 + width / 2;
    return y1 < y2 ? `M${x} ${y1 + height}V${y2 - gap}` : `M${x} ${y1}V${y2 + height + gap}`;
  }
  const middle = (y1 + y2 + height) / 2, x = x1 + width / 2, end = x2 + width / 4;
  return `M${x} ${y1}V${middle + 12}q0 -12 12 -12H${end - 12}q12 0 12 -12V${y2 + height + gap}`;
}

/**
 * Notes that the model does not have its full weight in the order of lists yet.
 *
 * @param {{ readonly modelShare: number } | null} learner
 */
function orderer(learner) {
  if (learner === null || learner.modelShare === 1) return "";
  return learner.modelShare === 0 ? "; not proven yet" : "; at half weight";
}
