/**
 * The commands as `deno task` runs them: with the permissions that deno.json gives, and no others.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);

/** The arguments of Deno for a task of deno.json, whatever folder it is run in. */
export async function taskArguments(task: string): Promise<readonly string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const [deno, ...words]: string[] = tasks[task].command.split(" ");
  if (deno !== "deno") throw new Error(`Cannot run the task ${task}: it is no command of Deno`);
  const absolute = (path: string) => fileURLToPath(new URL(path, ROOT));
  return words.flatMap((word) => {
    if (word === "run") return ["run", "--no-prompt", "--no-check", "--config", absolute("deno.json")];
    if (word.startsWith("scripts/")) return [absolute(word)];
    return [word.replace("--allow-ffi=node_modules", `--allow-ffi=${absolute("node_modules")}`)];
  });
}
