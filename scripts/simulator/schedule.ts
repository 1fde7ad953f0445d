/**
 * What happens next: a binary heap of things to come, earliest first.
 *
 * @module
 */

interface Entry<T> {
  readonly time: number;
  readonly order: number;
  readonly value: T;
}

/**
 * Things to come, by time; of two at the same time, the one that was added first.
 *
 * Adding and taking cost O(log n).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const schedule = new Schedule<string>();
 * schedule.add(20, "later");
 * schedule.add(10, "soon");
 * assert.deepEqual([schedule.time, schedule.take(), schedule.take()], [10, "soon", "later"]);
 * assert.equal(schedule.take(), undefined);
 * ```
 */
export class Schedule<T> {
  readonly #heap: Entry<T>[] = [];
  #added = 0;

  /** Time of the next thing; infinite when there is none. */
  get time(): number {
    return this.#heap[0]?.time ?? Infinity;
  }

  /** Adds a thing that happens at `time`. */
  add(time: number, value: T): void {
    const entry = { time, order: this.#added++, value };
    let at = this.#heap.length;
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1] as Entry<T>;
      if (!before(entry, parent)) break;
      this.#heap[at] = parent;
      at = (at - 1) >> 1;
    }
    this.#heap[at] = entry;
  }

  /** Takes the next thing out; `undefined` when there is none. */
  take(): T | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first?.value;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      const [left, right] = [this.#heap[child], this.#heap[child + 1]];
      if (left !== undefined && right !== undefined && before(right, left)) child++;
      const least = this.#heap[child];
      if (least === undefined || !before(least, last)) break;
      this.#heap[at] = least;
      at = child;
    }
    this.#heap[at] = last;
    return first.value;
  }
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
