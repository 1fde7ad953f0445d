/**
 * What commands share: arguments, output and the end of the process.
 *
 * @module
 */

import { dirname } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { Command, InvalidArgumentError, type ParseOptionsResult } from "commander";
import { ConfigError } from "../../streams/settings/config_fault.ts";

/** What the runtime says of files: `No such file or directory (os error 2): stat 'name'`. */
const SYSTEM = /^(.+) \(os error \d+\): \w+ '(.+)'$/;
const MIN_BYTES = 16 * 2 ** 20;

/** How the command at hand was called, when it was as a part of `meander`. */
let called: { readonly name: string; readonly args: readonly string[] } | undefined;

/** Says how the command that is loaded next was called. */
export function callAs(name: string, args: readonly string[]): void {
  called = { name, args };
}

/** The name of a command in its help: that of its task, if it has one. */
export function commandName(command: string): string {
  return called?.name ?? `deno task ${command in manifest.tasks ? command : `meander ${command}`}`;
}

/** A command to which an unknown option is worse than a missing one: it may be that one, misspelt. */
class FrankCommand extends Command {
  override createCommand(name?: string): Command {
    return new FrankCommand(name);
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    const parsed = super.parseOptions(args);
    const isRefused = this.commands.length === 0 && parsed.unknown.length > 0; // else they are a subcommand's
    if (isRefused) this.options.forEach((option) => option.makeOptionMandatory(false));
    return parsed;
  }
}

/** A command of a name. Below a mistake stands a hint: the help itself would push it off the screen. */
export function createCommand(name: string): Command {
  return new FrankCommand(name).showHelpAfterError("(--help says more)");
}

/** What a command was called with. */
export function commandArguments(): readonly string[] {
  return called?.args ?? Deno.args;
}

/** A whole number from 1 up. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("Not a whole number from 1 up.");
  }
  return value;
}

/** A whole number from 0 up. */
export function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError("Not a whole number from 0 up.");
  }
  return value;
}

/** A size such as 512MB, in bytes; at least 16 MB, so that every part of the memory has room for something. */
export function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError("Not a size such as 512MB.");
  const unit = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }[match[2]?.toUpperCase() ?? "B"] ?? 1;
  const bytes = Math.floor(Number(match[1]) * unit);
  if (bytes < MIN_BYTES) throw new InvalidArgumentError("Less than 16MB.");
  return bytes;
}

/**
 * Makes the folder of a file that is to be written at the end of long work, which it must not cost its result.
 *
 * @throws Error when the folder cannot be made or the path is one
 */
export async function makeRoomFor(file: string): Promise<void> {
  try {
    await Deno.mkdir(dirname(file), { recursive: true });
  } catch (cause) {
    throw new Error(`Cannot write ${file}: its folder cannot be made`, { cause });
  }
  const { isDirectory } = await Deno.stat(file).catch(() => ({ isDirectory: false }));
  if (isDirectory) throw new Error(`Cannot write ${file}: it is a folder`);
}

/** Writes text to standard output or standard error. */
export function print(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

/** What the runtime says of permissions; what it advises there is not for who deploys. */
const DENIED = /^Requires \w+ access to "(.+)", run again/;

/** The message of an error and those of its causes that it does not quote itself. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [, denied = ""] = DENIED.exec(error.message) ?? [];
  if (denied !== "") return `Cannot use ${denied}: the permissions of this command do not reach it`;
  const [, why = "", path = ""] = SYSTEM.exec(error.message) ?? [];
  if (path !== "") return `Cannot use ${path}: ${why.toLowerCase()}`;
  const { message, cause } = error;
  if (!(cause instanceof Error) || message.includes(cause.message)) return message;
  // Who names the file has said what is wrong with it.
  const [, , file = ""] = SYSTEM.exec(cause.message) ?? [];
  return file !== "" && message.includes(file) ? message : `${message}: ${reasonOf(cause)}`;
}

/** What is wrong with a configuration and what to do about it, a fault in two lines, as `check` says it. */
async function faultsOf(error: ConfigError): Promise<string> {
  const { problemsOf } = await import("../config/config_problems.ts"); // only here: it loads what has settings
  const faults = problemsOf(error).map(({ what, remedy }) => `  ${what}\n      -> ${remedy}`);
  return [`Cannot use ${error.file} as configuration:`, ...faults].join("\n");
}

/** Runs a command; an error becomes a line on standard error and the exit code 1. */
export async function runCommand(main: () => Promise<number>): Promise<never> {
  Deno.exit(await exitCodeOf(main));
}

/** Does what a command does; an error becomes a line on standard error and the exit code 1. */
export async function exitCodeOf(main: () => Promise<number>): Promise<number> {
  try {
    return await main();
  } catch (error) {
    print(Deno.stderr, `error: ${error instanceof ConfigError ? await faultsOf(error) : reasonOf(error)}\n`);
    if (Deno.env.get("MEANDER_DEBUG") !== undefined && error instanceof Error) {
      print(Deno.stderr, `${error.stack}\n`);
    }
    return 1;
  }
}
