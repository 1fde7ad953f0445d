/**
 * Golden tests of Base, DIN and DIEN, for every implementation of the models.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ModelConfigs, ModelName } from "../../src/models/create.ts";
import type { Model, ModelSizes } from "../../src/models/model.ts";
import { assertBatch, goldenModelTest } from "./golden.ts";

/** Makes a model; its start weights do not matter. */
export type Make = <N extends ModelName>(
  name: N,
  sizes: ModelSizes,
  config: ModelConfigs[N],
) => Model | Promise<Model>;

const SIZES = { d: 4, user: 3, context: 2 };
const PAPER = { widths: [5, 3], dotHead: false } as const;

/** Registers the golden tests of one implementation, named `what`. */
export function goldenModelTests(what: string, make: Make): void {
  goldenModelTest(`${what} of base equals every value and gradient`, "base.json", async ({ main }) => {
    assert.ok(main);
    for (const pooling of ["mean", "sum"] as const) {
      assertBatch(await make("base", SIZES, { ...PAPER, pooling }), main, pooling, pooling);
    }
  });

  goldenModelTest(`${what} of din equals every value and gradient`, "din.json", async (cases) => {
    for (const norm of ["sigmoid", "softmax", "linear"] as const) {
      const din = await make("din", SIZES, { ...PAPER, attentionWidths: [5, 3], norm });
      for (const key of ["model", "candidates"]) {
        const golden = cases[key];
        assert.ok(golden, key);
        assertBatch(din, golden, norm, `${key} ${norm}`);
      }
    }
  });

  goldenModelTest(`${what} of dien equals every value and gradient`, "dien.json", async (cases) => {
    for (const [key, golden] of Object.entries(cases)) {
      for (const variant of Object.keys(golden.outputs)) {
        const inner = variant === "sigmoidInner";
        const dien = await make("dien", SIZES, {
          ...PAPER,
          hidden: 4,
          norm: inner ? "sigmoid" : variant as "softmax" | "sigmoid" | "maxnorm",
          auxiliary: inner ? "inner" : "mlp",
          auxiliaryWidths: [6, 4],
        });
        assertBatch(dien, golden, variant, `${key} ${variant}`);
      }
    }
  });
}
