/**
 * Golden tests of MIMN, for every implementation of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MimnConfig } from "../../../src/nn/models/mimn/options.ts";
import { MimnLayout, type MimnState } from "../../../src/nn/models/mimn/state.ts";
import type { Model, ModelSizes } from "../../../src/nn/models/core/model.ts";
import { assertClose, goldenTest, type GoldenTestOptions } from "../../golden_vectors.ts";
import {
  assertBatch,
  assertBlocks,
  assertInputs,
  flat,
  FORWARD,
  type GoldenCase,
  type Nested,
  rows,
  runBatch,
  sizesOf,
  type Tree,
  widthsOf,
  writeBlocks,
} from "./golden.ts";

/** Makes a model; its start weights do not matter. */
export type MakeMimn = (sizes: ModelSizes, config: MimnConfig) => Model | Promise<Model>;

export function mimnSizes({ params }: GoldenCase): { slots: number; width: number; controller: number } {
  const slots = rows(params.M0 as Nested).length, width = flat(params.r0 as Nested).length;
  return { slots, width, controller: flat((params.controller as Tree).bu as Nested).length };
}

/** The layout of the states of a case. */
function layoutOf(golden: GoldenCase): MimnLayout {
  return new MimnLayout({ ...mimnSizes(golden), traces: 0 });
}

/** The cases of the whole model, each with one variant of its own name. */
export const MIMN_CASES = ["main", "kappa2", "slotKeysOnly", "clip", "holes", "window"] as const;

/** Names of a state's parts in the vectors. */
export const MIMN_PARTS: Readonly<Record<string, keyof MimnState>> = {
  M: "memory",
  r: "read",
  c: "controller",
  g: "usage",
  A: "added",
  S: "channels",
  n: "count",
};

/** The options of a case. */
export function mimnConfig(golden: GoldenCase): MimnConfig {
  const { config } = golden as unknown as { config: Record<string, number> };
  const { slots, controller } = mimnSizes(golden);
  const { kappa = NaN, slotKeyWeight = NaN, rho = NaN, lambda = NaN } = config;
  return {
    slots,
    hidden: controller,
    widths: widthsOf(golden, "mlp"),
    dotHead: false,
    keepPooled: false,
    traces: [1],
    topK: kappa,
    slotKeyWeight,
    decay: rho,
    regularisation: lambda,
  };
}

/** The case with a start state for each user, if it has them. */
function withStarts(golden: GoldenCase): GoldenCase {
  const start = golden.inputs.start as unknown as Readonly<Record<string, Nested>> | undefined;
  if (start === undefined) return golden;
  const layout = layoutOf(golden);
  const starts = rows(golden.inputs.e).map((_, b) => {
    const state = new Float32Array(layout.size);
    const view = layout.view(state);
    for (const [name, part] of Object.entries(MIMN_PARTS)) view[part].set(flat(rows(start[name])[b]));
    return state;
  });
  return { ...golden, starts };
}

/** Registers the golden tests of one implementation, named `what`. */
export function goldenMimnTests(what: string, make: MakeMimn, options: GoldenTestOptions = {}): void {
  goldenTest<GoldenCase>(`${what} of mimn equals every value and gradient`, "mimn.json", async (cases) => {
    for (const name of MIMN_CASES) {
      const golden = cases[name];
      assert.ok(golden, name);
      assertBatch(await make(sizesOf(golden), mimnConfig(golden)), withStarts(golden), name, name);
    }
  }, {
    ...options,
    claims: (path) => !/^cases\.(regOnly|addressing|write|rebalance)|states|Weight$|chosen$/.test(path),
  });

  goldenTest<GoldenCase>(
    `${what} of mimn equals the regularisation's own gradient`,
    "mimn.json",
    async (cases) => {
      const { regOnly } = cases;
      assert.ok(regOnly?.grads.regOnly);
      // The loss is linear in λ: what λ = 1 adds to λ = 0 is the regularisation.
      const [a, b] = await Promise.all([0, 1].map(async (regularisation) => {
        const model = await make(sizesOf(regOnly), { ...mimnConfig(regOnly), regularisation });
        writeBlocks(model.parameters, regOnly.params);
        return { model, ...runBatch(model, regOnly, false) };
      }));
      assert.ok(a && b);
      const difference = b.gradients.map((g, i) => g - (a.gradients[i] ?? NaN));
      assertBlocks(b.model.parameters, difference, regOnly.grads.regOnly.params, "regOnly");
      assertClose(b.regularisation, flat(regOnly.outputs.regOnly?.reg), FORWARD, "regOnly reg");
      for (const name of ["e", "q", "xu", "xc"]) {
        const got = (b.inputs[name] ?? []).map((g, i) => g - (a.inputs[name]?.[i] ?? NaN));
        assertInputs({ [name]: got }, regOnly.grads.regOnly.inputs, "regOnly");
      }
    },
    { ...options, claims: (path) => /regOnly\.(outputs|grads|config\.(sl|rho))/.test(path) },
  );

  goldenTest<GoldenCase>(
    `${what} of mimn equals the state after every behaviour`,
    "mimn.json",
    async ({ main }) => {
      assert.ok(main);
      const model = await make(sizesOf(main), mimnConfig(main));
      writeBlocks(model.parameters, main.params);
      const states = main.outputs.main?.states as unknown as Tree;
      rows(main.inputs.e).forEach((behaviours, b) => {
        const state = model.initState();
        rows(behaviours).forEach((e, t) => {
          if (flat(rows(main.inputs.mask)[b])[t] === 1) model.step(state, Float32Array.from(flat(e)));
          const view = layoutOf(main).view(state);
          for (const [name, part] of Object.entries(MIMN_PARTS)) {
            const want = flat(rows(rows(states[name] as Nested)[b])[t]);
            assertClose(view[part], want, FORWARD, `user ${b} step ${t} ${name}`);
          }
        });
      });
    },
    {
      ...options,
      claims: (path) =>
        /^(outputs\.main\.states|inputs\.(e|mask)$|params\.(?!reader|mlp)|config\.(kappa|slot|rho))/.test(
          path,
        ),
    },
  );
}
