// @ts-check
/** Stores the data of the live stream. @module */

/** @typedef {import("../snapshot.ts").Hello} Hello */
/** @typedef {import("../snapshot.ts").Tick} Tick */
/** @typedef {import("../snapshot.ts").Snapshot} Snapshot */
/** @typedef {{ times: number[], columns: Record<string, (number | null)[]> }} Points */

const SECONDS = 900;
const MINUTES = 1440;
const MARKS = 200;
const REJECTIONS = 50;

/** Keeps the same history as the server. */
export class Store {
  constructor() {
    /** @type {Snapshot | undefined} */
    this.now = undefined;
    /** Version of the program. */
    this.version = "";
    /** @type {Points} */
    this.seconds = { times: [], columns: {} };
    /** @type {Points} */
    this.minutes = { times: [], columns: {} };
    /** @type {import("../recorder.ts").Mark[]} */
    this.marks = [];
    /** @type {import("../recorder.ts").RejectedView[]} */
    this.rejections = [];
    /** The parts changed since the last render. @type {Set<"marks" | "rejections">} */
    this.changed = new Set();
  }

  /** The newest figures. @returns {Record<string, number | null>} */
  get point() {
    return Object.fromEntries(
      Object.entries(this.seconds.columns).map(([name, values]) => [name, values.at(-1) ?? null]),
    );
  }

  /** @param {Hello} hello */
  begin({ version, seconds, minutes, marks, rejections, now }) {
    this.version = version;
    this.seconds = /** @type {Points} */ (seconds);
    this.minutes = /** @type {Points} */ (minutes);
    this.marks = [...marks];
    this.rejections = [...rejections];
    this.now = now;
    this.changed = new Set(["marks", "rejections"]);
  }

  /** @param {Tick} tick */
  add({ time, point, minute, marks, rejections, now }) {
    this.now = now;
    push(this.seconds, SECONDS, time, point);
    if (minute !== null) push(this.minutes, MINUTES, minute.time, minute.point);
    if (append(this.marks, marks, MARKS)) this.changed.add("marks");
    if (append(this.rejections, rejections, REJECTIONS)) this.changed.add("rejections");
  }
}

/**
 * @param {Points} points
 * @param {number} capacity
 * @param {number} time
 * @param {Readonly<Record<string, number | null>>} point
 */
function push({ times, columns }, capacity, time, point) {
  times.push(time);
  for (const [name, value] of Object.entries(point)) (columns[name] ??= []).push(value);
  if (times.length <= capacity) return;
  times.shift();
  for (const values of Object.values(columns)) values.shift();
}

/**
 * Appends entries newer than the last one: the stream may begin in the middle of a second.
 *
 * @template {{ id: number }} T
 * @param {T[]} list
 * @param {readonly T[]} more
 * @param {number} capacity
 */
function append(list, more, capacity) {
  const last = list.at(-1)?.id ?? 0;
  const fresh = more.filter(({ id }) => id > last);
  list.push(...fresh);
  list.splice(0, Math.max(0, list.length - capacity));
  return fresh.length > 0;
}
