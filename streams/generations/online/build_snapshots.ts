/** Where a build has its local snapshots, and removal of those that a killed build left behind. */

import { ignore } from "../../log/ignore.ts";
import type { Log } from "../../log/log.ts";
import { generationOf, type Topics } from "../../topics/topics.ts";

/** The folder of a build's snapshots, in that of the service's. */
export function buildFolder(snapshots: string): string {
  return `${snapshots}/build`;
}

/** The group of processes that may build; the owner of its partition does. */
export function builderGroup({ generations }: Pick<Topics, "generations">): string {
  return `${generations}-builder`;
}

/**
 * Removes the snapshots that a build of this deployment left behind when it was killed or abandoned, unless a process
 * is building; those of other deployments in the folder stay.
 *
 * @param topics those of the first generation
 * @param snapshots folder of the service's snapshots
 * @returns the names of what was removed
 */
export async function dropBuildSnapshots(
  log: Pick<Log, "members">,
  topics: Topics,
  snapshots: string,
): Promise<readonly string[]> {
  const folder = buildFolder(snapshots);
  const own = await ownIn(folder, topics);
  if (own.length === 0 || (await log.members?.(builderGroup(topics)))?.length) return [];
  for (const name of own) await Deno.remove(`${folder}/${name}`, { recursive: true });
  await ignore(Deno.remove(folder), "the folder has files of others");
  return own;
}

/** The snapshots in a folder of a deployment's tasks: each is named after its topic and partition. */
async function ownIn(folder: string, topics: Topics): Promise<readonly string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    return entries.filter((name) => generationOf(topics, name.replace(/-\d+$/, "")) !== null).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
