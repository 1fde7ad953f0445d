import { fillNormal, mix } from "../../../src/embeddings/hash.ts";

const D = 16, K = 20;

/** A context of categories, and the one that followed. */
export interface Followed {
  readonly context: readonly number[];
  readonly category: number;
}

/** The vectors of categories after a whole past, without scratch space, places or a budget. */
export class NaiveVectors {
  readonly #vectors = new Map<number, number[]>();
  readonly #squares = new Map<number, number>();

  constructor(past: readonly Followed[]) {
    past.forEach(({ context, category }, n) => {
      const newest = past.slice(Math.max(0, n - 4096), n).map((each) => each.category);
      const known = context.filter((a) => this.#vectors.has(a));
      this.#vector(category);
      if (known.length === 0 || known.includes(category)) return;
      const draws = Array.from(
        { length: newest.length === 0 ? 0 : K },
        // A full ring would be overwritten from its start; pasts in tests are shorter.
        (_, k) => newest[mix(Math.imul(n, K) + k) % newest.length]!,
      ).filter((other) => other !== category && !known.includes(other));
      this.#step(known, [...draws, category], 1 / Math.sqrt(context.length));
    });
  }

  /** Σ ⟨v_a, v_b⟩ over a context. */
  affinity(context: readonly number[], category: number): number {
    const v = this.#vectors.get(category);
    return v === undefined ? 0 : dot(this.#sum(context), v);
  }

  #step(context: readonly number[], all: readonly number[], scale: number): void {
    const h = this.#sum(context).map((x) => scale * x);
    const odds = all.map((each) => Math.exp(dot(h, this.#vector(each))));
    const total = odds.reduce((sum, x) => sum + x, 0);
    const dh = new Array<number>(D).fill(0);
    all.forEach((each, k) => {
      const gradient = odds[k]! / total - (k === all.length - 1 ? 1 : 0);
      this.#vector(each).forEach((x, j) => dh[j]! += gradient * x);
      this.#descend(each, h.map((x) => gradient * x));
    });
    for (const a of new Set(context)) {
      const share = scale * context.filter((other) => other === a).length;
      this.#descend(a, dh.map((x) => share * x));
    }
  }

  #descend(category: number, gradient: readonly number[]): void {
    const squares = 2 ** (-1 / 8000) * (this.#squares.get(category) ?? 0.1) + dot(gradient, gradient) / D;
    this.#squares.set(category, squares);
    const v = this.#vector(category);
    gradient.forEach((g, j) => v[j]! -= 0.2 * g / Math.sqrt(squares));
  }

  #vector(category: number): number[] {
    const known = this.#vectors.get(category);
    if (known !== undefined) return known;
    const fresh = new Float32Array(D);
    fillNormal(fresh, 0.1, [category, 0]);
    this.#vectors.set(category, [...fresh]);
    return this.#vectors.get(category)!;
  }

  #sum(context: readonly number[]): number[] {
    const vectors = context.flatMap((a) => this.#vectors.has(a) ? [this.#vector(a)] : []);
    return Array.from({ length: D }, (_, j) => vectors.reduce((sum, v) => sum + v[j]!, 0));
  }
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, j) => sum + x * b[j]!, 0);
}
