/**
 * Starts tfjs: the only place that knows its back ends.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";

/** Back ends that the reference runs on: `cpu` is deterministic plain JavaScript, `wasm` is faster. */
export type Backend = "cpu" | "wasm";

/** Arrays by name, as tensors. */
export type Weights = Readonly<Record<string, tf.Tensor>>;

/** Starts tfjs on a back end; the whole process has one, the last that was started. */
export async function startTensorflow(backend: Backend = "cpu"): Promise<void> {
  // tfjs recommends its native binding, at length, wherever it takes itself to be in Node.
  tf.env().set("IS_NODE", false);
  if (backend === "wasm") {
    const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
    // Outside Node, tfjs would start threads, by a path that Deno's workers do not support.
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    const entry = import.meta.resolve("@tensorflow/tfjs-backend-wasm");
    setWasmPaths(new URL("../wasm-out/", entry).pathname);
  }
  if (!await tf.setBackend(backend)) throw new Error(`Cannot start tfjs on the back end ${backend}`);
  await tf.ready();
}

/** The tensor of a name. @throws RangeError when there is none. */
export function weight(weights: Weights, name: string): tf.Tensor {
  const found = weights[name];
  if (found === undefined) {
    throw new RangeError(`Cannot take ${name} of the weights: there are ${Object.keys(weights).join(", ")}`);
  }
  return found;
}
