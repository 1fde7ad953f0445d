/**
 * What is due in event time, earliest first.
 *
 * @module
 */

/** A time at which something of a user's is due. */
export interface Deadline {
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** Running number in the task, which breaks ties of time. */
  readonly sequence: number;
  readonly user: string;
}

/** A binary heap of deadlines: earliest first, then by sequence number. O(log n) per push or pop. */
export class DeadlineQueue<Entry extends Deadline = Deadline> {
  readonly #heap: Entry[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest entry. */
  peek(): Entry | undefined {
    return this.#heap[0];
  }

  push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!earlier(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Removes and returns the earliest entry. */
  pop(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1]!, heap[child]!)) child++;
      if (!earlier(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function earlier(a: Deadline, b: Deadline): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}
