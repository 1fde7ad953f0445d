/**
 * The memory induction unit of MIMN: each slot has a channel S_i that follows the behaviours which read it. Per step
 * the κ channels with the largest read weights are updated, the others keep their state:
 *
 * ```text
 * S_i' = GRU([stopgrad(M_i) ; e], S_i)        M before the write; one GRU for all channels
 * ```
 *
 * No gradient reaches the memory: the choice has no derivative, and M_i is a constant here.
 */

import type { Parameters, Shape } from "../../kernels/parameters.ts";
import { gruShapes } from "../../layers/gru.ts";
import { RowGru } from "../../layers/memory_gru.ts";
import { Layer } from "../../layers/layer.ts";

// T steps, m channels, d width of slots, behaviours and channels; κ rows per step

/** Blocks of the GRU `miu` [2d → d]. */
export function inductionShapes(width: number): Record<string, Shape> {
  return gruShapes("miu", 2 * width, width);
}

export interface InductionInput {
  /** Steps T. */
  readonly T: number;
  /** Behaviours [T, d]. */
  readonly e: Float32Array;
  /** M before each step [T, m, d]. */
  readonly memory: Float32Array;
  /** Read and write weights [T, 2, m], of which the unit uses the first. */
  readonly weights: Float32Array;
}

/** The unit over the blocks of {@linkcode inductionShapes}. `backward` follows a `run`. */
export class InductionUnit extends Layer {
  /** Channels [m, d], after the last step. */
  readonly channels: Float32Array;
  readonly #slots = this.sizesOf("slotKeys")[0];
  readonly #width = this.sizesOf("slotKeys")[1];
  readonly #topK: number;
  readonly #gru: RowGru;
  readonly #x = this.scratch();
  readonly #dx = this.scratch();
  #chosen = new Uint8Array(0);

  /** Binds the blocks; κ = `topK` of the slots of the block `slotKeys` are chosen. */
  constructor(parameters: Parameters, topK: number) {
    super(parameters);
    this.#topK = Math.min(topK, this.#slots);
    this.channels = this.kernels.floats(this.#slots * this.#width);
    this.#gru = new RowGru(parameters, "miu");
  }

  /** Channels chosen at each step [T, κ], largest read weight first; ties by lowest index. */
  get chosen(): Uint8Array {
    return this.#chosen;
  }

  /** Folds T steps into a copy of `start` [m, d]. */
  run({ T, e, memory, weights }: InductionInput, start: Float32Array): void {
    const m = this.#slots, d = this.#width, rows = T * this.#topK;
    this.channels.set(start);
    if (this.#chosen.length !== rows) this.#chosen = new Uint8Array(rows);
    const x = this.#x.take(rows * 2 * d);
    for (let t = 0, row = 0; t < T; t++) {
      this.#choose(t, weights);
      for (let k = 0; k < this.#topK; k++, row++) {
        const slot = (t * m + this.#chosen[row]!) * d, at = row * 2 * d;
        for (let j = 0; j < d; j++) {
          x[at + j] = memory[slot + j]!;
          x[at + d + j] = e[t * d + j]!;
        }
      }
    }
    this.#gru.begin(rows);
    this.#gru.addInput(0, rows, x, 0, 0, 2 * d);
    for (let row = 0; row < rows; row++) {
      const at = this.#chosen[row]! * d;
      this.#gru.forward(row, this.channels, at, at);
    }
  }

  #choose(t: number, weights: Float32Array): void {
    const m = this.#slots, at = 2 * t * m, from = t * this.#topK;
    for (let k = 0; k < this.#topK; k++) {
      let best = -1;
      for (let i = 0; i < m; i++) {
        if (best >= 0 && weights[at + i]! <= weights[at + best]!) continue;
        if (this.#chosen.subarray(from, from + k).includes(i)) continue;
        best = i;
      }
      this.#chosen[from + k] = best;
    }
  }

  /** Given dchannels [m, d], which become ∂/∂start, adds to de [T, d] and to the parameters' gradients. */
  backward(dchannels: Float32Array, de: Float32Array, gradients: Float32Array): void {
    const d = this.#width, rows = this.#chosen.length;
    this.#gru.beginBackward();
    for (let row = rows - 1; row >= 0; row--) this.#gru.backward(row, dchannels, this.#chosen[row]! * d);
    this.#gru.finish(rows, gradients);
    this.#gru.addWeightGradient(rows, this.#x.current, 0, 2 * d, gradients);
    const dx = this.#dx.zeros(rows * d);
    this.#gru.addInputGradient(0, rows, dx, d, d);
    for (let row = 0, o = 0; row < rows; row++) {
      const at = Math.floor(row / this.#topK) * d;
      for (let j = 0; j < d; j++, o++) de[at + j]! += dx[o]!;
    }
  }
}
