/**
 * Binding of a {@linkcode ModelInput}: shape checks, and memory for the gradients that go back.
 *
 * @module
 */

import { Part } from "../kernels/concat.ts";
import { Scratch } from "../kernels/scratch.ts";
import type { HeadLoss } from "./head.ts";
import type { InputGradients, ModelInput, ModelSizes, TrainingInput } from "./model.ts";

/** The parts every model has, and the gradients of the history. */
export class Inputs {
  /** User input, shared by the candidates. */
  readonly xu: Part;
  /** Candidate vectors. */
  readonly q: Part;
  /** Candidate and context input. */
  readonly xc: Part;
  readonly #sizes: ModelSizes;
  readonly #e = new Scratch();
  readonly #negatives = new Scratch();

  /** Makes parts for these sizes. */
  constructor(sizes: ModelSizes) {
    this.#sizes = sizes;
    this.xu = new Part(sizes.user, true);
    this.q = new Part(sizes.d, false);
    this.xc = new Part(sizes.context, false);
  }

  /** Takes the vectors of an impression. @throws TypeError when an array has another shape than the sizes say. */
  bind(input: ModelInput): void {
    const { d, user, context } = this.#sizes;
    check("e", input.e, input.T * d);
    check("q", input.q, input.K * d);
    check("xu", input.xu, user);
    check("xc", input.xc, input.K * context);
    this.xu.bind(input.xu);
    this.q.bind(input.q);
    this.xc.bind(input.xc);
  }

  /** Zeros for ∂/∂e and ∂/∂negatives. @throws TypeError as {@linkcode Inputs.bind}. */
  history(input: TrainingInput): { readonly e: Float32Array; readonly negatives: Float32Array } {
    const { T, K, wide, labels, weights, negatives } = input;
    check("wide", wide, K);
    check("labels", labels, K);
    check("weights", weights, K);
    if (negatives.length > 0) check("negatives", negatives, T * this.#sizes.d);
    return { e: this.#e.zeros(input.e.length), negatives: this.#negatives.zeros(negatives.length) };
  }

  /** Everything that goes back to the caller. */
  gradients(head: HeadLoss, aux: number, auxWeight: number): InputGradients {
    return {
      loss: head.loss + auxWeight * aux,
      aux,
      logits: head.logits,
      z: head.dz,
      e: this.#e.current,
      q: this.q.gradient,
      xu: this.xu.gradient,
      xc: this.xc.gradient,
      negatives: this.#negatives.current,
    };
  }
}

function check(name: string, array: Float32Array, length: number): void {
  if (array.length !== length) {
    throw new TypeError(
      `Cannot read ${name} as model input: its length is ${array.length}, the sizes ask for ${length}`,
    );
  }
}
