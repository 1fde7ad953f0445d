/**
 * `deno task meander backup`: copies a deployment into a folder, while it serves.
 *
 *     deno task meander backup --to backups/monday
 */

import manifest from "../../deno.json" with { type: "json" };
import { backUp } from "../../streams/backup/backup.ts";
import { kindOf } from "../../streams/log/kinds/kinds.ts";
import { commandArguments, commandName, createCommand, print, runCommand } from "../flags/command_line.ts";
import { addLogFlags, type LogFlags, mustExist } from "../flags/log_flags.ts";
import { logAddressOf } from "../flags/service_flags.ts";
import { describe, progress } from "./report.ts";

interface Flags extends LogFlags {
  readonly to: string;
}

async function main(flags: Flags): Promise<number> {
  await mustExist(flags);
  const { kind, options } = await logAddressOf(flags);
  const begun = performance.now();
  const made = await backUp({
    kind: kindOf(kind),
    options,
    prefix: flags.prefix,
    to: flags.to,
    by: manifest.version,
    now: Date.now,
    tell: progress("copied"),
  });
  const seconds = (performance.now() - begun) / 1000;
  print(
    Deno.stdout,
    `done: ${flags.to} is a checked backup of ${describe(made)}, made in ${seconds.toFixed(1)} s\n`,
  );
  return 0;
}

const name = commandName("backup");
const program = addLogFlags(
  createCommand(name).description(
    "Copy a deployment into a folder, while it serves, and check the copy.",
  ),
)
  .requiredOption("--to <folder>", "folder to make")
  .addHelpText("after", `\nExample:\n  ${name} --to backups/monday`)
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
