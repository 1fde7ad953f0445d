/**
 * DIEN's interest extractor layer: a GRU over the behaviours, whose states are the user's, and the auxiliary loss by
 * which a state learns to predict the next behaviour.
 *
 * ```text
 * h_t = GRU(gain·e_t, h_{t−1})
 * ```
 */

import type { Parameters } from "../../kernels/parameters.ts";
import { Gru, type GruRun } from "../../layers/gru.ts";
import { Layer } from "../../layers/layer.ts";
import type { TrainingInput } from "../core/model.ts";
import { Auxiliary, type AuxiliaryScore } from "./auxiliary.ts";

// T behaviours, d their width, H hidden

const NONE = new Float32Array(0);

export interface ExtractorOptions {
  /** Width d of a behaviour. */
  readonly d: number;
  /** Factor of the behaviours at the input. */
  readonly gain: number;
  /** How a state scores a behaviour. */
  readonly auxiliary: AuxiliaryScore;
}

/** A history's behaviours and their negatives [T, d], as bound to the model. */
interface History extends Pick<TrainingInput, "e" | "negatives"> {
  /** Factor of the auxiliary loss. */
  readonly auxWeight: number;
}

/** The extractor over the blocks `gru1` and `aux`. `backward` follows a `run`. */
export class InterestExtractor extends Layer {
  readonly #gru: Gru;
  readonly #auxiliary: Auxiliary;
  readonly #gain: number;
  readonly #x = this.scratch();
  readonly #dx = this.scratch();
  readonly #dh = this.scratch();
  #run: GruRun = { T: 0, K: 1, xw: NONE, keep: true };
  #h: Float32Array = NONE;

  /** @throws RangeError like {@linkcode Auxiliary} */
  constructor(parameters: Parameters, { d, gain, auxiliary }: ExtractorOptions) {
    super(parameters);
    this.#gru = new Gru(parameters, "gru1", "gru");
    this.#auxiliary = new Auxiliary(parameters, "aux", auxiliary, this.#gru.hidden, d);
    this.#gain = gain;
  }

  /** One step, in place: bit for bit equal to {@linkcode InterestExtractor.run}. */
  step(state: Float32Array, e: Float32Array): void {
    const xw = this.#gru.project(this.#scale(e), 1);
    state.set(this.#gru.run({ T: 1, K: 1, xw, start: state, keep: false }));
  }

  /** The states [T, H] of the behaviours e [T, d]; valid until the next call. */
  run(T: number, e: Float32Array): Float32Array {
    this.#run = { T, K: 1, xw: this.#gru.project(this.#scale(e), T), keep: true };
    return this.#h = this.#gru.run(this.#run).subarray(this.#gru.hidden);
  }

  /** ∂/∂h [T, H] of the last run, zeroed. */
  zeros(): Float32Array {
    return this.#dh.zeros(this.#h.length);
  }

  /**
   * Adds the gradients of the last run and of the auxiliary loss.
   *
   * @param dh What {@linkcode InterestExtractor.zeros} gave, with the gradients of whatever reads the states
   * @param into Where ∂/∂e and ∂/∂negatives are added
   * @returns the unweighted auxiliary loss; 0 without negatives
   */
  backward(
    dh: Float32Array,
    { e, negatives, auxWeight }: History,
    into: { readonly e: Float32Array; readonly negatives: Float32Array },
    gradients: Float32Array,
  ): number {
    const { T } = this.#run;
    const of = { T, weight: auxWeight, h: this.#h, e, negatives, dh, de: into.e, dnegatives: into.negatives };
    const loss = negatives.length === 0 ? 0 : this.#auxiliary.loss(of, gradients);
    const { xw } = this.#gru.backward(this.#run, NONE, dh, gradients);
    const dx = this.#dx.zeros(e.length);
    this.#gru.projectBackward(dx, this.#x.current, xw, T, gradients);
    for (let o = 0; o < dx.length; o++) into.e[o]! += this.#gain * dx[o]!;
    return loss;
  }

  #scale(e: Float32Array): Float32Array {
    const x = this.#x.take(e.length);
    if (this.#gain === 1) x.set(e);
    else for (let o = 0; o < x.length; o++) x[o] = this.#gain * e[o]!;
    return x;
  }
}
