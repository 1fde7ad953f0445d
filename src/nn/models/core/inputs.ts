/** Binds a {@linkcode ModelInput}: checks shapes, and provides memory for its gradients. */

import { Part } from "../../layers/concat.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { Scratch } from "../../kernels/scratch.ts";
import type { HeadLoss } from "./head.ts";
import type { InputGradients, ModelInput, ModelSizes, TrainingInput } from "./model.ts";

/** The parts that every model has, and the gradients of the history. */
export class Inputs {
  /** User input, shared by the candidates. */
  readonly xu: Part;
  /** Candidate vectors. */
  readonly q: Part;
  /** Candidate and context input. */
  readonly xc: Part;
  readonly #sizes: ModelSizes;
  readonly #e: Scratch;
  readonly #negatives: Scratch;
  readonly #de: Scratch;
  readonly #dnegatives: Scratch;

  constructor(sizes: ModelSizes, kernels: Kernels) {
    this.#sizes = sizes;
    this.xu = new Part(sizes.user, true, kernels);
    this.q = new Part(sizes.d, false, kernels);
    this.xc = new Part(sizes.context, false, kernels);
    this.#e = new Scratch(kernels);
    this.#negatives = new Scratch(kernels);
    this.#de = new Scratch(kernels);
    this.#dnegatives = new Scratch(kernels);
  }

  /** The behaviours [T, d], in the memory of the kernels. */
  get e(): Float32Array {
    return this.#e.current;
  }

  /** The negatives of the bound training input [T, d], or empty. */
  get negatives(): Float32Array {
    return this.#negatives.current;
  }

  /** Binds the vectors of an impression. @throws TypeError when an array does not have the length that the sizes require */
  bind(input: ModelInput): void {
    const { d, user, context } = this.#sizes;
    this.bindBehaviours(input);
    check("q", input.q, input.K * d);
    check("xu", input.xu, user);
    check("xc", input.xc, input.K * context);
    this.xu.bind(input.xu);
    this.q.copy(input.q);
    this.xc.bind(input.xc);
  }

  /** Binds the behaviours alone. @throws TypeError like {@linkcode Inputs.bind} */
  bindBehaviours({ T, e }: Pick<ModelInput, "T" | "e">): void {
    check("e", e, T * this.#sizes.d);
    this.#e.take(e.length).set(e);
  }

  /** Zeroes ∂/∂e and ∂/∂negatives, and binds the negatives. @throws TypeError like {@linkcode Inputs.bind} */
  history(input: TrainingInput): HistoryZeros {
    const { T, K, wide, labels, weights, e, negatives } = input;
    check("wide", wide, K);
    check("labels", labels, K);
    check("weights", weights, K);
    if (negatives.length > 0) check("negatives", negatives, T * this.#sizes.d);
    this.#negatives.take(negatives.length).set(negatives);
    return { e: this.#de.zeros(e.length), negatives: this.#dnegatives.zeros(negatives.length) };
  }

  /** The result for an impression. */
  gradients(head: HeadLoss, aux: number, auxWeight: number): InputGradients {
    return {
      loss: head.loss + auxWeight * aux,
      aux,
      logits: head.logits,
      z: head.dz,
      e: this.#de.current,
      q: this.q.gradient,
      xu: this.xu.gradient,
      xc: this.xc.gradient,
      negatives: this.#dnegatives.current,
    };
  }
}

/** Zeroed gradients of a history. */
export interface HistoryZeros {
  readonly e: Float32Array;
  readonly negatives: Float32Array;
}

function check(name: string, array: Float32Array, length: number): void {
  if (array.length !== length) {
    throw new TypeError(
      `Cannot read ${name} as model input: its length is ${array.length}, the sizes require ${length}`,
    );
  }
}
