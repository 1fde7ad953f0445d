/**
 * Which steps of an AUGRU or AGRU may be left out of a score, at most ε away from the whole.
 *
 * ```text
 * h' = (1−g)∘h + g∘c,  g = a∘u or a       |h|, |c|, u ≤ 1, since h_0 = 0 and a ∈ [0,1]
 * left out: ‖g∘(c−h)‖ ≤ 2a√H              a difference; each later step stretches it by at most 1 + aκ:
 * κ = ½‖Uu‖ + ‖Uc‖ + ¼s‖Ur‖               s = max_j Σ_i |Uc_ij| ≥ |hUc|
 * |Δz| ≤ L Σ_t 2√H a_t e^(κ Σ_(s>t) a_s)  over the steps t left out; L: the head's Lipschitz constant in h'_T
 * ```
 *
 * ‖·‖ are Euclidean norms, of matrices bounded from above by Schatten's 16-norm. A step is left out where its term is at
 * most ε/T. The bound is of exact arithmetic.
 *
 * @module
 */

import type { Parameters } from "../../kernels/parameters.ts";

// T steps, K candidates, H hidden

/** What {@linkcode StepSkipper} has to know of the model. */
export interface SkippedRecurrence {
  /** Prefix of the recurrence's blocks. */
  readonly gru: string;
  /** Prefix of the MLP that reads the final state. */
  readonly mlp: string;
  /** The first of the H rows of the MLP's input that are the final state. */
  readonly row: number;
  /** Whether ⟨h'_T, q⟩ is added to the logit. */
  readonly dot: boolean;
  /** ε > 0: how far a logit may be from that of all steps. */
  readonly error: number;
}

/** Leaves out steps. */
export class StepSkipper {
  readonly #parameters: Parameters;
  readonly #of: SkippedRecurrence;
  readonly #blocks: readonly string[];
  readonly #hidden: number;
  /** The weights that the bounds are of: they change with each version. */
  #weights: readonly Float32Array[] = [];
  #stretch = 0;
  #lipschitz = 0;

  /** Binds the blocks. */
  constructor(parameters: Parameters, of: SkippedRecurrence) {
    this.#parameters = parameters;
    this.#of = of;
    const head = [...parameters.shapes.keys()].filter((name) => /^\.(W|alpha)/.test(rest(name, of.mlp)));
    this.#blocks = [`${of.gru}.U`, ...head];
    this.#hidden = parameters.shapes.get(`${of.gru}.U`)?.[0] ?? 0;
  }

  /**
   * Sets the weights [K,T], in [0,1], of the steps that may be left out to 0, for the candidates q [K,d]; returns how
   * many are left.
   */
  skip(attention: Float32Array, T: number, q: Float32Array): number {
    this.#bind();
    const K = attention.length / T, d = q.length / K;
    let left = attention.length;
    for (let k = 0; k < K; k++) {
      const dot = this.#of.dot ? norm(q.subarray(k * d, (k + 1) * d)) : 0;
      const most = this.#of.error / (T * (this.#lipschitz + dot) * 2 * Math.sqrt(this.#hidden));
      let later = 0;
      for (let o = (k + 1) * T - 1; o >= k * T; o--) {
        const a = attention[o]!;
        // The first comparison spares the power.
        if (a <= most && a * Math.exp(this.#stretch * later) <= most) {
          attention[o] = 0;
          left--;
        } else later += a;
      }
    }
    return left;
  }

  #bind(): void {
    const weights = this.#blocks.map((name) => this.#parameters.block(name));
    if (this.#weights.length > 0 && weights.every((now, i) => equal(now, this.#weights[i]!))) return;
    this.#weights = weights.map((block) => block.slice());
    const H = this.#hidden;
    const [u, r, c] = [0, 1, 2].map((gate) => columns(this.#parameters.block(`${this.#of.gru}.U`), H, gate));
    this.#stretch = spectralBound(u!, H) / 2 + spectralBound(c!, H) +
      widest(c!, H) * spectralBound(r!, H) / 4;
    this.#lipschitz = this.#blocks.slice(1).reduce((product, name) => product * this.#factor(name), 1);
  }

  /** How much a block of the head can stretch a difference of the final state. */
  #factor(name: string): number {
    const block = this.#parameters.block(name);
    const [inputs = 0, outputs] = this.#parameters.shapes.get(name) ?? [];
    if (outputs === undefined) return block.reduce((most, slope) => Math.max(most, Math.abs(slope)), 1);
    if (!name.endsWith(".W1")) return spectralBound(block, inputs);
    const { row } = this.#of;
    return spectralBound(block.subarray(row * outputs, (row + this.#hidden) * outputs), this.#hidden);
  }
}

/** At least the largest singular value of a matrix given row by row: ‖(AAᵀ)⁴‖^(1/8), Frobenius' norm. */
export function spectralBound(a: Float32Array, rows: number): number {
  let power = gram(a, rows);
  for (let i = 0; i < 2; i++) power = gram(power, rows);
  return norm(power) ** (1 / 8);
}

/** A·Aᵀ, in double precision. */
function gram(a: Float32Array | Float64Array, rows: number): Float64Array {
  const n = a.length / rows;
  const product = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let p = 0; p < n; p++) sum += a[i * n + p]! * a[j * n + p]!;
      product[i * rows + j] = product[j * rows + i] = sum;
    }
  }
  return product;
}

/** The H columns of a gate of U [H,3H]. */
function columns(u: Float32Array, H: number, gate: number): Float32Array {
  return Float32Array.from({ length: H * H }, (_, o) => u[Math.floor(o / H) * 3 * H + gate * H + o % H]!);
}

/** max_j Σ_i |a_ij| of a [H,H]. */
function widest(a: Float32Array, H: number): number {
  const sums = new Float64Array(H);
  for (const [o, value] of a.entries()) sums[o % H]! += Math.abs(value);
  return Math.max(...sums);
}

function norm(a: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of a) sum += value * value;
  return Math.sqrt(sum);
}

function equal(a: Float32Array, b: Float32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function rest(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : "";
}
