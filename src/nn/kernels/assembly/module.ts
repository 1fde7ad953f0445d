/** The exports of the compiled module. */

/** Where free memory begins, after the module's own data. */
export const heapBase: usize = __heap_base;

export { dot } from "./dot";
export { gemm } from "./gemm";
export { gruBackward, gruForward } from "./gru";
export {
  addRows,
  addRowSum,
  clear,
  mixRows,
  mixRowsBackward,
  prelu,
  preluBackward,
  sigmoid,
  sigmoidBackward,
  tanh,
} from "./rows";
