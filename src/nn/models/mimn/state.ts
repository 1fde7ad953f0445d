/** The layout of MIMN's user state in one flat array. */

import type { MemoryState } from "./memory_network.ts";

// m slots, d width of slots, behaviours and channels, Hc controller width

/** Views of the parts of a state. */
export interface MimnState extends MemoryState {
  /** All of it. */
  readonly flat: Float32Array;
  /** Channels S [m, d]. */
  readonly channels: Float32Array;
  /** Number n of behaviours [1]. */
  readonly count: Float32Array;
  /** Decayed sums of the behaviours' vectors, one per trace [traces, d]; empty if the model does not use them. */
  readonly sums: Float32Array;
}

export interface MimnSizes {
  /** Slots m. */
  readonly slots: number;
  /** Width d. */
  readonly width: number;
  /** Controller width Hc. */
  readonly controller: number;
  /** Number of decayed sums. */
  readonly traces: number;
}

/**
 * Where the parts are: M [m, d], r [d], c [Hc], g [m], A [d], S [m, d], n [1], and Σ ρ^age e [traces, d].
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { MimnLayout } from "./state.ts";
 *
 * const layout = new MimnLayout({ slots: 4, width: 32, controller: 32, traces: 1 });
 * assert.equal(4 * layout.size, 1556); // bytes per user
 * ```
 */
export class MimnLayout implements MimnSizes {
  readonly slots: number;
  readonly width: number;
  readonly controller: number;
  readonly traces: number;
  /** Length of a state in floats. */
  readonly size: number;

  constructor({ slots, width, controller, traces }: MimnSizes) {
    this.slots = slots;
    this.width = width;
    this.controller = controller;
    this.traces = traces;
    this.size = 2 * slots * width + 2 * width + controller + slots + 1 + traces * width;
  }

  /**
   * Stretches in half and single precision, alternately: M, r, c; g, A; S; n, Σ. Lifelong sums are single: in half
   * precision, a sum stops growing once it is 2,000 times its increments.
   */
  get stretches(): readonly number[] {
    const { slots, width, controller, traces } = this;
    return [slots * width + width + controller, slots + width, slots * width, 1 + traces * width];
  }

  /** Checks that an array can be a state. @throws TypeError when its length is not that of the layout */
  check(state: Float32Array): void {
    if (state.length !== this.size) {
      throw new TypeError(
        `Cannot read a state of MIMN: its length is ${state.length}, the layout requires ${this.size}`,
      );
    }
  }

  /** Views of the parts of a state; writing to them changes it. @throws TypeError like `check` */
  view(state: Float32Array): MimnState {
    this.check(state);
    const { slots, width, controller } = this;
    let at = 0;
    const next = (length: number) => state.subarray(at, at += length);
    return {
      flat: state,
      memory: next(slots * width),
      read: next(width),
      controller: next(controller),
      usage: next(slots),
      added: next(width),
      channels: next(slots * width),
      count: next(1),
      sums: next(this.traces * width),
    };
  }
}
