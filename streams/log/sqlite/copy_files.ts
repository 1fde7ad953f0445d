/**
 * Names of the files of a copied log.
 *
 * @module
 */

/** The log. */
export const COPY = "log.sqlite";

/** All files of a copy: the log, and its end. */
export const COPY_FILES: readonly string[] = [COPY, `${COPY}-end`];
