/** Jars that a pom.xml names, fetched by Maven the first time. */

import { say } from "../flags/command_line.ts";

/**
 * The folder of the jars. Processes that fetch at the same time do so into folders of their own, and the first one to
 * finish wins.
 *
 * @param pom file that names them; the folder depends on its content
 * @param cache folder that holds theirs
 * @throws Error when they have to be fetched and cannot be, or Java or Maven is missing
 */
export async function mavenJars(pom: string, cache: string): Promise<string> {
  const folder = await jarsFolder(pom, cache);
  if (await exists(folder)) return folder;
  await run(["java", "-version"]);
  say(`Maven fetches the jars of ${pom.replace(/^.*\//, "")}, once; this may take a minute`);
  await Deno.mkdir(cache, { recursive: true });
  const fetched = await Deno.makeTempDir({ dir: cache, prefix: "fetching-" });
  try {
    await run(["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${fetched}`]);
    await Deno.rename(fetched, folder);
  } catch (error) {
    await remove(fetched);
    if (!await exists(folder)) throw error;
  }
  return folder;
}

/** The folder of the jars, whether they exist or not. */
export async function jarsFolder(pom: string, cache: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(pom));
  return `${cache}/libs-${new Uint8Array(digest).toHex().slice(0, 12)}`;
}

/** Runs a command to its end. @throws Error with what it printed when it fails, or when it is missing */
export async function run([command = "", ...args]: readonly string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output()
    .catch((cause) => {
      throw new Error(`Cannot run ${command}: is it installed?`, { cause });
    });
  if (success) return;
  const text = new TextDecoder();
  throw new Error(`Cannot run ${command} ${args.at(-1)}: ${text.decode(stdout)}${text.decode(stderr)}`);
}

/** Whether there is a file or folder. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Removes a file or folder, if it is there. */
export async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
