import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { KERNEL_NAMES } from "../../../src/nn/kernels/kernels.ts";
import { createModel } from "../../../src/nn/models/registry.ts";
import { runs } from "../kernels/all_kernels.ts";
import { goldenModelTests } from "./golden_models.ts";

for (const kernels of KERNEL_NAMES.filter(runs)) {
  goldenModelTests(
    `${kernels}: createModel()`,
    (name, sizes, config) => createModel(name, sizes, config, () => 0.5, createKernels(kernels)),
  );
}
