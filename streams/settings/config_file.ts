/**
 * The default name of a configuration file.
 *
 * @module
 */

/** Name of the configuration file in a folder: the working folder, or that of a replay's data. */
export const DEFAULT_CONFIG = "meander.json";
