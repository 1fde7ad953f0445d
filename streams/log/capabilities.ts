/** What some logs can do and others cannot. Callers test for it here, never for the kind of log. */

import type { Log } from "./log.ts";

/** A log that erases single records. */
export type ErasableLog = With<"erase" | "scrub">;

/** A log that is backed up record by record. */
export type RecordLog = With<"endsOf" | "refill">;

type With<Methods extends keyof Log> = Log & Required<Pick<Log, Methods>>;

/** Whether a log indexes its keys: if so, users need not be in memory, nor in a local snapshot. */
export function indexesKeys<L extends Pick<Log, "latest">>(log: L): log is L & Required<Pick<Log, "latest">> {
  return log.latest !== undefined;
}

/** Whether single records can be erased. */
export function canErase(log: Log): log is ErasableLog {
  return log.erase !== undefined && log.scrub !== undefined;
}

/** Whether several processes can use a log at once. */
export function isShared(log: Log): log is With<"address"> {
  return log.address !== undefined;
}

/** Whether a log has a retention of its own. */
export function hasRetention(log: Log): log is With<"keepMs"> {
  return log.keepMs !== undefined;
}

/** Whether the records of a commit become readable one after the other. */
export function readsInPart(log: Log): log is With<"endsOf"> {
  return log.endsOf !== undefined;
}

/** Whether a log is backed up record by record, rather than as a file. */
export function hasRecordCopies(log: Log): log is RecordLog {
  return log.endsOf !== undefined && log.refill !== undefined;
}

/** Whether a log can check every record. */
export function canVerify(log: Log): log is With<"verify"> {
  return log.verify !== undefined;
}

/** What the logs of a kind can do, known before one is opened. */
export interface LogCapabilities {
  /** See {@linkcode indexesKeys}. */
  readonly indexesKeys: boolean;
  /** See {@linkcode canErase}. */
  readonly canErase: boolean;
  /** See {@linkcode isShared}. */
  readonly isShared: boolean;
  /** See {@linkcode hasRetention}. */
  readonly hasRetention: boolean;
  /** See {@linkcode canVerify}. */
  readonly canVerify: boolean;
  /** Whether records outlive the process. */
  readonly isDurable: boolean;
}
