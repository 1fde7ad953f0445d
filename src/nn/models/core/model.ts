/**
 * The interface of models, with their inputs and outputs.
 *
 * A model is the dense part: it sees vectors, not ids. Embedding rows are gathered before a call and their gradients
 * scattered after it by the caller. One call handles one impression: a history of T behaviours shared by K candidates.
 * Masked (padded) behaviours are not passed at all, which is equivalent to carrying the state over masked steps.
 *
 * Letters: T behaviours, K candidates, d item vector (id ⊕ category), H hidden, U user input, C candidate
 * input. All arrays are row-major Float32Array.
 */

import type { Capabilities } from "./capabilities.ts";
import type { Panel } from "./panel.ts";
import type { Parameters } from "../../kernels/parameters.ts";

/** Sizes that a model is built for. */
export interface ModelSizes {
  /** Width d of an item or behaviour vector. */
  readonly d: number;
  /** Width U of the user input x_u. */
  readonly user: number;
  /** Width C of the candidate/context input x_c. */
  readonly context: number;
}

/** The K candidates of one impression, to be scored. */
export interface ModelInput {
  /** Number of behaviours T, at least 0. */
  readonly T: number;
  /** Number of candidates K, at least 1. */
  readonly K: number;
  /** Behaviour vectors [T, d], oldest first. */
  readonly e: Float32Array;
  /** Candidate vectors [K, d]. */
  readonly q: Float32Array;
  /** User input [U]. */
  readonly xu: Float32Array;
  /** Candidate and context input [K, C]. */
  readonly xc: Float32Array;
  /**
   * The user's state before e_1, for lifelong models; others ignore it. A constant without gradient. Absent: the
   * initial state.
   */
  readonly state?: Float32Array | undefined;
}

/** A {@linkcode ModelInput} with outcomes. */
export interface TrainingInput extends ModelInput {
  /** Added to each logit before the loss [K]: first-order weights, prior, corrections. */
  readonly wide: Float32Array;
  /** Outcomes in {0, 1} [K]. */
  readonly labels: Float32Array;
  /** Weight of each candidate's loss [K], 1/(number of rows in the batch) for a mean. */
  readonly weights: Float32Array;
  /** Sampled negatives aligned with e [T, d]; row 0 is not used. Empty = no auxiliary loss. */
  readonly negatives: Float32Array;
  /** Factor of the auxiliary loss of this impression. */
  readonly auxWeight: number;
}

/** Gradients with respect to the inputs, in the shapes of {@linkcode TrainingInput}; overwritten by each call. */
export interface InputGradients {
  /** Σ weights·(loss of the candidates + regularisation) plus auxWeight·auxiliary loss. */
  readonly loss: number;
  /** The unweighted auxiliary loss; 0 without one. */
  readonly aux: number;
  /** A regularisation of the state (MIMN), in `loss` once per unit of weight; absent in other models. */
  readonly regularisation?: number;
  /** Final logits z = model + wide [K]. */
  readonly logits: Float32Array;
  /** ∂loss/∂z [K]: also the gradient with respect to `wide`. */
  readonly z: Float32Array;
  /** ∂loss/∂e [T, d]. */
  readonly e: Float32Array;
  /** ∂loss/∂q [K, d]. */
  readonly q: Float32Array;
  /** ∂loss/∂xu [U], summed over the candidates. */
  readonly xu: Float32Array;
  /** ∂loss/∂xc [K, C]. */
  readonly xc: Float32Array;
  /** ∂loss/∂negatives [T, d]; empty without an auxiliary loss. */
  readonly negatives: Float32Array;
}

/** A click model. */
export interface Model {
  /** Its name in the registry. */
  readonly name: string;
  /** What it can do. */
  readonly capabilities: Capabilities;
  /** The sizes it was built for. */
  readonly sizes: ModelSizes;
  /** The dense weights; training writes into them. */
  readonly parameters: Parameters;
  /** Length of the recurrent state in floats; 0 without one. */
  readonly stateSize: number;
  /** How precisely a lifelong state is stored; see `StateStretches`. Absent: in single precision. */
  readonly stretches?: readonly number[];
  /** The state of a user without behaviours. */
  initState(): Float32Array;
  /** Folds one behaviour vector e [d] into the state, in place, at a cost that does not depend on the history. */
  step(state: Float32Array, e: Float32Array): void;
  /**
   * Logits [K] without the wide part. Pure: changes neither input nor parameters.
   *
   * @throws TypeError when an array does not have the length that the sizes require
   */
  score(input: ModelInput): Float32Array;
  /** How much each candidate weighs each behaviour [K, T] or each part of the state [K, m], as `looks` says. Pure. */
  look?(input: ModelInput): Float32Array;
  /** Panels that show a state; empty for an initial state. Absent: the model has no panels. */
  inspect?(state: Float32Array): readonly Panel[];
  /**
   * Weighted logistic loss of the impression. Adds ∂loss/∂parameters to `gradients` (same layout as
   * {@linkcode Model.parameters}) and returns the gradients with respect to the inputs.
   *
   * @throws TypeError when an array does not have the length that the sizes require
   */
  loss(input: TrainingInput, gradients: Float32Array): InputGradients;
}
