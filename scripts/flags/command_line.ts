/** Arguments, output and exit codes of commands. */

import { dirname } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { Command, Help, InvalidArgumentError, type ParseOptionsResult } from "commander";
import { withoutUnseen } from "../../src/values/unseen.ts";
import { ConfigError } from "../../streams/settings/config_fault.ts";

/** How the runtime reports file errors: `No such file or directory (os error 2): stat 'name'`. */
const SYSTEM = /^(.+) \(os error \d+\): \w+ '(.+)'$/;
const MIN_BYTES = 16 * 2 ** 20;

/** How the current command was called, if through `meander`. */
let called: { readonly name: string; readonly args: readonly string[] } | undefined;

/** Sets how the command that is loaded next was called. */
export function callAs(name: string, args: readonly string[]): void {
  called = { name, args };
}

/** The name of a command in its help: that of its task, if it has one. */
export function commandName(command: string): string {
  return called?.name ?? `deno task ${command in manifest.tasks ? command : `meander ${command}`}`;
}

/** What became of flags that commands had in an earlier release. */
const REMOVED_FLAGS: Readonly<Record<string, string>> = {
  "--last": "the newest 20 behaviours are shown, and --json has all that are kept",
  "--no-learner-thread": "the learner always has a thread of its own",
  "--rekey-from": 'a source with "follow" does the same',
  "--resamples": "1,000 resamples are drawn",
  "--server-thread": "it answered fewer lists",
  "--sync-ms": "set syncMs in the configuration, or MEANDER_SYNC_MS",
};

/** A command that reports unknown options before missing ones, since a missing one may be misspelt. */
class StrictCommand extends Command {
  override createCommand(name?: string): Command {
    return new StrictCommand(name);
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    const parsed = super.parseOptions(args);
    const isRefused = this.commands.length === 0 && parsed.unknown.length > 0; // else they are a subcommand's
    if (isRefused) {
      this.options.forEach((option) => option.makeOptionMandatory(false));
      const removed = parsed.unknown.find((flag) => Object.hasOwn(REMOVED_FLAGS, flag));
      if (removed !== undefined) {
        this.error(`error: there is no ${removed} any more: ${REMOVED_FLAGS[removed]}`);
      }
    }
    return parsed;
  }
}

/** Heading of the flags that most commands share; their help ends with them. */
export const LOG_HEADING = "The log and the configuration:";

/** Creates a command. A mistake shows a hint, since the help itself would push the message off the screen. */
export function createCommand(name: string): Command {
  return new StrictCommand(name).showHelpAfterError("(see --help)").configureHelp({
    groupItems(all, visible, headingOf) {
      const { [LOG_HEADING]: log, ...own } = Object.fromEntries(
        new Help().groupItems(all, visible, headingOf),
      );
      return new Map(Object.entries(log === undefined ? own : { ...own, [LOG_HEADING]: log }));
    },
    optionDescription: (option) => new Help().optionDescription(option).replace(" (default: false)", ""),
  });
}

/** Adds a subcommand. Its own help shows as a sentence what the list of subcommands shows as a phrase. */
export function subcommand(program: Command, usage: string, about: string): Command {
  const sentence = `${about.charAt(0).toUpperCase()}${about.slice(1)}.`;
  return program.command(usage).summary(about).description(sentence);
}

/** The arguments of the current command. */
export function commandArguments(): readonly string[] {
  return called?.args ?? Deno.args;
}

/** Parses a positive whole number. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("Not a positive whole number.");
  }
  return value;
}

/** Parses a share above 0 and at most 1. */
export function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError("Not a share above 0 and at most 1.");
  return value;
}

/** Parses a whole number of at least 0. */
export function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError("Not a whole number of at least 0.");
  }
  return value;
}

/** Parses a size such as 512MB to bytes; at least 16 MB, so that every part of the memory has room for something. */
export function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError("Not a size such as 512MB.");
  const unit = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }[match[2]?.toUpperCase() ?? "B"] ?? 1;
  const bytes = Math.floor(Number(match[1]) * unit);
  if (bytes < MIN_BYTES) throw new InvalidArgumentError("Less than 16MB.");
  return bytes;
}

/**
 * Makes the folder of a file before long work, whose result would otherwise be lost at the end.
 *
 * @throws Error when the folder cannot be made or the path is that of a folder
 */
export async function makeRoomFor(file: string): Promise<void> {
  try {
    await Deno.mkdir(dirname(file), { recursive: true });
  } catch (cause) {
    throw new Error(`Cannot write ${file}: its folder cannot be made`, { cause });
  }
  const stat = await Deno.stat(file).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (stat?.isDirectory) throw new Error(`Cannot write ${file}: it is a folder`);
}

interface Output {
  writeSync(bytes: Uint8Array): number;
}

/** Writes text to standard output or standard error, with control characters escaped: parts may come from others. */
export function print(to: Output, text: string): void {
  printColoured(to, withoutUnseen(text));
}

/** Writes a line to standard output. */
export function say(line: string): void {
  print(Deno.stdout, `${line}\n`);
}

/** Writes our own text as it is. */
export function printColoured(to: Output, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

/** How the runtime reports permissions. Its advice does not apply to operators. */
const DENIED = /^Requires \w+ access to "(.+)", run again/;

/** The message of an error, with those of its causes unless it quotes them. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [, denied = ""] = DENIED.exec(error.message) ?? [];
  if (denied !== "") return `Cannot use ${denied}: the permissions of this command do not include it`;
  const [, why = "", path = ""] = SYSTEM.exec(error.message) ?? [];
  if (path !== "") return `Cannot use ${path}: ${why.toLowerCase()}`;
  const { message, cause } = error;
  if (!(cause instanceof Error) || message.includes(cause.message)) return message;
  // A message that names the file already says what is wrong with it.
  const [, , file = ""] = SYSTEM.exec(cause.message) ?? [];
  return file !== "" && message.includes(file) ? message : `${message}: ${messageOf(cause)}`;
}

/** The faults of a configuration with their remedies, two lines each, as `check` prints them. */
async function faultsOf(error: ConfigError): Promise<string> {
  const { problemsOf } = await import("../config/config_problems.ts"); // loaded lazily: it is large
  const faults = problemsOf(error).map(({ what, remedy }) => `  ${what}\n      -> ${remedy}`);
  return [`Cannot use ${error.file} as configuration:`, ...faults].join("\n");
}

/** Runs a command and exits; an error becomes a line on standard error and exit code 1. */
export async function runCommand(main: () => Promise<number>): Promise<never> {
  Deno.exit(
    await exitCodeOf(async () => {
      await warnOfVariables();
      return await main();
    }),
  );
}

/** Warns of variables without a meaning, if it has the permission to list all variables. */
async function warnOfVariables(): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "env" });
  const own = state === "granted"
    ? Object.keys(Deno.env.toObject()).filter((name) => name.startsWith("MEANDER_"))
    : [];
  if (own.length === 0) return;
  const { unknownVariables } = await import("../../streams/config/variables.ts"); // loaded lazily: it is large
  for (const warning of unknownVariables(own)) print(Deno.stderr, `warning: ${warning}\n`);
}

/** Runs a command; an error becomes a line on standard error and exit code 1. */
export async function exitCodeOf(main: () => Promise<number>): Promise<number> {
  try {
    return await main();
  } catch (error) {
    print(Deno.stderr, `error: ${error instanceof ConfigError ? await faultsOf(error) : messageOf(error)}\n`);
    if (Deno.env.get("MEANDER_DEBUG") !== undefined && error instanceof Error) {
      print(Deno.stderr, `${error.stack}\n`);
    }
    return 1;
  }
}
