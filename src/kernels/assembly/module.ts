/** All that the compiled module exports. */

export { dot, gemm } from "./gemm";
export { gruBackward, gruForward } from "./gru";
export {
  addRowSum,
  exp,
  addScaled,
  fillRows,
  mixRows,
  mixRowsBackward,
  prelu,
  preluBackward,
  sigmoid,
  sigmoidBackward,
  tanh,
} from "./rows";
