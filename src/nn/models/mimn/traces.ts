/**
 * MIMN's pooled histories: sums of all behaviours that fade at several rates, beside the memory.
 *
 * ```text
 * p = √min(50, w)/(Jw) · Σ ρ^age e    w = Σ ρ^age, for each of J traces ρ
 * ```
 */

import type { Kernels } from "../../kernels/kernels.ts";
import { Part } from "../../layers/concat.ts";
import type { MimnState } from "./state.ts";

// T behaviours of width d, J traces

/** A pooled history stops growing at this many behaviours, as many as a window holds. */
const FULL = 50;

/** The part of a user's state that traces update: {@linkcode MimnState.sums}; they read its count, too. */
type TraceState = Pick<MimnState, "sums" | "count">;

/** Traces of behaviours. */
export class Traces {
  /** p of each, for all candidates. */
  readonly parts: readonly Part[];
  readonly #rates: readonly number[];
  readonly #d: number;

  /** @param rates Share ρ that each keeps per behaviour */
  constructor(rates: readonly number[], d: number, kernels: Kernels) {
    this.#rates = rates;
    this.#d = d;
    this.parts = rates.map(() => new Part(d, true, kernels));
  }

  /** Folds the behaviours e [T, d] into the sums. */
  fold(T: number, e: Float32Array, { sums }: Pick<TraceState, "sums">): void {
    const d = this.#d;
    for (const [i, rate] of this.#rates.entries()) {
      const sum = sums.subarray(i * d, (i + 1) * d);
      for (let t = 0; t < T; t++) {
        for (let j = 0; j < d; j++) sum[j] = rate * sum[j]! + e[t * d + j]!;
      }
    }
  }

  /** Fills the parts from a state. */
  read({ sums, count }: TraceState): void {
    const d = this.#d;
    for (const [i, rate] of this.#rates.entries()) {
      const p = this.parts[i]!.clear(1), scale = this.#scale(rate, count[0]!);
      for (let j = 0; j < d; j++) p[j] = scale * sums[i * d + j]!;
    }
  }

  /** Adds the gradients of the parts to `de` [T, d], that of the newest T behaviours of a state. */
  backward(T: number, { count }: Pick<TraceState, "count">, de: Float32Array): void {
    const d = this.#d;
    for (const [i, rate] of this.#rates.entries()) {
      const { gradient } = this.parts[i]!;
      let scale = this.#scale(rate, count[0]!);
      for (let t = T - 1; t >= 0; t--, scale *= rate) {
        for (let j = 0, o = t * d; j < d; j++, o++) de[o]! += scale * gradient[j]!;
      }
    }
  }

  /**
   * √min(50, w)/(Jw) with w = Σ ρ^age over n behaviours: divides by √n while there are few, like a mean when there are
   * many. Divided by √n alone, p would grow over a lifetime, and so would the steps of all vectors that it is multiplied
   * with.
   */
  #scale(rate: number, n: number): number {
    const weight = Math.max(1, rate === 1 ? n : (1 - rate ** n) / (1 - rate));
    return Math.sqrt(Math.min(FULL, weight)) / weight / this.#rates.length;
  }
}
