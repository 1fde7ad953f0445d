/**
 * From learnt logits to the logits of served probabilities.
 *
 * ```text
 * u = z                     or, if z was learnt with fake negatives:  e^u/(1+e^u) = p = b/(1−b) = e^z, at most 1
 * served = scale · u + bias                                              Platt's calibration
 * ```
 *
 * Calibration comes after all corrections and replaces none.
 *
 * @module
 */

/** Maps a learnt logit to the served one: undoes fake negatives, then scales and shifts (Platt). */
export interface Link {
  /** Whether z was learnt from a stream with fake negatives (FNC of Ktena et al., RecSys'19). */
  readonly fakeNegatives: boolean;
  /** Factor, above 0. */
  readonly scale: number;
  /** Added after the factor. */
  readonly bias: number;
}

/** Serves the learnt logit. */
export const IDENTITY: Link = { fakeNegatives: false, scale: 1, bias: 0 };

/** Largest z; beyond it the probability e^z counts as 1. */
const LARGEST = -1e-6;

/** The served logit of z. */
export function linked(z: number, link: Link): number {
  return link.scale * withoutFakeNegatives(z, link) + link.bias;
}

/** Inverse of {@linkcode linked}, where it did not clip. */
export function unlinked(served: number, { fakeNegatives, scale, bias }: Link): number {
  const u = (served - bias) / scale;
  // ln σ(u), without overflow at either end.
  return fakeNegatives ? Math.min(u, 0) - Math.log1p(Math.exp(-Math.abs(u))) : u;
}

/**
 * The logit of p, given the learnt one of b = p/(1+p).
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { withoutFakeNegatives } from "./link.ts";
 * // p = 0.2: the stream has one click in six rows.
 * const z = withoutFakeNegatives(Math.log((1 / 6) / (5 / 6)), { fakeNegatives: true });
 * assert.ok(Math.abs(z - Math.log(0.2 / 0.8)) < 1e-12);
 * ```
 */
export function withoutFakeNegatives(z: number, { fakeNegatives }: Pick<Link, "fakeNegatives">): number {
  if (!fakeNegatives) return z;
  const at = Math.min(z, LARGEST);
  return at - Math.log(-Math.expm1(at));
}
