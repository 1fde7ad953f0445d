/**
 * What some logs can do and others cannot. Whoever depends on it asks here, and never for the kind of a log.
 *
 * @module
 */

import type { Log } from "./log.ts";

/** A log that finds the newest record of a key without reading its topic. */
export type IndexedLog = Log & Required<Pick<Log, "latest">>;

/** A log that takes single records out of what it holds. */
export type ErasableLog = Log & Required<Pick<Log, "erase" | "scrub">>;

/** A log that several processes use at a time, each with connections of its own. */
export type SharedLog = Log & Required<Pick<Log, "address">>;

/** A log that drops records by itself, as it is set up to. */
export type RetainingLog = Log & Required<Pick<Log, "keepMs">>;

/** Whether a log indexes its keys: no user needs to be in memory then, nor in a snapshot beside it. */
export function indexesKeys(log: Log): log is IndexedLog {
  return log.latest !== undefined;
}

/** Whether records can be taken out of a log one by one. */
export function canErase(log: Log): log is ErasableLog {
  return log.erase !== undefined && log.scrub !== undefined;
}

/** Whether processes share a log. */
export function isShared(log: Log): log is SharedLog {
  return log.address !== undefined;
}

/** Whether a log has a retention of its own. */
export function hasRetention(log: Log): log is RetainingLog {
  return log.keepMs !== undefined;
}
