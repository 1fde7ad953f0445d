/**
 * The implementations that the suites of this folder run over, and a test for each.
 *
 * @module
 */

import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { KERNEL_NAMES, type KernelName, type Kernels } from "../../../src/nn/kernels/kernels.ts";
import { SimdKernels } from "../../../src/nn/kernels/simd.ts";

/** Registers a test for every implementation of `names`; what this machine cannot run is skipped by name. */
export function overKernels(
  what: string,
  test: (kernels: Kernels) => void,
  names: readonly KernelName[] = KERNEL_NAMES,
): void {
  for (const name of names) {
    Deno.test({ name: `${name}: ${what}`, ignore: !runs(name), fn: () => test(createKernels(name)) });
  }
}

/** Whether this machine has the instructions for them. */
export function runs(name: KernelName): boolean {
  return name === "plain" || SimdKernels.supported(name);
}
