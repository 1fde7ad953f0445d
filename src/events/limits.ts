/**
 * Limits on the size of records and their parts.
 *
 * @module
 */

/** Largest record, in bytes of UTF-8. */
export const MAX_RECORD_BYTES = 1 << 20;
/**
 * Most keys of all objects in a record. They take longest to parse: a record may have 130,000, which no other may wait for.
 * The fields of events, items and recommendations need at most some 20,000.
 */
export const MAX_KEYS = 1 << 15;
/** Deepest nesting of objects and arrays in a record; the record itself is level 1. */
export const MAX_DEPTH = 32;
/** Largest id, in bytes of UTF-8. */
export const MAX_ID_BYTES = 256;
/** Largest name of an action, an attribute or a surface, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 64;
/** Largest title or text attribute, in bytes of UTF-8. */
export const MAX_TEXT_BYTES = 1024;
/** Most items of a request, an impression or a recommendation. */
export const MAX_ITEMS = 1000;
/** Most experiments and shadow variants of a recommendation. */
export const MAX_EXPOSURES = 64;
/** Most items that a request may exclude. */
export const MAX_EXCLUDED = 10_000;
/** Most items of `like`: as many as a user's newest behaviours. */
export const MAX_LIKE = 100;
/** Most numbers of a vector attribute. */
export const MAX_NUMBERS = 1000;
/** Most categories of an item, attributes of a user, item or context, and values of a list attribute. */
export const MAX_ATTRIBUTES = 64;
/** Earliest time, inclusive: 1990-01-01T00:00:00Z. An older one is a unit error (seconds). */
export const MIN_TIME_MS = 631_152_000_000;
/** Latest time, exclusive: 2100-01-01T00:00:00Z. A later one is a unit error (microseconds). */
export const MAX_TIME_MS = 4_102_444_800_000;
/** How far an event's time may be ahead of its arrival, milliseconds; more means a wrong unit or a broken clock. */
export const MAX_AHEAD_MS = 3_600_000;

/** Keys that no object of a record may have, at any depth: they can reach a prototype. */
export const FORBIDDEN_KEYS: readonly string[] = ["__proto__", "constructor", "prototype"];
