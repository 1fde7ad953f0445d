/**
 * That a user met a variant: what answers and samples carry.
 *
 * @module
 */

/** An experiment and the user's variant in it. */
export interface Exposure {
  /** Name of the experiment; `holdout` for users held out of all. */
  readonly experiment: string;
  /** Name of the variant. */
  readonly variant: string;
}
