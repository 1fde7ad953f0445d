/**
 * Takes numbers in the order of their scores, largest first, where only a few are taken: a binary heap.
 *
 * @module
 */

/** The numbers 0 to n − 1 by score. O(n) to begin, O(log n) per number taken. */
export class BestFirst {
  readonly #heap: Uint32Array;
  #scores: Float64Array = new Float64Array(0);
  #size = 0;

  /** Allocates room for `capacity` numbers. */
  constructor(capacity: number) {
    this.#heap = new Uint32Array(capacity);
  }

  /** Number of those not taken yet. */
  get size(): number {
    return this.#size;
  }

  /** Begins with the first `size` of these scores, which must not change while numbers are taken. */
  begin(scores: Float64Array, size: number): void {
    this.#scores = scores;
    this.#size = size;
    for (let number = 0; number < size; number++) this.#heap[number] = number;
    for (let at = (size >> 1) - 1; at >= 0; at--) this.#down(at);
  }

  /** Takes the number with the largest score; at least one must be left. */
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
