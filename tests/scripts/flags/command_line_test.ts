import { test } from "node:test";
import { CommanderError } from "commander";
import assert from "node:assert/strict";
import { createCommand, print, subcommand } from "../../../scripts/flags/command_line.ts";
import { addLogFlags } from "../../../scripts/flags/log_flags.ts";

/** What a command prints for these arguments; both of its subcommands require `--from`. */
function said(...args: readonly string[]): string {
  let text = "";
  const program = createCommand("feed")
    .exitOverride()
    .configureOutput({ writeErr: (more) => text += more, writeOut: (more) => text += more });
  program.command("file").requiredOption("--from <path>", "what to read").option("--form <name>", "its form");
  program.command("topic").requiredOption("--from <name>", "what to read").action(() => {});
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
  }
  return text;
}

test("createCommand() reports an unknown option before a missing one, and suggests the one that is meant", () => {
  const hint = "\n(see --help)\n";
  const unknown = `error: unknown option '--form'\n(Did you mean --from?)${hint}`;
  for (
    const [args, expected] of [
      [["topic", "--form", "x"], unknown],
      [["topic", "--from", "x", "--form", "x"], unknown],
      [["topic"], `error: required option '--from <name>' not specified${hint}`],
      [["topic", "--from", "x"], ""],
      [["file", "--form", "x"], `error: required option '--from <path>' not specified${hint}`],
      [["file", "--form", "x", "--fast"], `error: unknown option '--fast'${hint}`],
      [
        ["topic", "--sync-ms", "5"],
        `error: there is no --sync-ms any more: set syncMs in the configuration, or MEANDER_SYNC_MS${hint}`,
      ],
    ] as const
  ) assert.equal(said(...args), expected, args.join(" "));
  assert.match(said("topic", "--help"), /--from <name> +what to read/);
});

test("createCommand() prints a command's own flags before those of the log", () => {
  const command = addLogFlags(createCommand("feed")).option("--from <path>", "what to read");
  assert.match(command.helpInformation(), /--from[^]*-h, --help[^]*The log and the config[^]*--log /);
});

test("subcommand() shows a phrase in the list and a sentence in the help, where flags have no default", () => {
  const program = createCommand("feed");
  const topic = subcommand(program, "topic", "read a topic").option("--fresh", "empty it first", false);
  assert.match(program.helpInformation(), /^ {2}topic \[options\] +read a topic$/m);
  assert.match(topic.helpInformation(), /\n\nRead a topic\.\n\n[^]*--fresh +empty it first\n/);
});

test("print() lets no record move the cursor, hide text or reverse it", () => {
  let text = "";
  const to = { writeSync: (bytes: Uint8Array) => (text += new TextDecoder().decode(bytes), bytes.length) };
  print(to, '"\u001b]0;mine\u0007", \u009b2J, \r\n\tb\u00fc\u202ecba\u2066, [a](http://[) `b`\n');
  assert.equal(
    text,
    '"\\u001b]0;mine\\u0007", \\u009b2J, \\u000d\n\tb\u00fc\\u202ecba\\u2066, [a](http://[) `b`\n',
  );
});
