/** The output head that all models share: an MLP over parts side by side, plus inner products of parts. */

import {
  addDot,
  addDotBackward,
  type Column,
  concat,
  concatBackward,
  type Part,
} from "../../layers/concat.ts";
import { weightedLogisticLoss } from "../../layers/weighted_loss.ts";
import { Mlp } from "../../layers/mlp.ts";
import type { TrainingInput } from "./model.ts";
import type { Parameters } from "../../kernels/parameters.ts";
import { Layer } from "../../layers/layer.ts";

/** What {@linkcode Head.loss} computes; the arrays are valid until the next call. */
export interface HeadLoss {
  /** Σ weights·loss of the candidates. */
  readonly loss: number;
  /** Final logits [K]. */
  readonly logits: Float32Array;
  /** ∂loss/∂logits [K]. */
  readonly dz: Float32Array;
}

/** z = MLP(columns) + Σ ⟨a, b⟩, with the MLP's blocks under `mlp`. */
export class Head extends Layer {
  readonly #mlp: Mlp;
  readonly #columns: readonly Column[];
  readonly #dots: readonly (readonly [Part, Part])[];
  readonly #z = this.scratch();
  readonly #dz = this.scratch();

  /** Binds the MLP, the columns of its input and the inner products. */
  constructor(
    parameters: Parameters,
    columns: readonly Column[],
    dots: readonly (readonly [Part, Part])[],
  ) {
    super(parameters);
    this.#mlp = new Mlp(parameters, "mlp");
    this.#columns = columns;
    this.#dots = dots;
  }

  /** Logits [K] of the bound parts; valid until the next call. */
  logits(K: number): Float32Array {
    concat(this.#mlp.input(K), K, this.#columns);
    const z = this.#z.take(K);
    z.set(this.#mlp.forward(K));
    for (const pair of this.#dots) addDot(z, K, pair);
    return z;
  }

  /** Weighted logistic loss; adds the gradients of the parameters and of the bound parts. */
  loss({ K, wide, labels, weights }: TrainingInput, gradients: Float32Array): HeadLoss {
    const z = this.logits(K);
    for (let k = 0; k < K; k++) z[k]! += wide[k]!;
    const dz = this.#dz.take(K);
    const loss = weightedLogisticLoss(dz, z, labels, weights);
    for (const pair of this.#dots) addDotBackward(dz, K, pair);
    concatBackward(this.#mlp.backward(dz, K, gradients), K, this.#columns);
    return { loss, logits: z, dz };
  }
}
