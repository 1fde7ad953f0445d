/** The base of all layers: blocks of parameters, the kernels that compute with them, and working memory. */

import type { Kernels } from "../kernels/kernels.ts";
import type { Parameters } from "../kernels/parameters.ts";
import { Scratch } from "../kernels/scratch.ts";

/** A layer over blocks of parameters. Its working memory grows to the largest call and stays that large. */
export abstract class Layer {
  /** The weights of the model, which include those of this layer. */
  protected readonly parameters: Parameters;
  /** The kernels that compute with them. */
  protected readonly kernels: Kernels;

  /** Creates a layer over blocks of these parameters. */
  constructor(parameters: Parameters) {
    this.parameters = parameters;
    this.kernels = parameters.kernels;
  }

  /** Empty working memory that the kernels use without copying. */
  protected scratch(): Scratch {
    return new Scratch(this.kernels);
  }

  /** The two sizes of a block, `[n]` being `[n, 0]`; zeros when there is no such block. */
  protected sizesOf(block: string): readonly [number, number] {
    const [rows = 0, columns = 0] = this.parameters.shapes.get(block) ?? [];
    return [rows, columns];
  }
}
