/** `deno task meander -- <command>`: every command under one name, also when installed or compiled. */

import type { Command } from "commander";
import manifest from "../deno.json" with { type: "json" };
import { callAs, createCommand } from "./flags/command_line.ts";

/** A command: what it does, and the module that does it when it is loaded. */
type Entry = readonly [about: string, load: () => Promise<unknown>];

/** Commands by name, grouped by purpose. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  "Begin:": {
    init: ["write a starting configuration", () => import("./init.ts")],
    replay: ["replay a data set through the whole loop", () => import("./replay.ts")],
    simulate: ["run a closed loop of simulated users, with an experiment", () => import("./simulate.ts")],
  },
  "Run a deployment:": {
    run: ["run the engine as a service", () => import("./run.ts")],
    ingest: ["feed a data set into a deployment", () => import("./ingest.ts")],
    map: [
      "try mappings on the first records of files or topics, or suggest some",
      () => import("./map.ts"),
    ],
    check: ["examine a deployment and its configuration, and report problems", () => import("./check.ts")],
    rebuild: ["build a new generation from the log, as configured now", () => import("./rebuild.ts")],
    backup: ["copy a deployment into a folder, while it serves", () => import("./copies/backup.ts")],
    restore: ["verify a backup and turn it back into a log", () => import("./copies/restore.ts")],
    export: ["export events, items or results as JSON lines or Parquet", () => import("./copies/export.ts")],
    kafka: ["run a Kafka broker for development", () => import("./kafka.ts")],
  },
  "Query a running deployment:": {
    inspect: ["show what is known about a user", () => import("./ask/inspect.ts")],
    explain: ["show what a user would be recommended, and why", () => import("./ask/explain.ts")],
    "why-not": ["show what keeps an item off a user's list", () => import("./ask/why_not.ts")],
    models: ["show models, their versions and their learners", () => import("./ask/models.ts")],
    rejected: [
      "show rejected records and the reasons; try them again",
      () => import("./rejected.ts"),
    ],
    forget: ["erase a user, with a receipt", () => import("./ask/forget.ts")],
    experiment: ["start, show, stop and promote experiments", () => import("./experiment.ts")],
  },
  "Measure:": {
    evaluate: [
      "compare lists with simple methods, or judge a policy on a log",
      () => import("./evaluate.ts"),
    ],
    protocols: ["run a public one-pass benchmark", () => import("./research/protocols.ts")],
    ablate: ["measure the models with one part removed at a time", () => import("./research/ablate.ts")],
  },
};

const COMMANDS: ReadonlyMap<string, Entry> = new Map(
  Object.values(GROUPS).flatMap((entries) => Object.entries(entries)),
);

/** The commands as their help shows them. */
function help(): Command {
  const program = createCommand("meander")
    .description(
      "A streaming recommendation engine: events in, recommendations out, learning while it serves.",
    )
    .version(manifest.version)
    .usage("<command> [options]")
    .addHelpText(
      "after",
      "\nExamples:\n  meander replay\n  meander run --http 127.0.0.1:8080\n  meander explain u277\n\n" +
        "See also `meander <command> --help`. Exit code: 0 done; 1 it failed, something is missing, or a flag is\n" +
        "wrong; 2 the check itself failed (check), the erasure is not done yet (forget), or the log cannot support an\n" +
        "estimate (evaluate).",
    );
  for (const [heading, entries] of Object.entries(GROUPS)) {
    program.commandsGroup(heading);
    for (const [name, [about]] of Object.entries(entries)) {
      program.command(name).description(about).action(() => {});
    }
  }
  return program;
}

/** `--` comes from `deno task`. */
const [name = "--help", ...rest] = Deno.args[0] === "--" ? Deno.args.slice(1) : Deno.args;
const [, load] = COMMANDS.get(name === "help" && rest[0] !== undefined ? rest[0] : name) ?? [];
if (load === undefined) {
  // Names an unknown command, even if its help is asked for.
  help().parse(name.startsWith("-") || name === "help" ? [name, ...rest] : [name], { from: "user" });
} else if (name === "help") {
  callAs(`meander ${rest[0]}`, ["--help"]);
  await load();
} else {
  callAs(`meander ${name}`, rest);
  await load();
}
