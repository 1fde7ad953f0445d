/**
 * Chooses the kernels of a model.
 *
 * @module
 */

import type { KernelName, Kernels } from "./kernels.ts";
import { PLAIN } from "./plain.ts";
import { SimdKernels } from "./simd.ts";

/** The name of an implementation; `auto` picks the fastest that this machine runs. */
export type KernelChoice = "auto" | KernelName;

/**
 * Resolves a choice to an implementation of this machine.
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
 * @throws RangeError when an implementation is named that this machine cannot run, or there is no room for its
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
