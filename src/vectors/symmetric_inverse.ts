/**
 * Inverts symmetric positive definite matrices in place by sweeps (Goodnight, "A Tutorial on the SWEEP Operator", The
 * American Statistician 1979), four columns K at a time, so that the rest R is read a quarter as often:
 *
 * ```text
 *   A_RR ← A_RR − A_RK A_KK⁻¹ A_KR        A_KR ← A_KK⁻¹ A_KR        A_KK ← −A_KK⁻¹
 * ```
 *
 * After all sweeps A is −A⁻¹.
 *
 * @module
 */

/** Columns per sweep. */
const WIDTH = 4;

/** Inverts matrices, one after the other. */
export class SymmetricInverse {
  /** Scratch: A_KR with zeros in K, A_KK⁻¹ A_KR, and A_KK; what is beyond the last columns is 0. */
  readonly #columns: Float64Array;
  readonly #factors: Float64Array;
  readonly #block = new Float64Array(WIDTH * WIDTH);

  /** With room for `size` rows at most. */
  constructor(size: number) {
    this.#columns = new Float64Array(WIDTH * size);
    this.#factors = new Float64Array(WIDTH * size);
  }

  /**
   * Replaces A by its inverse. n³/2 multiplications.
   *
   * @param a n × n, possibly with room after it; only j ≥ i of its rows i is read, all of it is written
   * @param least Lower bound for pivots, above 0
   * @returns `false` where a pivot is below it; A is of no use then
   */
  invert(a: Float64Array, n: number, least: number): boolean {
    for (let k = 0; k < n; k += WIDTH) {
      const width = Math.min(WIDTH, n - k);
      this.#take(a, n, k, width);
      if (!sweepAll(this.#block, width, least)) return false;
      this.#findFactors(n, width);
      this.#subtract(a, n, k);
      this.#put(a, n, k, width);
    }
    for (let i = 0; i < n; i++) {
      for (let j = i; j < n; j++) a[i * n + j] = a[j * n + i] = -a[i * n + j]!;
    }
    return true;
  }

  /** Takes the columns from k on into the scratch. */
  #take(a: Float64Array, n: number, k: number, width: number): void {
    const [columns, block] = [this.#columns.fill(0), this.#block.fill(0)];
    for (let t = 0; t < width; t++) {
      const [at, row] = [t * n, (k + t) * n];
      for (let i = 0; i < k; i++) columns[at + i] = a[i * n + k + t]!;
      for (let j = k + width; j < n; j++) columns[at + j] = a[row + j]!;
      for (let u = t; u < width; u++) block[t * WIDTH + u] = block[u * WIDTH + t] = a[row + k + u]!;
    }
  }

  /** Multiplies the columns by A_KK⁻¹; the block is its negative. */
  #findFactors(n: number, width: number): void {
    const [columns, factors, block] = [this.#columns, this.#factors.fill(0), this.#block];
    for (let t = 0; t < width; t++) {
      for (let u = 0; u < width; u++) {
        const by = -block[t * WIDTH + u]!;
        for (let i = 0; i < n; i++) factors[t * n + i] = factors[t * n + i]! + by * columns[u * n + i]!;
      }
    }
  }

  /** Subtracts from A_RR; K stays as it is. */
  #subtract(a: Float64Array, n: number, k: number): void {
    const [columns, factors] = [this.#columns, this.#factors];
    const [second, third, fourth] = [n, 2 * n, 3 * n];
    for (let i = 0; i < n; i++) {
      if (i >= k && i < k + WIDTH) continue;
      const [f0, f1, f2, f3] = [factors[i]!, factors[second + i]!, factors[third + i]!, factors[fourth + i]!];
      const row = i * n;
      for (let j = i; j < n; j++) {
        a[row + j] = a[row + j]! - f0 * columns[j]! - f1 * columns[second + j]! - f2 * columns[third + j]! -
          f3 * columns[fourth + j]!;
      }
    }
  }

  /** Puts the factors and the block into the columns from k on. */
  #put(a: Float64Array, n: number, k: number, width: number): void {
    const [factors, block] = [this.#factors, this.#block];
    for (let t = 0; t < width; t++) {
      const [at, row] = [t * n, (k + t) * n];
      for (let i = 0; i < k; i++) a[i * n + k + t] = factors[at + i]!;
      for (let j = k + width; j < n; j++) a[row + j] = factors[at + j]!;
      for (let u = t; u < width; u++) a[row + k + u] = block[t * WIDTH + u]!;
    }
  }
}

/** Sweeps all of the first `width` columns of a block. */
function sweepAll(block: Float64Array, width: number, least: number): boolean {
  for (let k = 0; k < width; k++) {
    const pivot = block[k * WIDTH + k]!;
    if (!(pivot >= least)) return false;
    for (let i = 0; i < width; i++) {
      if (i === k) continue;
      const factor = block[i * WIDTH + k]! / pivot;
      for (let j = 0; j < width; j++) {
        if (j === k) continue;
        block[i * WIDTH + j] = block[i * WIDTH + j]! - factor * block[k * WIDTH + j]!;
      }
    }
    for (let i = 0; i < width; i++) {
      if (i !== k) block[i * WIDTH + k] = block[k * WIDTH + i] = block[k * WIDTH + i]! / pivot;
    }
    block[k * WIDTH + k] = -1 / pivot;
  }
  return true;
}
