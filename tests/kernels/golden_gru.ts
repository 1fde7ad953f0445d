/**
 * Golden tests of the GRU and its attentional forms, for every implementation of them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type GruForm, gruShapes } from "../../src/kernels/gru.ts";
import type { Kernels } from "../../src/kernels/kernels.ts";
import { PLAIN } from "../../src/kernels/plain.ts";
import { Parameters } from "../../src/models/parameters.ts";
import { assertClose } from "../golden_vectors.ts";
import {
  assertBlocks,
  BACKWARD,
  flat,
  FORWARD,
  type GoldenCase,
  goldenModelTest,
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
    ...{ form, parameters, mask: matrix(mask), start: matrix(h0), fixed: matrix(fixed) },
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
  assertBlocks(parameters, got.parameters, grads.params, variant, "gru.");
  assertClose(got.x, flat(grads.inputs.x), BACKWARD, `${variant} gradient of x`);
  assertClose(got.start, flat(grads.inputs.h0), BACKWARD, `${variant} gradient of h0`);
  if (grads.inputs.a !== undefined) {
    assertClose(got.attention, flat(grads.inputs.a), BACKWARD, `${variant} gradient of a`);
  }
}

/** Registers the golden tests of one implementation, named `what`. */
export function goldenGruTests(what: string, fold: Fold, kernels: Kernels = PLAIN): void {
  goldenModelTest(`${what} of a GRU equals every state and gradient`, "gru.json", async (cases) => {
    for (const golden of Object.values(cases)) {
      await assertFold(fold, kernels, golden, "resetAfter", "gru");
      await assertFold(fold, kernels, golden, "resetBefore", "gruResetBefore");
    }
  });

  goldenModelTest(
    `${what} of the AUGRU forms equals every state and gradient`,
    "augru.json",
    async (cases) => {
      for (const golden of Object.values(cases)) {
        for (const form of ["augru", "agru", "aigru", "augruResetBefore", "official"] as const) {
          await assertFold(fold, kernels, golden, form, form);
        }
      }
    },
  );

  goldenModelTest(
    `${what} of keepScaled is the mistake that augru must not make`,
    "augru.json",
    async (cases) => {
      const { section7 } = cases;
      assert.ok(section7);
      // A published notebook's form, at a = 0, 0.3 and 1: a = 0 erases the state instead of keeping it.
      const mistake = [.072434, -.401011, .089378, -.4009, .128914, -.400639];
      assertClose((await run(fold, kernels, section7, "keepScaled")).got.final, mistake, 2e-6, "keepScaled");
      const paper = (await run(fold, kernels, section7, "augru")).got.final;
      mistake.forEach((wrong, i) => assert.ok(Math.abs((paper[i] ?? NaN) - wrong) > 8e-4, `augru[${i}]`));
    },
  );
}
