/**
 * A multi-layer perceptron, forward and backward: x W₁+b₁, activation, …, x Wₙ+bₙ (the last layer is linear).
 */

import type { Parameters, Shape } from "../kernels/parameters.ts";
import type { Scratch } from "../kernels/scratch.ts";
import { Layer } from "./layer.ts";

/** Activation of the hidden layers: PReLU with a slope per unit, or the logistic function. */
export type HiddenActivation = "prelu" | "sigmoid";

export interface MlpOptions {
  /** Activation of the hidden layers. @default {"prelu"} */
  readonly activation?: HiddenActivation;
  /** Number of the first layer, in the names of blocks. @default {1} */
  readonly first?: number;
}

/** Blocks `W1`, `b1`, `alpha1`, `W2`, … of an MLP with these widths, input first, under a prefix. */
export function mlpShapes(
  prefix: string,
  widths: readonly number[],
  options: MlpOptions = {},
): Record<string, Shape> {
  const { activation = "prelu", first = 1 } = options;
  const shapes: Record<string, Shape> = {};
  widths.slice(1).forEach((n, l) => {
    const layer = l + first;
    shapes[`${prefix}.W${layer}`] = [widths[l] ?? 0, n];
    shapes[`${prefix}.b${layer}`] = [n];
    if (activation === "prelu" && l + 2 < widths.length) shapes[`${prefix}.alpha${layer}`] = [n];
  });
  return shapes;
}

/** Blocks and working memory of one layer. */
interface Stage {
  readonly inputs: number;
  readonly outputs: number;
  /** Offsets of W, b and α in the parameters; α is −1 where there is none. */
  readonly w: number;
  readonly b: number;
  readonly alpha: number;
  readonly hidden: boolean;
  /** Input rows [m, inputs]: the activation of the layer before. */
  readonly x: Scratch;
  /** Sums before the activation [m, outputs]. */
  readonly s: Scratch;
  readonly dx: Scratch;
}

/**
 * An MLP over the blocks of {@linkcode mlpShapes}. Write rows into {@linkcode Mlp.input}, then call `forward`;
 * `backward` uses the forward pass before it.
 */
export class Mlp extends Layer {
  readonly #layers: readonly Stage[];

  constructor(parameters: Parameters, prefix: string, options: MlpOptions = {}) {
    super(parameters);
    const { first = 1 } = options;
    const layers: Stage[] = [];
    for (let l = first; parameters.shapes.has(`${prefix}.W${l}`); l++) {
      const [inputs, outputs] = this.sizesOf(`${prefix}.W${l}`);
      layers.push({
        inputs,
        outputs,
        w: parameters.offset(`${prefix}.W${l}`),
        b: parameters.offset(`${prefix}.b${l}`),
        alpha: parameters.shapes.has(`${prefix}.alpha${l}`) ? parameters.offset(`${prefix}.alpha${l}`) : -1,
        hidden: parameters.shapes.has(`${prefix}.W${l + 1}`),
        x: this.scratch(),
        s: this.scratch(),
        dx: this.scratch(),
      });
    }
    this.#layers = layers;
  }

  /** The input rows [m, widths[0]] to fill before {@linkcode Mlp.forward}. */
  input(m: number): Float32Array {
    const first = this.#layers[0];
    return first === undefined ? new Float32Array(0) : first.x.take(m * first.inputs);
  }

  /** Computes the output rows [m, last width]; valid until the next call. */
  forward(m: number): Float32Array {
    const values = this.parameters.values;
    let x = this.input(m);
    this.#layers.forEach(({ inputs, outputs, w, b, alpha, hidden, s: sums }, l) => {
      const s = sums.take(m * outputs);
      this.kernels.affine(s, 0, values, b, x, 0, values, w, m, inputs, outputs);
      x = s;
      const next = this.#layers[l + 1];
      if (!hidden || next === undefined) return;
      x = next.x.take(m * outputs);
      if (alpha >= 0) this.kernels.prelu(x, s, values, alpha, m, outputs);
      else this.kernels.sigmoid(x, s);
    });
    return x;
  }

  /** Given ∂/∂output [m, last width], adds to the gradients and returns ∂/∂input [m, widths[0]]. */
  backward(dy: Float32Array, m: number, gradients: Float32Array): Float32Array {
    const values = this.parameters.values;
    let ds = dy;
    for (let l = this.#layers.length - 1; l >= 0; l--) {
      const { inputs, outputs, w, b, alpha, hidden, x, s, dx } = this.#layers[l]!;
      if (hidden && alpha >= 0) {
        this.kernels.preluBackward(ds, s.take(m * outputs), values, gradients, alpha, m, outputs);
      } else if (hidden) {
        this.kernels.sigmoidBackward(ds, this.#layers[l + 1]!.x.take(m * outputs));
      }
      this.kernels.addRowSum(gradients, b, ds, 0, m, outputs);
      this.kernels.addXtY(gradients, w, x.take(m * inputs), 0, ds, 0, m, inputs, outputs);
      const back = dx.zeros(m * inputs);
      this.kernels.addYWt(back, 0, ds, 0, values, w, m, inputs, outputs);
      ds = back;
    }
    return ds;
  }
}
