/**
 * DIEN's attention in the authors' code: the activation unit of DIN between the states and a candidate projected to
 * their width, q' = q Wq + b. (There a PReLU follows, which the unit's own layers make redundant.)
 *
 * @module
 */

import type { Parameters, Shape } from "../kernels/parameters.ts";
import { ActivationUnit, activationUnitShapes } from "./activation_unit.ts";
import type { AttentionScore, ScoreGradients, ScoreInput } from "./attention.ts";
import { Mlp, mlpShapes } from "./mlp.ts";
import { Layer } from "./layer.ts";

/** Blocks of the projection under `query` and of the unit, under a prefix. */
export function projectedUnitShapes(
  prefix: string,
  hidden: number,
  d: number,
  widths: readonly number[],
): Record<string, Shape> {
  return { ...mlpShapes(`${prefix}.query`, [d, hidden]), ...activationUnitShapes(prefix, hidden, widths) };
}

/** An activation unit over h [T,H] and q Wq + b, with q [K,d]. */
export class ProjectedUnit extends Layer implements AttentionScore {
  readonly #query: Mlp;
  readonly #unit: ActivationUnit;
  readonly #dprojected = this.scratch();
  #projected: Float32Array = new Float32Array(0);

  /** Binds the blocks under `prefix`. */
  constructor(parameters: Parameters, prefix: string) {
    super(parameters);
    this.#query = new Mlp(parameters, `${prefix}.query`);
    this.#unit = new ActivationUnit(parameters, prefix);
  }

  forward({ T, K, h, q }: ScoreInput, keep: boolean): Float32Array {
    this.#query.input(K).set(q);
    this.#projected = this.#query.forward(K);
    return this.#unit.forward({ T, K, h, q: this.#projected }, keep);
  }

  backward({ T, K, h }: ScoreInput, ds: Float32Array, into: ScoreGradients): void {
    const dprojected = this.#dprojected.zeros(this.#projected.length);
    const inner = { h: into.h, q: dprojected, parameters: into.parameters };
    this.#unit.backward({ T, K, h, q: this.#projected }, ds, inner);
    const dq = this.#query.backward(dprojected, K, into.parameters);
    for (let o = 0; o < dq.length; o++) into.q[o]! += dq[o]!;
  }
}
