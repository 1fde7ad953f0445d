/**
 * Writing to a memory, and accounting for the use of its slots, forward and backward (Pi et al. 2019, "Practice on
 * Long Sequential User Behavior Modeling").
 *
 * @module
 */

// m slots, D slot width, g [m] the write mass that each slot has received

/** Operands of one write. */
export interface WriteInput {
  /** M [m, D] before, from `memoryAt`. */
  readonly memory: Float32Array;
  readonly memoryAt: number;
  /** How much of the write goes into each slot [m], from `weightAt`. */
  readonly weight: Float32Array;
  readonly weightAt: number;
  /** The erase vector [D], followed by the add vector [D], from `contentAt`. */
  readonly content: Float32Array;
  readonly contentAt: number;
  /** Slots m. */
  readonly slots: number;
  /** Slot width D. */
  readonly width: number;
}

/** M' = M∘(1 − wᵀ·erase) + wᵀ·add into `next` from `nextAt`; in place is allowed. */
export function write(next: Float32Array, nextAt: number, input: WriteInput): void {
  const { memory, memoryAt, weight, weightAt, content, contentAt, slots, width } = input;
  for (let i = 0, o = 0; i < slots; i++) {
    const w = weight[weightAt + i]!;
    for (let j = 0, c = contentAt; j < width; j++, o++, c++) {
      next[nextAt + o] = memory[memoryAt + o]! * (1 - w * content[c]!) + w * content[c + width]!;
    }
  }
}

/** Where {@linkcode writeBackward} puts its gradients. */
export interface WriteGradients {
  /** ∂/∂M' [m, D] on entry, ∂/∂M of this write afterwards. */
  readonly memory: Float32Array;
  /** ∂/∂weight [m] is added here, from `weightAt`. */
  readonly weight: Float32Array;
  readonly weightAt: number;
  /** ∂/∂erase [D] and ∂/∂add [D] are added here, from `contentAt`. */
  readonly content: Float32Array;
  readonly contentAt: number;
}

export function writeBackward(input: WriteInput, into: WriteGradients): void {
  const { memory, memoryAt, weight, weightAt, content, contentAt, slots, width } = input;
  for (let i = 0, o = 0; i < slots; i++) {
    const w = weight[weightAt + i]!;
    let dw = 0;
    for (let j = 0, c = contentAt, d = into.contentAt; j < width; j++, o++, c++, d++) {
      const g = into.memory[o]!, before = memory[memoryAt + o]!, erase = content[c]!;
      dw += g * (content[c + width]! - before * erase);
      into.content[d]! -= g * before * w;
      into.content[d + width]! += g * w;
      into.memory[o] = g * (1 - w * erase);
    }
    into.weight[into.weightAt + i]! += dw;
  }
}

/**
 * Writes the shares g/max(1, Σg) [m] into `shares` from `at`.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { usageShares } from "./memory.ts";
 *
 * const shares = new Float32Array(2);
 * usageShares(shares, 0, new Float32Array([3, 1]), 0, 2);
 * assert.deepEqual([...shares], [0.75, 0.25]);
 * ```
 */
export function usageShares(
  shares: Float32Array,
  at: number,
  usage: Float32Array,
  usageAt: number,
  slots: number,
): void {
  const scale = 1 / Math.max(1, mass(usage, usageAt, slots));
  for (let i = 0; i < slots; i++) shares[at + i] = scale * usage[usageAt + i]!;
}

/** Backward of {@linkcode usageShares}: given dshares [m], adds to dusage [m]. */
export function usageSharesBackward(
  dusage: Float32Array,
  dshares: Float32Array,
  usage: Float32Array,
  usageAt: number,
  slots: number,
): void {
  const sum = mass(usage, usageAt, slots);
  const scale = 1 / Math.max(1, sum);
  let inner = 0;
  if (sum > 1) { for (let i = 0; i < slots; i++) inner += dshares[i]! * usage[usageAt + i]! * scale; }
  for (let i = 0; i < slots; i++) dusage[i]! += scale * (dshares[i]! - inner);
}

/**
 * Returns the utilisation regularisation Σ_i (g_i/Σg − 1/m)² and adds `weight` times its gradient to dusage [m].
 * It uses shares, not the paper's sums, so that it does not grow with the history; 0 before any write.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { unevenness } from "./memory.ts";
 *
 * const gradient = new Float32Array(2);
 * assert.equal(unevenness(gradient, new Float32Array([3, 1]), 0, 1), 0.125);
 * assert.deepEqual([...gradient], [0.0625, -0.1875]);
 * ```
 */
export function unevenness(
  dusage: Float32Array,
  usage: Float32Array,
  usageAt: number,
  weight: number,
): number {
  const slots = dusage.length;
  const sum = mass(usage, usageAt, slots);
  if (sum === 0) return 0;
  let value = 0, inner = 0;
  for (let i = 0; i < slots; i++) {
    const share = usage[usageAt + i]! / sum, gap = share - 1 / slots;
    value += gap * gap;
    inner += 2 * gap * share;
  }
  for (let i = 0; i < slots; i++) {
    dusage[i]! += weight / sum * (2 * (usage[usageAt + i]! / sum - 1 / slots) - inner);
  }
  return value;
}

function mass(usage: Float32Array, at: number, slots: number): number {
  let sum = 0;
  for (let i = at; i < at + slots; i++) sum += usage[i]!;
  return sum;
}
