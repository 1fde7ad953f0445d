/**
 * Runs commands as a user does.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const REPLAY = new URL("../../scripts/replay.ts", import.meta.url).pathname;

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a command runs. */
export interface Place {
  /** Further flags of `deno run`. */
  readonly flags?: readonly string[];
  /** Variables in addition to the test's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** `replay` as a process of its own, not started yet. Its output goes to pipes, so to no terminal. */
export function replayCommand(args: readonly string[], { flags = [], env = {} }: Place = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-all", "--no-check", ...flags, REPLAY, ...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs `replay` to its end, see {@linkcode runScript}. */
export function runReplay(...args: string[]): Promise<Ended> {
  return runScript("replay", ...args);
}

/** A call of a command. */
export interface Call {
  /** Its file in `scripts`, without the ending. */
  readonly script: string;
  readonly args: readonly string[];
  /** The folder that it runs in, if not that of the tests. */
  readonly folder?: string;
}

/** Runs another command than `meander` to its end, in a process that all commands of this test process have in common. */
export function runScript(script: string, ...args: readonly string[]): Promise<Ended> {
  return runCall({ script, args });
}

/** Runs a command to its end, as {@linkcode runScript} does: one after the other. */
export function runCall(call: Call): Promise<Ended> {
  const ended = last.then(async () => {
    host ??= startHost();
    host.ask(call);
    const { value, done } = await host.answers.next();
    if (done) throw new Error(`${call.script} has ended the process of the commands`);
    return JSON.parse(value) as Ended;
  });
  last = ended.catch(() => {});
  return ended;
}

let host: ReturnType<typeof startHost> | undefined;
let last: Promise<unknown> = Promise.resolve();

/** Starts the process in which commands run; it ends with this one. */
function startHost() {
  const program = fileURLToPath(new URL("command_host.ts", import.meta.url));
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const args = ["run", "-q", "--no-prompt", "--no-check", "--config", config, "-P=command", program];
  const { stdin, stdout } = spawn(Deno.execPath(), args, { stdio: ["pipe", "pipe", "inherit"] });
  return {
    ask: (call: Call) => void stdin.write(`${JSON.stringify(call)}\n`),
    answers: createInterface({ input: stdout })[Symbol.asyncIterator](),
  };
}

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "meander-replay-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
