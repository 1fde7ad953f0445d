/**
 * What a request costs by the length of its user's history: MIMN, whose state has a fixed size, compared with DIEN over
 * all behaviours.
 *
 * @module
 */

import { createKernels, resolveKernels } from "../../../src/nn/kernels/choose.ts";
import { createModel } from "../../../src/nn/models/registry.ts";
import type { ModelInput } from "../../../src/nn/models/core/model.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { TaskState } from "../../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../../src/engine/task_outputs.ts";
import { impression } from "../../contracts/model_contract.ts";
import { serve } from "../serving.ts";
import type { Work } from "./works.ts";

const CANDIDATES = 100;
/** Behaviours folded per request from MIMN's anchor; up to 29. */
const RECENT = 20;
/** Behaviours before the request. */
const HISTORIES = [50, 100, 500, 1000, 2000];
const SIZES = { d: 32, user: 32, context: 21 };
const ITEMS = 500, START = Date.UTC(2026, 0, 1);

/** The works; the first of each is the shortest history. */
export function histories(): Work[] {
  return [
    ...HISTORIES.map((T) => scored("mimn", T)),
    ...HISTORIES.map((T) => scored("dien", T)),
    ...HISTORIES.map(requested),
  ];
}

/** The model alone. */
function scored(name: "mimn" | "dien", T: number): Work {
  return {
    work: `score ${CANDIDATES} candidates, ${name}`,
    by: `${T.toLocaleString("en")} behaviours`,
    prepare() {
      const kernels = createKernels(resolveKernels("auto"));
      const model = createModel(name, SIZES, {}, mulberry32(1), kernels);
      let input: ModelInput = impression(SIZES, T, CANDIDATES);
      if (model.capabilities.lifelong) {
        const state = model.initState(), { d } = SIZES, anchored = T - RECENT;
        for (let t = 0; t < anchored; t++) model.step(state, input.e.slice(d * t, d * t + d));
        input = { ...input, T: RECENT, e: input.e.slice(d * anchored), state };
      }
      return () => model.score(input);
    },
  };
}

/** A whole request: features, scores and the answer, in a task that keeps 100 behaviours per user. */
function requested(T: number): Work {
  return {
    work: `answer a request of ${CANDIDATES} candidates, mimn`,
    by: `${T.toLocaleString("en")} behaviours`,
    prepare() {
      const serving = serve("mimn", ITEMS, START);
      const task = new TaskState({ schema: DEFAULT_SCHEMA, retrieval: { learn: false } }, serving);
      const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
      const item = (n: number) => `item-${(n * 7919) % ITEMS}`;
      // All items are known from the start, or a short history would have few candidates.
      for (let n = 0; n < ITEMS; n++) task.applyItem({ item: `item-${n}`, time: START });
      for (let n = 0; n < T; n++) {
        const click = { user: "u", item: item(n), action: "click", time: START + 60_000 * n };
        task.apply({ type: "interaction", ...click }, n, out);
      }
      const request = {
        type: "request" as const,
        user: "u",
        request: "r",
        count: 10,
        time: START + 60_000 * T,
        candidates: Array.from({ length: CANDIDATES }, (_, i) => item(3 * i)),
      };
      const user = task.users.get("u");
      if (user === undefined) throw new Error("Cannot ask for a user: nobody is there");
      return () => task.lists.preview(user, request);
    },
  };
}
