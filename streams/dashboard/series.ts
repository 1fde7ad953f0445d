/** Time series in bounded memory: seconds of the last minutes, minutes of the last day. */

import { recordOf } from "../../src/values/record.ts";

/** One figure per column; `null` = unknown. */
export type Point<Column extends string> = Readonly<Record<Column, number | null>>;

/** A point with its time, milliseconds since the epoch. */
export interface TimedPoint<Column extends string> {
  readonly time: number;
  readonly point: Point<Column>;
}

/** Points as sent to viewers. */
export interface SeriesView {
  /** Time of each point, milliseconds since the epoch, ascending. */
  readonly times: readonly number[];
  /** The points' figures by column, `null` = unknown. */
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
}

/** A ring of points. Memory: 8 bytes per figure and time, allocated at once. */
export class Ring<Column extends string> {
  readonly #columns: readonly Column[];
  readonly #capacity: number;
  readonly #values: Float64Array;
  readonly #times: Float64Array;
  #length = 0;
  #end = 0;

  /** Makes an empty ring of `capacity` points. */
  constructor(columns: readonly Column[], capacity: number) {
    this.#columns = columns;
    this.#capacity = capacity;
    this.#values = new Float64Array(columns.length * capacity);
    this.#times = new Float64Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a point; a full ring drops the oldest. */
  push(time: number, point: Point<Column>): void {
    this.#times[this.#end] = time;
    this.#columns.forEach((name, c) => this.#values[c * this.#capacity + this.#end] = point[name] ?? NaN);
    this.#end = (this.#end + 1) % this.#capacity;
    this.#length = Math.min(this.#capacity, this.#length + 1);
  }

  /** Means of the newest points, ignoring unknown figures. */
  mean(points: number): Point<Column> {
    const places = this.#places().slice(-points);
    return recordOf(this.#columns, (_, c) => {
      let sum = 0, count = 0;
      for (const place of places) {
        const value = this.#values[c * this.#capacity + place]!;
        if (Number.isNaN(value)) continue;
        sum += value;
        count++;
      }
      return count === 0 ? null : sum / count;
    });
  }

  /** All points, oldest first, with five significant digits. */
  view(): SeriesView {
    const places = this.#places();
    return {
      times: places.map((place) => this.#times[place]!),
      columns: Object.fromEntries(
        this.#columns.map((name, c) => [
          name,
          places.map((place) => rounded(this.#values[c * this.#capacity + place]!)),
        ]),
      ),
    };
  }

  #places(): number[] {
    const start = this.#end - this.#length + this.#capacity;
    return Array.from({ length: this.#length }, (_, i) => (start + i) % this.#capacity);
  }
}

const SECONDS = 900;
const MINUTES = 1440;

/** Points at two resolutions: one per second for 15 minutes, one per minute for 24 hours. */
export class Series<Column extends string> {
  /** One point per second. */
  readonly seconds: Ring<Column>;
  /** One point per minute: the mean of its seconds. */
  readonly minutes: Ring<Column>;
  #minute = NaN;
  #inMinute = 0;

  /** Makes an empty series. */
  constructor(columns: readonly Column[]) {
    this.seconds = new Ring(columns, SECONDS);
    this.minutes = new Ring(columns, MINUTES);
  }

  /**
   * Adds the point of a second.
   *
   * @returns The point of the minute that ended before it, if any.
   */
  push(time: number, point: Point<Column>): TimedPoint<Column> | null {
    const minute = Math.floor(time / 60_000);
    let ended: TimedPoint<Column> | null = null;
    if (this.#inMinute > 0 && minute !== this.#minute) {
      ended = { time: this.#minute * 60_000, point: this.seconds.mean(this.#inMinute) };
      this.minutes.push(ended.time, ended.point);
    }
    if (minute !== this.#minute) this.#inMinute = 0;
    this.#minute = minute;
    this.#inMinute = Math.min(SECONDS, this.#inMinute + 1);
    this.seconds.push(time, point);
    return ended;
  }
}

/** Rounds to five significant digits: enough for a chart, at half the bytes. */
function rounded(value: number): number | null {
  if (!Number.isFinite(value)) return null;
  return Math.abs(value) >= 1e5 ? Math.round(value) : Number(value.toPrecision(5));
}
