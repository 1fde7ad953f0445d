/**
 * `deno task run`: starts the engine as a service, in a thread with only the permissions that its flags and its
 * configuration need.
 *
 *     deno task run --log kafka --brokers 127.0.0.1:9092 --partitions 4
 */

import { isOneOf } from "../src/values/one_of.ts";
import { STORE_OPTIONS } from "../streams/task/store/store_options.ts";
import { InvalidArgumentError, Option } from "commander";
import { MODEL_NAMES } from "../src/nn/models/registry.ts";
import { type Role, ROLES } from "../streams/service/jobs/options.ts";
import { DELIVERY } from "../streams/topics/delivery.ts";
import {
  byteSize,
  commandArguments,
  commandName,
  count,
  createCommand,
  print,
  runCommand,
  share,
} from "./flags/command_line.ts";
import {
  type Address,
  COMMIT_INTERVAL_MS,
  DEFAULT_ADDRESS,
  type Flags,
  hostAndPort,
  REBUILD_SHARE,
  SNAPSHOTS,
} from "./run/flags.ts";
import { granted, permissionsOf } from "./run/permissions.ts";
import { runThread } from "./run/start.ts";
import { addLogFlags, DURABLE_KINDS } from "./flags/log_flags.ts";
import { withMemoryBudget } from "./flags/memory_budget.ts";
import { modelFlag, optionFlag } from "./flags/option_flags.ts";

const ALL_ROLES = [...ROLES, "http"] as const;

function roles(text: string): readonly (Role | "http")[] {
  return text.split(",").map((role) => {
    if (isOneOf(ALL_ROLES, role)) return role;
    throw new InvalidArgumentError(`Roles are ${ALL_ROLES.join(", ")}, comma-separated.`);
  });
}

function address(text: string): Address {
  const [, hostname = "", digits = ""] = /^(?:(.*):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) throw new InvalidArgumentError("Not an address like 127.0.0.1:8080.");
  return { hostname: hostname.replace(/^\[(.*)\]$/, "$1") || DEFAULT_ADDRESS.hostname, port };
}

/** Until a commit, work is invisible to others, and repeated after a crash. */
const MAX_COMMIT_INTERVAL_MS = 60_000;

function commitInterval(text: string): number {
  const ms = count(text);
  if (ms > MAX_COMMIT_INTERVAL_MS) {
    throw new InvalidArgumentError(`More than ${MAX_COMMIT_INTERVAL_MS}, a minute.`);
  }
  return ms;
}

const program = addLogFlags(
  createCommand(commandName("run")).description("Run the engine as a service: answer requests and learn."),
)
  .option(
    "--roles <list>",
    `what this process does: any of ${ALL_ROLES.join(",")} (default: ${ROLES.join(",")})`,
    roles,
  )
  .option(
    "--http <host:port>",
    `serve the HTTP API and metrics (default with the role http: ${hostAndPort(DEFAULT_ADDRESS)})`,
    address,
  )
  .option(
    "--partitions <n>",
    `partitions of new topics (default: ${
      DURABLE_KINDS.map(({ kind, partitions }) => `${partitions} on ${kind}`).join(", ")
    })`,
    count,
  )
  .addOption(modelFlag())
  .addOption(
    new Option("--variant-models <names...>", "further models, for variants of experiments")
      .choices([...MODEL_NAMES]),
  )
  .option(
    "--memory <size>",
    "memory for states and embeddings, such as 512MB (default: from the limit of the control group, if there is one)",
    byteSize,
  )
  .option("--seed <n>", "seed of initial weights, sampling and exploration", Number, 0)
  .option(
    "--commit-interval <ms>",
    "time between two commits; on sqlite no answer waits for it " +
      `(default: ${COMMIT_INTERVAL_MS["exactly-once"]}, at-least-once: ${
        COMMIT_INTERVAL_MS["at-least-once"]
      })`,
    commitInterval,
  )
  .option("--snapshots <folder>", `local snapshots of the states, on Kafka (default: "${SNAPSHOTS}")`)
  .option("--no-snapshots", "on Kafka: hold all users in memory and restore from the log alone")
  .option(
    "--snapshot-interval <s>",
    STORE_OPTIONS.intervalMs.about,
    count,
    STORE_OPTIONS.intervalMs.value / 1000,
  )
  .addOption(
    optionFlag("delivery", DELIVERY, "whether answers wait for the commit, or may be repeated after a crash"),
  )
  .option(
    "--serve-version <n>",
    "serve this version of the parameters, which must be on the log (default: the newest)",
    count,
  )
  .option(
    "--members <folder>",
    "folder in which processes on this machine register, so that others notice at once when one is killed",
    ".data/members",
  )
  .option(
    "--rebuild",
    "if the configuration needs a rebuild: keep serving the old generation, build a new one alongside, then switch",
  )
  .option("--roll-back", "with --rebuild: go back to a generation that has served before")
  .option(
    "--rebuild-share <x>",
    `share of a processor that --rebuild takes (default: ${REBUILD_SHARE})`,
    share,
  )
  .option(
    "--keep-weights",
    "with --rebuild: start from the weights of the serving generation, matched by names of inputs, and learn no sample twice",
  )
  .option(
    "--archive <folders...>",
    "with --rebuild: backups with events that the log has dropped",
  )
  .option(
    "--keep <days>",
    "drop a generation this long after another one replaced it (default: keep it)",
    count,
  )
  .option("--anyway", "with --rebuild: switch even if the new generation predicts worse")
  .option("--verbose", "log more: every HTTP request")
  .option("--quiet", "log only warnings and errors")
  .addHelpText(
    "after",
    "\nExamples:\n  deno task run --http 127.0.0.1:8080\n" +
      "  deno task run --log kafka --brokers kafka-1:9092 --roles task --http 0.0.0.0:8080",
  )
  .parse(commandArguments(), { from: "user" });

/** Flags that have no effect without `--rebuild`. */
const OF_REBUILD = ["--roll-back", "--rebuild-share", "--keep-weights", "--archive", "--anyway"];

await runCommand(async () => {
  const given = program.opts<Flags>();
  const alone = program.options.find((option) =>
    OF_REBUILD.includes(option.long ?? "") && program.getOptionValue(option.attributeName()) !== undefined
  );
  if (alone !== undefined && !given.rebuild) program.error(`error: ${alone.long} needs --rebuild`);
  const say = (line: string) => {
    if (!given.quiet) print(Deno.stderr, `${line}\n`);
  };
  const flags = withMemoryBudget(given, say);
  const permissions = await granted(await permissionsOf(flags));
  return await runThread(new URL("./run/thread.ts", import.meta.url), { flags, permissions });
});
