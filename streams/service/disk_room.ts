/** Room on the disks that a process writes to. */

import { statfs } from "node:fs/promises";

/** Minimum free bytes: a SQLite log needs this much in addition to its file. */
const LEAST_BYTES = 64 << 20;

/** Why a disk is too full to continue; empty if it is not, or if its free space is unknown. */
export async function diskShortage(
  folder: string,
  leastBytes: number = LEAST_BYTES,
): Promise<readonly string[]> {
  let free: number;
  try {
    const { bavail, bsize } = await statfs(folder);
    free = bavail * bsize;
  } catch {
    return []; // missing yet, or not accessible
  }
  if (free >= leastBytes) return [];
  const mb = (bytes: number) => `${Math.floor(bytes / 1e6)} MB`;
  return [`the disk of ${folder} has ${mb(free)} left, but needs ${mb(leastBytes)}`];
}
