/**
 * The tables of an {@linkcode EmaBank}, as versions name them.
 *
 * @module
 */

/** Vectors of behaviours' items [d]; output vectors of items, each followed by its bias [d + 1]. */
export const BANK_TABLES = { in: "bank:in", out: "bank:out" } as const;
/** Name of the dense weights of a bank in a version. */
export const BANK_PART = "bank";
/** Width d of all vectors. */
export const BANK_WIDTH = 64;
/** Most behaviours that a query reads. */
export const BANK_BEHAVIOURS = 20;
