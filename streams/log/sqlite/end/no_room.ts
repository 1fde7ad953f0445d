/**
 * Tells whether an error means that a disk is full for now.
 *
 * @module
 */

/**
 * SQLITE_FULL; SQLITE_IOERR_WRITE, as beyond a quota; SQLITE_IOERR_SHMSIZE, when the index of the write-ahead log has no
 * room. Each leaves the file as it was, so the write can be retried.
 */
const CODES: readonly unknown[] = [13, 778, 4874];
const FULL = "database or disk is full";

/** Whether an error of SQLite or of a file means that there is no room. */
export function isNoRoom(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  if (error.code === "ENOSPC" || error.code === "EDQUOT") return true;
  if (error.code !== "ERR_SQLITE_ERROR") return false;
  // Errors of `exec()` have no number.
  return "errcode" in error ? CODES.includes(error.errcode) : error.message === FULL;
}
