/**
 * Runs commands one after the other in one process, with the permissions of their tasks: most of the time of a process of
 * its own would go into loading the same code. `command.ts` starts it, and speaks with it in lines of JSON.
 *
 * @module
 */

import { resetSync } from "@logtape/logtape";
import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Call, Ended } from "./command.ts";

const answer = Deno.stdout.writeSync.bind(Deno.stdout);
const home = Deno.cwd();
const encoder = new TextEncoder();
/** Ends the call that runs. */
let end: (code: number, why?: unknown) => void = () => {};
let calls = 0;

/** Thrown where a process would end: the command does not go on. */
class Exit extends Error {}

function exit(code?: number | string | null): never {
  end(Number(code ?? 0));
  throw new Exit();
}

/** Takes what is written, and returns it all, however letters are cut. */
function collect(file: typeof Deno.stdout | typeof Deno.stderr, stream: { write: unknown }): () => string {
  const parts: Uint8Array[] = [];
  file.writeSync = (bytes) => (parts.push(bytes.slice()), bytes.length);
  file.write = (bytes) => Promise.resolve(file.writeSync(bytes));
  stream.write = (part: string | Uint8Array) =>
    file.writeSync(typeof part === "string" ? encoder.encode(part) : part) >= 0;
  return () => Buffer.concat(parts).toString();
}

async function run({ script, args, folder }: Call): Promise<Ended> {
  const stdout = collect(Deno.stdout, process.stdout), stderr = collect(Deno.stderr, process.stderr);
  Deno.chdir(folder ?? home);
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  const { promise, resolve } = Promise.withResolvers<number>();
  end = (code, why) => {
    if (why !== undefined) {
      Deno.stderr.writeSync(encoder.encode(`${why instanceof Error ? why.stack : why}\n`));
    }
    resolve(code);
  };
  // It runs when its module is loaded.
  import(new URL(`../../scripts/${script}.ts?${calls++}`, import.meta.url).href).then(() => end(0), failed);
  const code = await promise;
  resetSync(); // the next command has its own log
  return { code, stdout: stdout(), stderr: stderr() };
}

/** An error that nothing catches ends the process with its stack. */
function failed(error: unknown): void {
  if (!(error instanceof Exit)) end(1, error);
}

process.exit = Deno.exit = exit;
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  failed(event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  failed(event.error);
});
for await (const line of createInterface({ input: process.stdin })) {
  let rest = encoder.encode(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
  while (rest.length > 0) rest = rest.subarray(answer(rest));
}
