/**
 * The default place of a configuration.
 *
 * @module
 */

/** The configuration of a folder: of the working folder, or of the data of a replay. */
export const DEFAULT_CONFIG = "meander.json";
