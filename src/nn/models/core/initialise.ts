/** Initial values of dense weights. */

import type { Parameters } from "../../kernels/parameters.ts";

const PRELU_SLOPE = 0.1;
/** Blocks whose columns are three gates. */
const GATES = /^(gru\d*|controller|miu)\./;

/**
 * Fills the blocks in order: matrices Glorot uniform, ±√(6/(inputs + outputs)), biases 0, PReLU slopes
 * (`alpha…`) 0.1. Each gate of a GRU's block counts as a matrix of its own.
 *
 * @param random uniform in [0, 1); called once per matrix element, so its seed determines every bit
 */
export function initialise(parameters: Parameters, random: () => number): void {
  for (const [name, [inputs = 0, outputs]] of parameters.shapes) {
    const block = parameters.block(name);
    if (outputs === undefined) {
      block.fill(/\.alpha\d*$/.test(name) ? PRELU_SLOPE : 0);
      continue;
    }
    const limit = Math.sqrt(6 / (inputs + (GATES.test(name) ? outputs / 3 : outputs)));
    for (let i = 0; i < block.length; i++) block[i] = (2 * random() - 1) * limit;
  }
}
