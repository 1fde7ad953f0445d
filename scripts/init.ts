/** `deno task meander -- init`: writes a configuration to start with, every line a comment with the default. */

import {
  commandArguments,
  commandName,
  createCommand,
  makeRoomFor,
  print,
  runCommand,
} from "./flags/command_line.ts";
import { configTemplate } from "./config/config_template.ts";

interface Flags {
  readonly all?: true;
  readonly force?: true;
}

async function main(file: string, { all, force }: Flags): Promise<number> {
  await makeRoomFor(file);
  try {
    await Deno.writeTextFile(file, configTemplate(all ?? false), { createNew: !force });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new Error(`Cannot write ${file}: it exists; use --force to replace it`);
  }
  print(Deno.stdout, `wrote ${file}; values in comments are the defaults\n`);
  return 0;
}

const name = commandName("init");
const program = createCommand(name)
  .description(
    "Write a starting configuration: every line is a comment with the default and the meaning.",
  )
  .argument("[file]", "file to write", "meander.json")
  .option("--all", "include learner, guard, models and Kafka")
  .option("--force", "replace an existing file")
  .addHelpText("after", `\nExamples:\n  ${name}\n  ${name} config/shop.json --all`)
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.processedArgs[0], program.opts<Flags>()));
