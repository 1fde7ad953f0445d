/**
 * Golden tests of Base, DIN and DIEN, for every implementation of the models.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ModelConfigs, ModelName } from "../../../src/nn/models/registry.ts";
import type { Model, ModelSizes } from "../../../src/nn/models/core/model.ts";
import { goldenTest, type GoldenTestOptions } from "../../golden_vectors.ts";
import { assertBatch, type GoldenCase, sizesOf, widthsOf } from "./golden.ts";

/** Makes a model; its start weights do not matter. */
export type Make = <N extends ModelName>(
  name: N,
  sizes: ModelSizes,
  config: ModelConfigs[N],
) => Model | Promise<Model>;

const paper = (golden: GoldenCase) => ({ widths: widthsOf(golden, "mlp"), dotHead: false });

/** Intermediate values of DIEN are left to the tests of its parts. */
const INNER = /\.(h|score|attention|final|mean|w|v)$/;

/** The inner product has no weights: those of the MLP are in the vectors, with gradients of zero. */
export const UNUSED = /sigmoidInner\.params\.aux/;

/** Makes the configuration of a variant of dien.json. */
export function dienConfig(golden: GoldenCase, variant: string): ModelConfigs["dien"] {
  const inner = variant === "sigmoidInner";
  return {
    pooling: "mean",
    inputGain: 1,
    ...paper(golden),
    hidden: sizesOf(golden).d,
    auxiliaryWidths: widthsOf(golden, "aux"),
    norm: inner ? "sigmoid" : variant as "softmax" | "sigmoid" | "maxnorm",
    auxiliary: inner ? "inner" : "mlp",
  };
}

/** Makes the configuration of a variant of din.json. */
export function dinConfig(golden: GoldenCase, norm: "sigmoid" | "softmax" | "linear"): ModelConfigs["din"] {
  return { ...paper(golden), keepPooled: false, attentionWidths: widthsOf(golden, "attention"), norm };
}

/** Makes the configuration of a variant of base.json. */
export function baseConfig(golden: GoldenCase, pooling: "mean" | "sum"): ModelConfigs["base"] {
  return { ...paper(golden), product: false, pooling };
}

/** Variants by file: none may be missing. */
export const POOLINGS = ["mean", "sum"] as const;
export const NORMS = ["sigmoid", "softmax", "linear"] as const;

/** Every variant of every case of dien.json. */
export function dienVariants(cases: Readonly<Record<string, GoldenCase>>) {
  for (const norm of ["softmax", "sigmoid", "maxnorm", "sigmoidInner"]) {
    assert.ok(cases.main?.outputs[norm], norm);
  }
  assert.ok(cases.candidates?.outputs.softmax);
  return Object.entries(cases).flatMap(([key, golden]) =>
    Object.keys(golden.outputs).map((variant) => ({ golden, variant, what: `${key} ${variant}` }))
  );
}

/** Registers the golden tests of one implementation, named `what`. */
export function goldenModelTests(what: string, make: Make, options: GoldenTestOptions = {}): void {
  goldenTest<GoldenCase>(`${what} of base equals every value and gradient`, "base.json", async ({ main }) => {
    assert.ok(main);
    for (const pooling of POOLINGS) {
      assertBatch(await make("base", sizesOf(main), baseConfig(main, pooling)), main, pooling, pooling);
    }
  }, options);

  goldenTest<GoldenCase>(
    `${what} of din equals every value and gradient`,
    "din.json",
    async (cases) => {
      for (const key of ["model", "candidates"]) {
        const golden = cases[key] ?? assert.fail(key);
        for (const norm of NORMS) {
          const din = await make("din", sizesOf(golden), dinConfig(golden, norm));
          assertBatch(din, golden, norm, `${key} ${norm}`);
        }
      }
    },
    { ...options, claims: (path) => path.startsWith("cases.") && !INNER.test(path) },
  );

  goldenTest<GoldenCase>(
    `${what} of dien equals every value and gradient`,
    "dien.json",
    async (cases) => {
      for (const { golden, variant, what } of dienVariants(cases)) {
        assertBatch(await make("dien", sizesOf(golden), dienConfig(golden, variant)), golden, variant, what);
      }
    },
    {
      ...options,
      claims: (path) => !(/^(cases\.\w+\.)?outputs\./.test(path) && INNER.test(path)) && !UNUSED.test(path),
    },
  );
}
