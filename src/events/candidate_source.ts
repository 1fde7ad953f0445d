/**
 * Sources of candidates, by the names that are on the log.
 *
 * @module
 */

/**
 * The source of a candidate: the request (`given`), the new items (`new`), a draw from the catalogue (`drawn`), or a
 * source, by the name that `retrieval/sources/registry.ts` has it under.
 */
export type CandidateSource = string;
