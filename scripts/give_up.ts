/**
 * Permissions that a service needs to start and not to run, given up for good: whoever takes over the process has none of
 * them.
 *
 * @module
 */

/** Where the log is. */
export type LogKind = "sqlite" | "kafka";

/**
 * A SQLite log is open, and so is the socket: neither asks again, but for the thread that moves what was written into the
 * database, which starts when there is much. Files of code are read for threads. A client of
 * Kafka meets brokers whose names no configuration has, writes snapshots, and loads its codecs when they are first met.
 * `sys` stays with both: of it the task has only `statfs`, by which `/ready` knows the room on the disk.
 */
const NEEDLESS: Readonly<Record<LogKind, readonly Deno.PermissionName[]>> = {
  sqlite: ["net", "ffi", "run"],
  kafka: ["run"],
};

/** Gives up what is not needed once log and server are open. @returns what was given up that was granted as a whole */
export async function giveUp(log: LogKind): Promise<readonly Deno.PermissionName[]> {
  const given: Deno.PermissionName[] = [];
  for (const name of NEEDLESS[log]) {
    const { state } = await Deno.permissions.query({ name });
    if (state === "granted") given.push(name);
    await Deno.permissions.revoke({ name });
  }
  return given;
}
