/**
 * Where a candidate may come from, as answers on the log name it.
 *
 * @module
 */

/**
 * Where a candidate comes from: the request (`given`), the new items (`new`), a draw from the catalogue (`drawn`), or a
 * source, by the name that `retrieval/sources/registry.ts` has it under.
 */
export type CandidateSource = string;
