/**
 * The doors that there are.
 *
 * @module
 */

/** Systems whose calls can be answered. */
export const DOORS = ["gorse", "metarank"] as const;

/** One of {@linkcode DOORS}. */
export type Door = (typeof DOORS)[number];
