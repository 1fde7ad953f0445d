/**
 * A problem that a review of a deployment reports.
 *
 * @module
 */

/** Something that is wrong. */
export interface Problem {
  /** What is wrong. */
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
}
