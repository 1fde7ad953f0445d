/**
 * Exposures of users to variants, carried by recommendations and samples.
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
