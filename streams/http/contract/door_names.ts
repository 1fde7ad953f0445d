/**
 * The doors that there are.
 *
 * @module
 */

/** Other systems whose HTTP calls the server can answer. */
export const DOORS = ["gorse", "metarank"] as const;

/** One of {@linkcode DOORS}. */
export type Door = (typeof DOORS)[number];
