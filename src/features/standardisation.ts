/**
 * Numeric features on one scale: (x − mean)/σ, clipped.
 *
 * @module
 */

/** Running standardisation of the numeric features, frozen. */
export interface Standardisation {
  /** Mean of each numeric feature. */
  readonly mean: Float32Array;
  /** 1/σ; 0 before the first row, so that everything standardises to 0. */
  readonly inverseDeviation: Float32Array;
}

/** Standardised numerics are clipped to ± this. */
export const CLIP = 5;
