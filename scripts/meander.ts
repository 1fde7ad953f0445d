/**
 * `deno task meander -- <command>`: every command under one name; also for `deno install` and `deno compile`.
 *
 * @module
 */

import type { Command } from "commander";
import manifest from "../deno.json" with { type: "json" };
import { callAs, createCommand } from "./flags/command_line.ts";

/** A command: what it does, and the module that does it when it is loaded. */
interface Entry {
  readonly about: string;
  readonly load: () => Promise<unknown>;
}

/** Commands by name, grouped by purpose. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  "Begin:": {
    init: { about: "write a starting configuration", load: () => import("./init.ts") },
    replay: { about: "replay a data set through the whole loop", load: () => import("./replay.ts") },
    simulate: {
      about: "run a closed loop of simulated users, with an experiment",
      load: () => import("./simulate.ts"),
    },
  },
  "Run a deployment:": {
    run: { about: "run the engine as a service", load: () => import("./run.ts") },
    ingest: { about: "feed a data set or a topic into a deployment", load: () => import("./ingest.ts") },
    map: {
      about: "try a mapping on the first records of a file or a topic, or suggest one",
      load: () => import("./map.ts"),
    },
    check: {
      about: "examine a deployment and its configuration, and say what is wrong",
      load: () => import("./check.ts"),
    },
    rebuild: {
      about: "build a new generation from the log, as configured now",
      load: () => import("./rebuild.ts"),
    },
    backup: {
      about: "copy a deployment into a folder, while it serves",
      load: () => import("./copies/backup.ts"),
    },
    restore: {
      about: "verify a backup and turn it back into a log",
      load: () => import("./copies/restore.ts"),
    },
    export: {
      about: "export events, items or results as JSON lines or Parquet",
      load: () => import("./copies/export.ts"),
    },
    kafka: { about: "run a Kafka broker for development", load: () => import("./kafka.ts") },
  },
  "Ask a running one:": {
    inspect: { about: "show what is known about a user", load: () => import("./ask/inspect.ts") },
    explain: {
      about: "show what a user would be recommended, and why",
      load: () => import("./ask/explain.ts"),
    },
    "why-not": { about: "show what keeps an item off a user's list", load: () => import("./ask/why_not.ts") },
    models: { about: "models, versions, learners", load: () => import("./ask/models.ts") },
    rejected: {
      about: "show rejected records and why they were rejected; try them again",
      load: () => import("./rejected.ts"),
    },
    forget: { about: "erase a user, with a receipt", load: () => import("./ask/forget.ts") },
    experiment: {
      about: "start, watch, stop and promote experiments",
      load: () => import("./experiment.ts"),
    },
  },
  "Measure:": {
    evaluate: {
      about: "off-policy estimates and recommendation benchmarks",
      load: () => import("./evaluate.ts"),
    },
    protocols: {
      about: "run a public one-pass benchmark",
      load: () => import("./research/protocols.ts"),
    },
    ablate: {
      about: "measure the models with one part removed at a time",
      load: () => import("./research/ablate.ts"),
    },
    labels: { about: "compare the label policies", load: () => import("./research/label_bias.ts") },
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
        "wrong; 2 the check itself failed (check), or it is not done yet (forget).",
    );
  for (const [heading, entries] of Object.entries(GROUPS)) {
    program.commandsGroup(heading);
    for (const [name, { about }] of Object.entries(entries)) {
      program.command(name).description(about).action(() => {});
    }
  }
  return program;
}

/** `--` comes from `deno task`. */
const [name = "--help", ...rest] = Deno.args[0] === "--" ? Deno.args.slice(1) : Deno.args;
const command = COMMANDS.get(name === "help" && rest[0] !== undefined ? rest[0] : name);
if (command === undefined) {
  // Names an unknown command, even if its help is asked for.
  help().parse(name.startsWith("-") || name === "help" ? [name, ...rest] : [name], { from: "user" });
} else if (name === "help") {
  callAs(`meander ${rest[0]}`, ["--help"]);
  await command.load();
} else {
  callAs(`meander ${name}`, rest);
  await command.load();
}
