/**
 * The commands as `deno task` runs them: with the permissions that deno.json gives, and no others.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);

/** Deno's arguments for a task of deno.json, or a command without one, in whatever folder it runs. */
export async function taskArguments(task: string): Promise<readonly string[]> {
  const words = await wordsOf(task);
  const deno = words.indexOf("deno");
  if (!words.slice(0, deno).every(isAssignment)) {
    throw new Error(`Cannot run the task ${task}: it is not a Deno command`);
  }
  const absolute = (path: string) => fileURLToPath(new URL(path, ROOT));
  return words.slice(deno + 1).flatMap((word) => {
    if (word === "run") return ["run", "-q", "--no-check", "--config", absolute("deno.json")];
    if (word.startsWith("scripts/")) return [absolute(word)];
    return [word];
  });
}

/** Starts a service as `deno task run` does, but with all permissions and silent. */
export async function startService(args: readonly string[]): Promise<Deno.ChildProcess> {
  const script = fileURLToPath(new URL("scripts/run.ts", ROOT));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...await taskV8Flags("run"), "-A", "--no-check", script, ...args],
    env: await taskEnvironment("run"),
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** The flags of V8 that a task of deno.json sets, as an argument of Deno. */
export async function taskV8Flags(task: string): Promise<readonly string[]> {
  return (await wordsOf(task)).filter((word) => word.startsWith("--v8-flags="));
}

/** The variables that a task of deno.json sets. */
export async function taskEnvironment(task: string): Promise<Readonly<Record<string, string>>> {
  const words = await wordsOf(task);
  return Object.fromEntries(words.slice(0, words.indexOf("deno")).map((word) => word.split("=")));
}

async function wordsOf(task: string): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return (tasks[task]?.command ?? `${tasks.meander.command} ${task}`).split(" ");
}

function isAssignment(word: string): boolean {
  return /^[A-Z_]+=\S*$/.test(word);
}
