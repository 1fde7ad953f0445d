/**
 * DIEN's interest evolving layer: a GRU over the extractor's states, in which each counts as much as a candidate attends
 * to it.
 *
 * ```text
 * a_t = norm(s(h_t, q))               s bilinear; without attention a_t = 1
 * h'_t = AUGRU(h_t, h'_{t−1}, a_t)
 * ```
 */

import type { Parameters } from "../../kernels/parameters.ts";
import {
  type AttentionNorm,
  normalise,
  normaliseBackward,
  type ScoreGradients,
  type ScoreInput,
} from "../../layers/attention.ts";
import { Bilinear } from "../../layers/bilinear.ts";
import { type AttentionalForm, Gru, type GruRun } from "../../layers/gru.ts";
import { Layer } from "../../layers/layer.ts";

// T behaviours, K candidates, H hidden

const NONE = new Float32Array(0);

export interface EvolutionOptions {
  /** From scores to weights; `null` = no attention. */
  readonly norm: AttentionNorm | null;
  /** How attention enters the GRU. */
  readonly form: AttentionalForm;
}

/** The layer over the blocks `attention` and `gru2`. `backward` follows a `run` with `keep`. */
export class InterestEvolution extends Layer {
  readonly #attention: Bilinear;
  readonly #gru: Gru;
  readonly #norm: AttentionNorm | null;
  readonly #weights = this.scratch();
  #scores: Float32Array = NONE;
  #run: GruRun = { T: 0, K: 0, xw: NONE, keep: false };

  constructor(parameters: Parameters, { norm, form }: EvolutionOptions) {
    super(parameters);
    this.#attention = new Bilinear(parameters, "attention");
    this.#gru = new Gru(parameters, "gru2", form);
    this.#norm = norm;
  }

  /** Attention of each candidate to each behaviour in the last run [K, T]. */
  get weights(): Float32Array {
    return this.#weights.current;
  }

  /** The last states h'_T [K, H]; valid until the next call. */
  run(input: ScoreInput, keep: boolean): Float32Array {
    const { T, K, h } = input;
    this.#scores = this.#attention.forward(input);
    const attention = this.#weights.take(K * T);
    if (this.#norm === null) attention.fill(1);
    else normalise(attention, this.#scores, T, this.#norm, this.kernels);
    this.#run = { T, K, xw: this.#gru.project(h, T), attention, keep };
    const states = this.#gru.run(this.#run);
    return states.subarray(states.length - K * this.#gru.hidden);
  }

  /** Adds the gradients of the last run. @param dlast ∂/∂h'_T [K, H] */
  backward(input: ScoreInput, dlast: Float32Array, into: ScoreGradients): void {
    const { T, h } = input;
    const { xw, attention } = this.#gru.backward(this.#run, dlast, NONE, into.parameters);
    this.#gru.projectBackward(into.h, h, xw, T, into.parameters);
    if (this.#norm === null) return;
    normaliseBackward(attention, this.weights, this.#scores, T, this.#norm);
    this.#attention.backward(input, attention, into);
  }
}
