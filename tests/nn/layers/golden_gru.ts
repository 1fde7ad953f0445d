/**
 * Golden tests of the GRU and its attentional forms, for every implementation of them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type GruForm, gruShapes } from "../../../src/nn/layers/gru.ts";
import type { Kernels } from "../../../src/nn/kernels/kernels.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";
import { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { assertClose, goldenTest, type GoldenTestOptions } from "../../golden_vectors.ts";
import {
  assertBlocks,
  BACKWARD,
  flat,
  FORWARD,
  type GoldenCase,
  type Nested,
  rows,
  writeBlocks,
} from "../models/golden.ts";

/** A padded batch to fold; the weights are the blocks of `gru` in the parameters. */
export interface FoldInput {
  readonly form: GruForm;
  readonly parameters: Parameters;
  /** [B][T][n]. */
  readonly x: readonly (readonly (readonly number[])[])[];
  /** [B][T] each; attention is all ones for a form without. */
  readonly attention: readonly (readonly number[])[];
  readonly mask: readonly (readonly number[])[];
  /** [B][H] each. */
  readonly start: readonly (readonly number[])[];
  readonly fixed: readonly (readonly number[])[];
}

/** All arrays flat, row-major; gradients are those of Σ final·fixed. */
export interface FoldOutput {
  readonly states: readonly number[];
  readonly final: readonly number[];
  readonly parameters: Float32Array;
  readonly x: readonly number[];
  readonly attention: readonly number[];
  readonly start: readonly number[];
}

/** An implementation. */
export type Fold = (input: FoldInput) => FoldOutput | Promise<FoldOutput>;

async function run(fold: Fold, kernels: Kernels, golden: GoldenCase, form: GruForm) {
  const { x, mask, h0, fixed, a } = golden.inputs;
  const hidden = rows(rows(h0)[0]).length;
  const width = rows(rows(rows(x)[0])[0]).length;
  const parameters = new Parameters(gruShapes("gru", width, hidden), kernels);
  writeBlocks(parameters, golden.params, "gru.");
  const matrix = (nested: Nested | undefined) => rows(nested).map((row) => flat(row));
  const got = await fold({
    form,
    parameters,
    mask: matrix(mask),
    start: matrix(h0),
    fixed: matrix(fixed),
    x: rows(x).map((row) => matrix(row)),
    attention: a === undefined ? matrix(mask) : matrix(a),
  });
  return { got, parameters };
}

async function assertFold(
  fold: Fold,
  kernels: Kernels,
  golden: GoldenCase,
  variant: string,
  form: GruForm,
): Promise<void> {
  const { got, parameters } = await run(fold, kernels, golden, form);
  const outputs = golden.outputs[variant], grads = golden.grads[variant];
  assert.ok(outputs && grads, variant);
  assertClose(got.states, flat(outputs.states), FORWARD, `${variant} states`);
  assertClose(got.final, flat(outputs.final), FORWARD, `${variant} final`);
  const loss = got.final.reduce((sum, x, i) => sum + x * (flat(golden.inputs.fixed)[i] ?? NaN), 0);
  assertClose([loss], flat(outputs.loss), FORWARD, `${variant} loss`);
  assertBlocks(parameters, got.parameters, grads.params, variant, "gru.");
  assertClose(got.x, flat(grads.inputs.x), BACKWARD, `${variant} gradient of x`);
  assertClose(got.start, flat(grads.inputs.h0), BACKWARD, `${variant} gradient of h0`);
  if (form !== "gru" && form !== "gruResetBefore") {
    assertClose(got.attention, flat(grads.inputs.a), BACKWARD, `${variant} gradient of a`);
  }
}

/** Registers the golden tests of one implementation, named `what`. */
export function goldenGruTests(
  what: string,
  fold: Fold,
  kernels: Kernels = PLAIN,
  options: GoldenTestOptions = {},
): void {
  goldenTest<GoldenCase>(`${what} of a GRU equals every state and gradient`, "gru.json", async (cases) => {
    for (const golden of Object.values(cases)) {
      await assertFold(fold, kernels, golden, "resetAfter", "gru");
      await assertFold(fold, kernels, golden, "resetBefore", "gruResetBefore");
    }
  }, options);

  goldenTest<GoldenCase>(
    `${what} of the AUGRU forms equals every state and gradient`,
    "augru.json",
    async (cases) => {
      for (const golden of Object.values(cases)) {
        for (const form of ["augru", "agru", "aigru", "augruResetBefore", "official"] as const) {
          await assertFold(fold, kernels, golden, form, form);
        }
      }
    },
    options,
  );

  // The form of a published notebook: a = 0 erases the state instead of keeping it. At 1 − a it is the official form,
  // all else being equal.
  goldenTest<GoldenCase>(
    `${what} of keepScaled is the official form at 1 − a, the mistake that augru must not make`,
    "augru.json",
    async ({ main }) => {
      assert.ok(main);
      const { a, ...inputs } = main.inputs;
      const turned = rows(a).map((row) => flat(row).map((x) => 1 - x));
      const golden = { ...main, inputs: { ...inputs, a: turned } };
      const official = main.outputs.official, grads = main.grads.official;
      assert.ok(official && grads);
      const { got, parameters } = await run(fold, kernels, golden, "keepScaled");
      assertClose(got.states, flat(official.states), FORWARD, "keepScaled states");
      assertBlocks(parameters, got.parameters, grads.params, "keepScaled", "gru.");
      assertClose(got.attention.map((x) => -x), flat(grads.inputs.a), BACKWARD, "keepScaled gradient of a");
      const paper = flat(main.outputs.augru?.states), mistaken = await run(fold, kernels, main, "keepScaled");
      const apart = paper.map((x, i) => Math.abs(x - (mistaken.got.states[i] ?? NaN)));
      assert.ok(Math.max(...apart) > 0.1);
    },
    {
      ...options,
      claims: (path) =>
        /^(params|inputs\.(?!fixed)|outputs\.official\.states|grads\.official\.(params|inputs\.a))/.test(
          path,
        ),
    },
  );
}
