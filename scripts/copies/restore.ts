/**
 * `deno task meander restore`: verifies a backup and turns it back into a log.
 *
 *     deno task meander restore --from backups/monday --log-path .data/meander.sqlite
 */

import { restore } from "../../streams/backup/restore.ts";
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { kindOf } from "../../streams/log/kinds/kinds.ts";
import { commandArguments, commandName, createCommand, print, runCommand } from "../flags/command_line.ts";
import { addLogFlags, type LogFlags, placeOf } from "../flags/log_flags.ts";
import { logAddressOf } from "../flags/service_flags.ts";
import { describe, progress } from "./report.ts";

interface Flags extends LogFlags {
  readonly from: string;
  readonly verify?: true;
  readonly erased?: string;
}

async function main(flags: Flags): Promise<number> {
  const { kind, options } = await logAddressOf(flags);
  const verifyOnly = flags.verify === true;
  const tell = progress(verifyOnly ? "verified" : "verified or restored");
  const made = await restore({
    from: flags.from,
    kind: kindOf(kind),
    options,
    prefix: flags.prefix,
    reads: NEWEST_FORMATS,
    verifyOnly,
    erased: flags.erased,
    now: Date.now,
    tell,
  });
  if (made.erasedAgain > 0) {
    print(
      Deno.stderr,
      `erased since the backup: ${made.erasedAgain} of its users; \`run\` erases them again when it starts\n`,
    );
  }
  const what = `${describe(made)} of ${made.made}, by ${made.by}`;
  print(Deno.stdout, verifyOnly ? `intact: ${what}\n` : `done: ${placeOf(flags)} has ${what}\n`);
  return 0;
}

const name = commandName("restore");
const program = addLogFlags(
  createCommand(name).description(
    "Verify a backup and turn it back into a log, which must not exist yet.",
  ),
)
  .requiredOption("--from <folder>", "the backup")
  .option("--verify", "only verify the backup")
  .option(
    "--erased <path>",
    "a receipt of `forget`, or a folder of them: users erased since the backup was made are erased again",
  )
  .addHelpText(
    "after",
    `\nExamples:\n  ${name} --from backups/monday --verify\n  ${name} --from backups/monday --log-path .data/new.sqlite`,
  )
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
