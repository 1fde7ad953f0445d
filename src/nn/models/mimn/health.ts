/**
 * Health of MIMN's memory: whether its slots hold different things, and whether all of them are used.
 *
 * @module
 */

import type { SlotHealth } from "../core/model.ts";
import type { MimnLayout } from "./state.ts";

// m slots, d slot width

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

/** What {@linkcode meanHealth} says of the memories of many users. */
export interface SlotSummary {
  /** Users it is of, at least 1. */
  readonly users: number;
  /** Mean over users of {@linkcode SlotHealth.cosine}; `null` for a single slot. */
  readonly cosine: number | null;
  /** Mean share of the write mass of each slot [m]. */
  readonly usage: readonly number[];
  /** Mean write mass. */
  readonly mass: number;
}

/**
 * The mean of many users' slots; `null` of none. A user whose memory was never written to does not count.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { meanHealth } from "./health.ts";
 *
 * const one = { cosine: 0.5, usage: [1, 0], mass: 10 }, other = { cosine: 0.1, usage: [0.5, 0.5], mass: 30 };
 * assert.deepEqual(meanHealth([one, other]), { users: 2, cosine: 0.3, usage: [0.75, 0.25], mass: 20 });
 * assert.equal(meanHealth([]), null);
 * ```
 */
export function meanHealth(of: Iterable<SlotHealth>): SlotSummary | null {
  let users = 0, cosine = 0, mass = 0;
  const usage: number[] = [];
  for (const health of of) {
    if (health.mass === 0) continue;
    users++;
    cosine += health.cosine;
    mass += health.mass;
    health.usage.forEach((share, slot) => usage[slot] = (usage[slot] ?? 0) + share);
  }
  if (users === 0) return null;
  return {
    users,
    cosine: Number.isFinite(cosine) ? cosine / users : null,
    usage: usage.map((share) => share / users),
    mass: mass / users,
  };
}
