/**
 * Which category follows which: decayed counts of the first category of a behaviour and that of the next one.
 *
 * Bounds: 2,048 categories, the 64 most frequent next ones of each.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { raise } from "../../items/popularity.ts";

const MAX_CATEGORIES = 2048;
const MAX_NEXT = 64;

/** Decayed counts of pairs of categories, each as log₂ Σ 2^(t/h), see `popularity.ts`. */
export class CategoryTransitions {
  readonly #halfLifeMs: number;
  /** Least recently updated first. */
  readonly #next = new Map<string, Map<string, number>>();

  /** Starts without transitions. @param halfLifeMs Half-life of a count, milliseconds of the stream's time. */
  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** Counts a transition from one category to another. */
  learn(from: string, to: string, time: number): void {
    const counts = this.#next.get(from) ?? new Map<string, number>();
    this.#next.delete(from);
    this.#next.set(from, counts);
    counts.set(to, raise(counts.get(to) ?? -Infinity, time, this.#halfLifeMs));
    if (counts.size > MAX_NEXT) {
      const least = [...counts].reduce((a, b) => (b[1] < a[1] || (b[1] === a[1] && b[0] > a[0]) ? b : a));
      counts.delete(least[0]);
    }
    if (this.#next.size > MAX_CATEGORIES) {
      for (const oldest of this.#next.keys()) {
        this.#next.delete(oldest);
        break;
      }
    }
  }

  /** The most frequent categories after `from`, with their shares among all that are kept for it. */
  after(from: string, limit: number): { readonly category: string; readonly share: number }[] {
    const counts = this.#next.get(from);
    if (counts === undefined) return [];
    const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const highest = sorted[0]![1];
    const sum = sorted.reduce((sum, [, score]) => sum + 2 ** (score - highest), 0);
    return sorted.slice(0, limit).map(([category, score]) => ({
      category,
      share: 2 ** (score - highest) / sum,
    }));
  }

  encode(to: ByteWriter): void {
    to.uint(this.#next.size);
    for (const [category, counts] of this.#next) {
      to.string(category).uint(counts.size);
      for (const [next, score] of counts) to.string(next).f64(score);
    }
  }

  decode(from: ByteReader): void {
    for (let n = from.count(); n > 0; n--) {
      const category = from.string();
      const counts = new Map<string, number>();
      for (let k = from.count(); k > 0; k--) counts.set(from.string(), from.f64());
      this.#next.set(category, counts);
    }
  }
}
