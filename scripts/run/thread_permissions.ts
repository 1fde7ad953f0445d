/**
 * Permissions of the threads that a service's thread starts.
 *
 * @module
 */

/** The permissions of the service's thread. A kind that is not named would be denied. */
const INHERITED: Deno.PermissionOptionsObject = {
  env: "inherit",
  ffi: "inherit",
  net: "inherit",
  read: "inherit",
  run: "inherit",
  sys: "inherit",
  write: "inherit",
};

/** Permissions of a learner or a rebuild: it opens a shared log itself, and writes no files but snapshots. */
export function workerPermissions(
  { isShared }: { readonly isShared: boolean },
  hasSnapshots = false,
): Deno.PermissionOptions {
  return isShared ? { ...INHERITED, write: hasSnapshots ? "inherit" : false } : { sys: "inherit" };
}
