/**
 * Python with Confluent's client of Kafka, in an environment of its own that is made once.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { createHash } from "node:crypto";

const FOLDER = fileURLToPath(new URL("python/", import.meta.url));

/** Runs `python/clients.py`. @returns what it printed */
export type RunPython = (args: readonly string[], input?: string) => Promise<string>;

/** Makes the environment if it is missing; warns and returns nothing where there cannot be one. */
export async function pythonClients(): Promise<RunPython | undefined> {
  try {
    const python = await environment();
    return async (args, input = "") => await run(python, [`${FOLDER}clients.py`, ...args], input);
  } catch (error) {
    const text = `SKIPPED: the tests of what Python reads and writes, as there is no client: ${error}\n`;
    await Deno.stderr.write(new TextEncoder().encode(text));
    return undefined;
  }
}

/** The interpreter of the environment that has the clients of `requirements.txt`. */
async function environment(): Promise<string> {
  const wanted = await Deno.readTextFile(`${FOLDER}requirements.txt`);
  const home = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  const folder = `${home}/meander/python-${createHash("sha256").update(wanted).digest("hex").slice(0, 12)}`;
  const python = `${folder}/bin/python`;
  await Deno.mkdir(`${home}/meander`, { recursive: true });
  using lock = await Deno.open(`${folder}.lock`, { create: true, write: true });
  await lock.lock(true); // tests of several folders want it at once
  if (await Deno.stat(`${folder}/ready`).then(() => true, () => false)) return python;
  await run("python3", ["-m", "venv", "--clear", folder], "");
  await run(python, [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--no-compile",
    "--requirement",
    `${FOLDER}requirements.txt`,
  ], "");
  await Deno.writeTextFile(`${folder}/ready`, "");
  return python;
}

async function run(program: string, args: readonly string[], input: string): Promise<string> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writing = new Response(input).body!.pipeTo(child.stdin);
  const [{ success, stdout, stderr }] = await Promise.all([child.output(), writing]);
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}
