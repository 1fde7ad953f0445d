/**
 * The tables of an {@linkcode EmaBank}, as versions name them.
 *
 * @module
 */

/** Vectors of behaviours' items [d]; output vectors of items, each with its bias behind it [d + 1]. */
export const BANK_TABLES = { in: "bank:in", out: "bank:out" } as const;
/** What the dense weights of a bank are called in a version. */
export const BANK_PART = "bank";
/** Width d of all vectors. */
export const BANK_WIDTH = 64;
/** Behaviours that a query reads, at most. */
export const BANK_BEHAVIOURS = 20;
