/**
 * Prints, as JSON, which kernels this processor gets by default, and a digest of what DIEN learns with each that it runs.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createKernels, resolveKernels } from "../../../src/nn/kernels/choose.ts";
import { KERNEL_NAMES } from "../../../src/nn/kernels/kernels.ts";
import { createModel } from "../../../src/nn/models/registry.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { batches, makeLearner, makeModel, makeSamples } from "../../learner/batches.ts";
import { runs } from "./all_kernels.ts";

const digests = KERNEL_NAMES.filter(runs).map((name) => {
  const { sizes } = makeModel("dien");
  const model = createModel(
    "dien",
    sizes,
    { hidden: 9, widths: [13, 5] },
    mulberry32(1),
    createKernels(name),
  );
  const learner = makeLearner(model);
  for (const batch of batches(makeSamples(160))) learner.learn(batch);
  return [name, createHash("sha256").update(learner.encode()).digest("hex")];
});
const answer = JSON.stringify({ chosen: resolveKernels("auto"), digests: Object.fromEntries(digests) });
await Deno.stdout.write(new TextEncoder().encode(answer));
