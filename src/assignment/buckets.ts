/** Maps users to 10,000 buckets, and allocates buckets with as few moves as possible. */

import { hashString } from "../embeddings/hash.ts";
import type { Span } from "./experiment.ts";

/** Number of buckets: the finest share is 0.01 %. */
export const BUCKETS = 10_000;

/**
 * The bucket of a user under a salt, an integer in [0, 10000): stable, and independent of the bucket under another
 * salt.
 *
 * @param seed {@linkcode saltSeed} of the salt
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { bucketOf, saltSeed } from "@meander/meander/experiments";
 *
 * assert.equal(bucketOf("ann", saltSeed("s1")), bucketOf("ann", saltSeed("s1")));
 * ```
 */
export function bucketOf(user: string, seed: number): number {
  return hashString(user, seed) % BUCKETS;
}

/**
 * The seed of {@linkcode bucketOf} for a salt.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { saltSeed } from "@meander/meander/experiments";
 *
 * assert.notEqual(saltSeed("s1"), saltSeed("s2"));
 * ```
 */
export function saltSeed(salt: string): number {
  return hashString(salt, 0x6d656164);
}

export function spanSize(spans: readonly Span[]): number {
  return spans.reduce((sum, [from, to]) => sum + to - from, 0);
}

/**
 * Reallocates buckets with as few moves as possible: a shrinking owner releases its last buckets, a growing one takes
 * the first free buckets.
 *
 * @param owned Spans of each owner, disjoint, ascending.
 * @param wanted Number of buckets of each owner afterwards, in the same order.
 * @param taken Buckets that are unavailable.
 * @returns Spans of each owner.
 * @throws RangeError When not enough buckets are free.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { shareOut } from "@meander/meander/experiments";
 *
 * const first = shareOut([[], []], [5000, 5000]);
 * assert.deepEqual(first, [[[0, 5000]], [[5000, 10_000]]]);
 * assert.deepEqual(shareOut(first, [2500, 7500]), [[[0, 2500]], [[2500, 10_000]]]);
 * ```
 */
export function shareOut(
  owned: readonly (readonly Span[])[],
  wanted: readonly number[],
  taken: readonly Span[] = [],
): readonly (readonly Span[])[] {
  const owner = new Int16Array(BUCKETS).fill(-1);
  for (const [from, to] of taken) owner.fill(-2, from, to);
  owned.forEach((spans, o) => {
    for (const [from, to] of spans) owner.fill(o, from, to);
  });
  const need = wanted.map((size, o) => size - spanSize(owned[o] ?? []));
  for (let bucket = BUCKETS - 1; bucket >= 0; bucket--) {
    const o = owner[bucket]!;
    if (o < 0 || need[o]! >= 0) continue;
    owner[bucket] = -1;
    need[o]!++;
  }
  for (let bucket = 0, o = 0; o < need.length;) {
    if (need[o]! <= 0) o++;
    else if (bucket === BUCKETS) {
      throw new RangeError(`Cannot share out ${wanted.join(" + ")} buckets: ${need[o]} are missing`);
    } else if (owner[bucket] === -1) {
      owner[bucket++] = o;
      need[o]!--;
    } else bucket++;
  }
  return wanted.map((_, o) => spansOf(owner, o));
}

/** Integers in proportion to weights, with the sum `total`, by largest remainder. */
export function proportions(weights: readonly number[], total: number): number[] {
  const most = weights.reduce((most, weight) => Math.max(most, weight), 0); // the sum itself may be Infinity
  const sum = weights.reduce((sum, weight) => sum + weight / most, 0);
  const exact = weights.map((weight) => weight / most / sum * total);
  const sizes = exact.map(Math.floor);
  let left = total - sizes.reduce((sum, size) => sum + size, 0);
  const byRemainder = [...exact.keys()].sort((a, b) => exact[b]! % 1 - exact[a]! % 1 || a - b);
  for (const index of byRemainder) if (left-- > 0) sizes[index]!++;
  return sizes;
}

function spansOf(owner: Int16Array, o: number): Span[] {
  const spans: Span[] = [];
  for (let from = owner.indexOf(o); from >= 0; from = owner.indexOf(o, from)) {
    let to = from;
    while (to < owner.length && owner[to] === o) to++;
    spans.push([from, to]);
    from = to;
  }
  return spans;
}
