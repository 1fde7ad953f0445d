/** Chooses the kernels of a model. */

import type { KernelName, Kernels } from "./kernels.ts";
import { PLAIN } from "./plain.ts";
import { SimdKernels } from "./simd.ts";

/** The name of an implementation; `auto` picks the fastest that this machine runs. */
export type KernelChoice = "auto" | KernelName;

/**
 * Resolves `auto` to the fastest implementation that this machine runs, and a name to itself.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { resolveKernels } from "@meander/meander/nn";
 *
 * assert.equal(resolveKernels("plain"), "plain");
 * ```
 */
export function resolveKernels(choice: KernelChoice): KernelName {
  if (choice !== "auto") return choice;
  return (["relaxed-simd", "simd"] as const).find((name) => SimdKernels.supported(name)) ?? "plain";
}

/**
 * Makes kernels for one model, with their own memory.
 *
 * @throws RangeError when this machine cannot run the implementation that is named, or has no room for its
 * memory.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createKernels } from "@meander/meander/nn";
 *
 * const { floats, name } = createKernels("plain");
 * assert.equal(name, "plain");
 * assert.deepEqual(floats(2), new Float32Array(2));
 * ```
 */
export function createKernels(choice: KernelChoice = "auto"): Kernels {
  const name = resolveKernels(choice);
  return name === "plain" ? PLAIN : new SimdKernels(name);
}
