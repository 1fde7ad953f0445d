/** Health of MIMN's memory: whether its slots differ, and whether all of them are used. */

import type { Panel } from "../core/panel.ts";
import type { MimnLayout } from "./state.ts";

// m slots, d slot width

export interface SlotHealth {
  /**
   * Mean cosine of pairs of slots, in [−1, 1]. Near 1 all slots are the same; above 0.999 after training, something is
   * wrong. `NaN` for a single slot; the cosine with a slot of zeros is 0.
   */
  readonly cosine: number;
  /** Share of the write mass that each slot has received [m]; they sum to 1, or are all 0 before a write. */
  readonly usage: readonly number[];
  /** Write mass Σg: the number of behaviours, discounted by the decay. */
  readonly mass: number;
}

/**
 * Measures the slots of a state. Costs m²·d/2 multiplications.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { slotHealth } from "./health.ts";
 * import { MimnLayout } from "./state.ts";
 *
 * const layout = new MimnLayout({ slots: 2, width: 2, controller: 1, traces: 0 });
 * const state = new Float32Array(layout.size);
 * const { memory, usage } = layout.view(state);
 * memory.set([1, 0, 0, 2]);
 * usage.set([3, 1]);
 * assert.deepEqual(slotHealth(state, layout), { cosine: 0, usage: [0.75, 0.25], mass: 4 });
 * ```
 */
export function slotHealth(state: Float32Array, layout: MimnLayout): SlotHealth {
  const { slots, width } = layout;
  const { memory, usage } = layout.view(state);
  const inner = (a: number, b: number) => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += memory[a * width + j]! * memory[b * width + j]!;
    return sum;
  };
  let cosine = 0;
  for (let a = 0; a < slots; a++) {
    for (let b = 0; b < a; b++) cosine += inner(a, b) / Math.max(Math.sqrt(inner(a, a) * inner(b, b)), 1e-12);
  }
  const mass = usage.reduce((sum, g) => sum + g, 0);
  return {
    cosine: cosine / (slots * (slots - 1) / 2),
    usage: Array.from(usage, (g) => g / Math.max(mass, 1e-12)),
    mass,
  };
}

/** Panels of a state; none before the first write. */
export function slotPanels({ cosine, usage, mass }: SlotHealth): readonly Panel[] {
  if (mass === 0) return [];
  return [
    {
      name: "slot_cosine",
      title: "Similarity of the memory slots",
      about:
        "Mean cosine of pairs of slots. At 1 all slots hold the same vector, so there is in effect only one; " +
        "above 0.999 something is wrong.",
      unit: "number",
      reference: { name: "one slot", value: 1 },
      values: [Number.isFinite(cosine) ? cosine : null],
    },
    {
      name: "slot_usage_ratio",
      title: "Use of the memory slots",
      about: "Share of the write mass that each slot has received.",
      unit: "share",
      per: "slot",
      reference: { name: "even", value: 1 / usage.length },
      values: usage,
    },
    {
      name: "slot_write_mass",
      title: "Write mass of the memory",
      about: "Number of behaviours in the memory, each discounted by the decay at every later one.",
      unit: "count",
      values: [mass],
    },
  ];
}
