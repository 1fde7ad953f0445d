/**
 * Runs `scripts/replay.ts` as its own process, as a user does.
 *
 * @module
 */

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

/** The command, not started yet. Its output goes to pipes, so to no terminal. */
export function replayCommand(args: readonly string[], { flags = [], env = {} }: Place = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-all", "--no-check", ...flags, REPLAY, ...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs the command to its end. */
export async function runReplay(...args: string[]): Promise<Ended> {
  const { code, stdout, stderr } = await replayCommand(args).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs another script to its end, by its name without folder and ending. */
export async function runScript(script: string, ...args: string[]): Promise<Ended> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      "--no-check",
      new URL(`../../scripts/${script}.ts`, import.meta.url).pathname,
      ...args,
    ],
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "meander-replay-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
