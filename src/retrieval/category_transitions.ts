/**
 * In which category the next behaviour is, given the newest one's: decayed counts of steps.
 *
 * ```text
 *   stay     = (steps that stay + 1) / (all steps + 2)
 *   P(d | c) = (1 − stay) · n(c, d) / (Σ_d n(c, d) + 20)        d ≠ c
 * ```
 *
 * n counts a step from one category to another in both directions. The 20 keep back what too few steps say.
 *
 * Bounds: 2,048 categories, the 64 most frequent other ones of each.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { decayedCount, raise } from "../state/popularity.ts";

const MAX_CATEGORIES = 2048;
const MAX_OTHERS = 64;
const SHRINK = 20;

/** A category and the probability that the next behaviour is in it. */
export interface CategoryShare {
  /** The category. */
  readonly category: string;
  /** Its probability. */
  readonly share: number;
}

/** Decayed counts, each as log₂ Σ 2^(t/h), see `popularity.ts`. */
export class CategoryTransitions {
  readonly #halfLifeMs: number;
  /** By category, how often a step led to each other one, or from there; least recently updated first. */
  readonly #others = new Map<string, Map<string, number>>();
  #stays = -Infinity;
  #steps = -Infinity;

  /** No steps. @param halfLifeMs Half-life of a count, milliseconds of event time. */
  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** Counts a step from one category to another, or the same. */
  learn(from: string, to: string, time: number): void {
    this.#steps = raise(this.#steps, time, this.#halfLifeMs);
    if (from === to) {
      this.#stays = raise(this.#stays, time, this.#halfLifeMs);
      return;
    }
    this.#count(from, to, time);
    this.#count(to, from, time);
    if (this.#others.size <= MAX_CATEGORIES) return;
    for (const oldest of this.#others.keys()) {
      this.#others.delete(oldest);
      if (this.#others.size === MAX_CATEGORIES) return;
    }
  }

  /** The probability that the next behaviour is in the same category. */
  stay(time: number): number {
    const [stays, steps] = [this.#stays, this.#steps].map((score) =>
      decayedCount(score, time, this.#halfLifeMs)
    );
    return (stays! + 1) / (steps! + 2);
  }

  /** The most probable other categories, most probable first. */
  after(from: string, time: number, limit: number): CategoryShare[] {
    const counts = this.#others.get(from);
    if (counts === undefined) return [];
    const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    let all = SHRINK;
    for (const [, score] of sorted) all += decayedCount(score, time, this.#halfLifeMs);
    const leave = 1 - this.stay(time);
    return sorted.slice(0, limit).map(([category, score]) => ({
      category,
      share: leave * decayedCount(score, time, this.#halfLifeMs) / all,
    }));
  }

  /** Writes everything. */
  encode(to: ByteWriter): void {
    to.f64(this.#stays).f64(this.#steps).uint(this.#others.size);
    for (const [category, counts] of this.#others) {
      to.string(category).uint(counts.size);
      for (const [other, score] of counts) to.string(other).f64(score);
    }
  }

  /** Reads what {@linkcode CategoryTransitions.encode} wrote. */
  decode(from: ByteReader): void {
    this.#stays = from.f64();
    this.#steps = from.f64();
    for (let n = from.count(); n > 0; n--) {
      const category = from.string();
      const counts = new Map<string, number>();
      for (let k = from.count(); k > 0; k--) counts.set(from.string(), from.f64());
      this.#others.set(category, counts);
    }
  }

  #count(category: string, other: string, time: number): void {
    const counts = this.#others.get(category) ?? new Map<string, number>();
    this.#others.delete(category);
    this.#others.set(category, counts);
    counts.set(other, raise(counts.get(other) ?? -Infinity, time, this.#halfLifeMs));
    if (counts.size <= MAX_OTHERS) return;
    const least = [...counts].reduce((a, b) => (b[1] < a[1] || (b[1] === a[1] && b[0] > a[0]) ? b : a));
    counts.delete(least[0]);
  }
}
