import assert from "node:assert/strict";
import { createModel, type ModelConfigs, type ModelName } from "../../src/models/create.ts";
import { assertBatch, goldenModelTest } from "./golden.ts";

const SIZES = { d: 4, user: 3, context: 2 };
const WIDTHS = { widths: [5, 3], dotHead: false } as const;
const zero = () => 0.5;

goldenModelTest("Base equals the vectors in every value and gradient", "base.json", ({ main }) => {
  for (const pooling of ["mean", "sum"] as const) {
    assert.ok(main);
    assertBatch(createModel("base", SIZES, { ...WIDTHS, pooling }, zero), main, pooling, `base ${pooling}`);
  }
});

goldenModelTest("DIN equals the vectors in every value and gradient", "din.json", ({ model, candidates }) => {
  for (const norm of ["sigmoid", "softmax", "linear"] as const) {
    assert.ok(model && candidates);
    const din = createModel("din", SIZES, { ...WIDTHS, attentionWidths: [5, 3], norm }, zero);
    assertBatch(din, model, norm, `din ${norm}`);
    assertBatch(din, candidates, norm, `din candidates ${norm}`);
  }
});

goldenModelTest("DIEN equals the vectors in every value and gradient", "dien.json", (cases) => {
  for (const [key, golden] of Object.entries(cases)) {
    for (const variant of Object.keys(golden.outputs)) {
      const inner = variant === "sigmoidInner";
      const dien = createModel("dien", SIZES, {
        ...WIDTHS,
        hidden: 4,
        norm: inner ? "sigmoid" : variant as "softmax" | "sigmoid" | "maxnorm",
        auxiliary: inner ? "inner" : "mlp",
        auxiliaryWidths: [6, 4],
      }, zero);
      assertBatch(dien, golden, variant, `dien ${key} ${variant}`);
    }
  }
});
