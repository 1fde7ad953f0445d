/**
 * The DIN of the SparrowRecSys notebook, as it is and not as it should be: the published figure that ours is
 * held against. Where it leaves the paper (Zhou et al., "Deep interest network", 2018):
 *
 * - padding counts: movie 0 has a trained vector and its weight is not masked;
 * - a PReLU slope per unit *and position* in the activation unit, whose output is a sigmoid;
 * - numbers go in raw: years near 2000 beside ratings near 4;
 * - every row of every table is moved by Adam at every step ({@linkcode KerasAdam}).
 *
 * ```text
 * a_j  = σ(A₂ · PReLU([e_j − q ; e_j ; q ; e_j∘q] A₁ + a₁) + a₂)        j = 1..5
 * p    = MLP 57 → 128 → 64 → 1 of [user ; userGenre ; 3 numbers ; Σ a_j e_j ; q ; movieGenre ; 4 numbers]
 * ```
 *
 * @module
 */

import { addRowSum, addXtY, addXW, addYWt, fillRows } from "../../../src/nn/kernels/gemm.ts";
import { Mlp, mlpShapes } from "../../../src/nn/layers/mlp.ts";
import { prelu, preluBackward } from "../../../src/nn/kernels/prelu.ts";
import { Scratch } from "../../../src/nn/kernels/scratch.ts";
import { weightedLogisticLoss } from "../../../src/nn/layers/weighted_loss.ts";
import { sigmoid } from "../../../src/nn/losses/logistic.ts";
import { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { normal } from "../../../src/draws/random_source.ts";
import { KerasAdam } from "./keras_adam.ts";
import {
  HISTORY,
  MAX_MOVIE,
  MAX_USER,
  MOVIE_NUMBERS,
  type NotebookSamples,
  UNKNOWN_GENRE,
  USER_NUMBERS,
} from "./samples.ts";

// B rows, T = 5 behaviours, E = 10 embedding width, A = 32 units of the activation unit
const T = HISTORY;
const E = 10;
const A = 32;
const PAIR = 4 * E;
const USER_AT = 0;
const USER_GENRE_AT = E;
const USER_NUMBERS_AT = 2 * E;
const POOLED_AT = USER_NUMBERS_AT + USER_NUMBERS.length;
const MOVIE_AT = POOLED_AT + E;
const MOVIE_GENRE_AT = MOVIE_AT + E;
const MOVIE_NUMBERS_AT = MOVIE_GENRE_AT + E;
const INPUTS = MOVIE_NUMBERS_AT + MOVIE_NUMBERS.length;

/** The dense weights, or an embedding table, and their optimiser. */
interface Block {
  readonly values: Float32Array;
  readonly adam: KerasAdam;
}

/** The notebook's network with its optimiser. */
export class NotebookDin {
  /** All that is learnt: dense weights, then the tables of users, movies and both genres. */
  readonly blocks: readonly Block[];
  readonly #dense = new Parameters({
    "unit.W1": [PAIR, A],
    "unit.b1": [A],
    "unit.alpha1": [T, A],
    "unit.W2": [A, 1],
    "unit.b2": [1],
    ...mlpShapes("output", [INPUTS, 128, 64, 1]),
  });
  readonly #adam: KerasAdam;
  readonly #mlp: Mlp;
  readonly #user: Block;
  readonly #userGenre: Block;
  readonly #movie: Block;
  readonly #movieGenre: Block;
  readonly #pairs = new Scratch();
  readonly #sums = new Scratch();
  readonly #units = new Scratch();
  readonly #weights = new Scratch();
  readonly #dweights = new Scratch();
  readonly #dunits = new Scratch();
  readonly #dpairs = new Scratch();

  /**
   * Makes a network with Keras' initial values: Glorot uniform weights, zero biases and slopes, the movie
   * table uniform in ±0.05, the others truncated normal with deviation 1/√10.
   */
  constructor(random: () => number) {
    this.#user = createTable(MAX_USER + 1, () => truncatedNormal(random) / Math.sqrt(E));
    this.#userGenre = createTable(UNKNOWN_GENRE + 1, () => truncatedNormal(random) / Math.sqrt(E));
    this.#movieGenre = createTable(UNKNOWN_GENRE + 1, () => truncatedNormal(random) / Math.sqrt(E));
    this.#movie = createTable(MAX_MOVIE + 1, () => 0.1 * random() - 0.05);
    for (const { values } of [this.#userGenre, this.#movieGenre]) values.fill(0, UNKNOWN_GENRE * E);
    for (const [name, [inputs = 1, outputs = 1]] of this.#dense.shapes) {
      if (!/\.W\d$/.test(name)) continue;
      const limit = Math.sqrt(6 / (inputs + outputs));
      const block = this.#dense.block(name);
      for (let o = 0; o < block.length; o++) block[o] = limit * (2 * random() - 1);
    }
    this.#adam = new KerasAdam(this.#dense.values, { width: this.#dense.values.length });
    this.#mlp = new Mlp(this.#dense, "output");
    this.blocks = [
      { values: this.#dense.values, adam: this.#adam },
      ...[this.#user, this.#movie, this.#userGenre, this.#movieGenre],
    ];
  }

  /** Probabilities of all rows [n]. */
  predict(samples: NotebookSamples): Float32Array {
    const out = new Float32Array(samples.rows);
    const chunk = 512;
    for (let from = 0; from < samples.rows; from += chunk) {
      const rows = Int32Array.from({ length: Math.min(chunk, samples.rows - from) }, (_, i) => from + i);
      out.set(this.#forward(samples, rows).map(sigmoid), from);
    }
    return out;
  }

  /** One step of Adam on the mean log loss of some rows; returns that loss from before the step. */
  learn(samples: NotebookSamples, rows: Int32Array): number {
    const loss = this.loss(samples, rows);
    for (const { adam } of this.blocks) adam.step();
    return loss;
  }

  /** Returns the mean log loss of some rows and adds its gradients to those of the {@linkcode blocks}. */
  loss(samples: NotebookSamples, rows: Int32Array): number {
    const B = rows.length;
    const logits = this.#forward(samples, rows);
    const labels = Float32Array.from(rows, (row) => samples.labels[row]!);
    const dlogits = new Float32Array(B);
    const loss = weightedLogisticLoss(dlogits, logits, labels, new Float32Array(B).fill(1 / B));
    this.#adam.touch(0);
    const dinput = this.#mlp.backward(dlogits, B, this.#adam.gradients);
    for (let i = 0; i < B; i++) {
      const row = rows[i]!, at = i * INPUTS;
      addRow(this.#user.adam, samples.user[row]!, dinput, at + USER_AT);
      addRow(this.#movie.adam, samples.movie[row]!, dinput, at + MOVIE_AT);
      addGenre(this.#userGenre.adam, samples.userGenre[row]!, dinput, at + USER_GENRE_AT);
      addGenre(this.#movieGenre.adam, samples.movieGenre[row]!, dinput, at + MOVIE_GENRE_AT);
    }
    this.#attendBackward(samples, rows, dinput);
    return loss;
  }

  /** Logits [B], and everything that the backward pass needs in the scratch arrays. */
  #forward(samples: NotebookSamples, rows: Int32Array): Float32Array {
    const B = rows.length;
    const movies = this.#movie.values;
    const input = this.#mlp.input(B);
    const weights = this.#attend(samples, rows);
    for (let i = 0; i < B; i++) {
      const row = rows[i]!, at = i * INPUTS;
      copyRow(input, at + USER_AT, this.#user.values, samples.user[row]!);
      copyRow(input, at + USER_GENRE_AT, this.#userGenre.values, samples.userGenre[row]!);
      copyRow(input, at + MOVIE_AT, movies, samples.movie[row]!);
      copyRow(input, at + MOVIE_GENRE_AT, this.#movieGenre.values, samples.movieGenre[row]!);
      copyNumbers(input, at + USER_NUMBERS_AT, samples.userNumbers, row, USER_NUMBERS.length);
      copyNumbers(input, at + MOVIE_NUMBERS_AT, samples.movieNumbers, row, MOVIE_NUMBERS.length);
      input.fill(0, at + POOLED_AT, at + POOLED_AT + E);
      for (let j = 0; j < T; j++) {
        const h = samples.history[row * T + j]! * E, a = weights[i * T + j]!;
        for (let x = 0; x < E; x++) input[at + POOLED_AT + x]! += a * movies[h + x]!;
      }
    }
    return this.#mlp.forward(B);
  }

  /** Attention weights [B,T]. */
  #attend(samples: NotebookSamples, rows: Int32Array): Float32Array {
    const B = rows.length;
    const dense = this.#dense, values = dense.values, movies = this.#movie.values;
    const pairs = this.#pairs.take(B * T * PAIR);
    for (let i = 0, o = 0; i < B; i++) {
      const q = samples.movie[rows[i]!]! * E;
      for (let j = 0; j < T; j++, o += PAIR) {
        const h = samples.history[rows[i]! * T + j]! * E;
        for (let x = 0; x < E; x++) {
          const e = movies[h + x]!, c = movies[q + x]!;
          pairs[o + x] = e - c;
          pairs[o + E + x] = e;
          pairs[o + 2 * E + x] = c;
          pairs[o + 3 * E + x] = e * c;
        }
      }
    }
    const sums = this.#sums.take(B * T * A);
    fillRows(sums, 0, values, dense.offset("unit.b1"), B * T, A);
    addXW(sums, 0, pairs, 0, values, dense.offset("unit.W1"), B * T, PAIR, A);
    const units = this.#units.take(B * T * A);
    prelu(units, sums, values, dense.offset("unit.alpha1"), B, T * A);
    const weights = this.#weights.take(B * T);
    fillRows(weights, 0, values, dense.offset("unit.b2"), B * T, 1);
    addXW(weights, 0, units, 0, values, dense.offset("unit.W2"), B * T, A, 1);
    for (let o = 0; o < weights.length; o++) weights[o] = sigmoid(weights[o]!);
    return weights;
  }

  /** From ∂/∂pooled, inside `dinput` [B,INPUTS], to the activation unit and the movie table. */
  #attendBackward(samples: NotebookSamples, rows: Int32Array, dinput: Float32Array): void {
    const B = rows.length;
    const dense = this.#dense, values = dense.values, movies = this.#movie.values;
    const gradients = this.#adam.gradients, adam = this.#movie.adam;
    const weights = this.#weights.current, units = this.#units.current, pairs = this.#pairs.current;
    const dweights = this.#dweights.take(B * T);
    for (let i = 0; i < B; i++) {
      const pooled = i * INPUTS + POOLED_AT;
      for (let j = 0; j < T; j++) {
        const id = samples.history[rows[i]! * T + j]!, a = weights[i * T + j]!;
        const g = adam.touch(id);
        let da = 0;
        for (let x = 0; x < E; x++) {
          da += dinput[pooled + x]! * movies[id * E + x]!;
          adam.gradients[g + x]! += a * dinput[pooled + x]!;
        }
        dweights[i * T + j] = da * a * (1 - a);
      }
    }
    addRowSum(gradients, dense.offset("unit.b2"), dweights, 0, B * T, 1);
    addXtY(gradients, dense.offset("unit.W2"), units, 0, dweights, 0, B * T, A, 1);
    const dunits = this.#dunits.zeros(B * T * A);
    addYWt(dunits, 0, dweights, 0, values, dense.offset("unit.W2"), B * T, A, 1);
    preluBackward(dunits, this.#sums.current, values, gradients, dense.offset("unit.alpha1"), B, T * A);
    addRowSum(gradients, dense.offset("unit.b1"), dunits, 0, B * T, A);
    addXtY(gradients, dense.offset("unit.W1"), pairs, 0, dunits, 0, B * T, PAIR, A);
    const dpairs = this.#dpairs.zeros(B * T * PAIR);
    addYWt(dpairs, 0, dunits, 0, values, dense.offset("unit.W1"), B * T, PAIR, A);
    for (let i = 0, o = 0; i < B; i++) {
      const q = samples.movie[rows[i]!]!, gq = adam.touch(q);
      for (let j = 0; j < T; j++, o += PAIR) {
        const h = samples.history[rows[i]! * T + j]!, gh = adam.touch(h);
        for (let x = 0; x < E; x++) {
          const difference = dpairs[o + x]!, product = dpairs[o + 3 * E + x]!;
          adam.gradients[gh + x]! += difference + dpairs[o + E + x]! + product * movies[q * E + x]!;
          adam.gradients[gq + x]! += dpairs[o + 2 * E + x]! - difference + product * movies[h * E + x]!;
        }
      }
    }
  }
}

function createTable(rows: number, draw: () => number): Block {
  const values = Float32Array.from({ length: rows * E }, draw);
  return { values, adam: new KerasAdam(values, { width: E }) };
}

/** A standard normal number, drawn again when beyond two deviations. */
function truncatedNormal(random: () => number): number {
  for (;;) {
    const x = normal(random);
    if (Math.abs(x) <= 2) return x;
  }
}

function copyRow(out: Float32Array, at: number, table: Float32Array, row: number): void {
  for (let x = 0; x < E; x++) out[at + x] = table[row * E + x]!;
}

function copyNumbers(out: Float32Array, at: number, numbers: Float32Array, row: number, width: number): void {
  for (let x = 0; x < width; x++) out[at + x] = numbers[row * width + x]!;
}

function addRow(adam: KerasAdam, row: number, gradient: Float32Array, at: number): void {
  const offset = adam.touch(row);
  for (let x = 0; x < E; x++) adam.gradients[offset + x]! += gradient[at + x]!;
}

/** The vector of an unknown genre is zero for good. */
function addGenre(adam: KerasAdam, genre: number, gradient: Float32Array, at: number): void {
  if (genre !== UNKNOWN_GENRE) addRow(adam, genre, gradient, at);
}
