/**
 * Sources of candidates, by their names on the log.
 *
 * @module
 */

/**
 * The source of a candidate: the request (`given`), the new items (`new`), a draw from the catalogue (`drawn`), or a
 * source by its name in `retrieval/sources/registry.ts`.
 */
export type CandidateSource = string;
