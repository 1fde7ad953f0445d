/**
 * Numbers in the order of their scores, largest first, of which few are taken: a binary heap.
 *
 * @module
 */

/** The numbers 0 to n − 1 by score. O(n) to begin with, O(log n) each. */
export class BestFirst {
  readonly #heap: Uint32Array;
  #scores: Float64Array = new Float64Array(0);
  #size = 0;

  /** Room for so many numbers. */
  constructor(capacity: number) {
    this.#heap = new Uint32Array(capacity);
  }

  /** Numbers that were not taken yet. */
  get size(): number {
    return this.#size;
  }

  /** Begins with the first `size` of these scores, which stay as they are until all is taken. */
  begin(scores: Float64Array, size: number): void {
    this.#scores = scores;
    this.#size = size;
    for (let number = 0; number < size; number++) this.#heap[number] = number;
    for (let at = (size >> 1) - 1; at >= 0; at--) this.#down(at);
  }

  /** Takes the number with the largest score; there must be one. */
  take(): number {
    const heap = this.#heap;
    const top = heap[0]!;
    heap[0] = heap[--this.#size]!;
    this.#down(0);
    return top;
  }

  #down(at: number): void {
    const [heap, scores, size] = [this.#heap, this.#scores, this.#size];
    const number = heap[at]!;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && scores[heap[child + 1]!]! > scores[heap[child]!]!) child++;
      if (scores[heap[child]!]! <= scores[number]!) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = number;
  }
}
