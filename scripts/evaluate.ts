/**
 * `deno task meander evaluate`: estimates what another policy would have earned, from the log of this
 * one; or measures this engine's lists on a stream of behaviours, next to simple methods.
 *
 *     deno task meander evaluate --policy greedy.json --log sqlite --log-path .data/meander.sqlite
 *     deno task meander evaluate --policy bts.json --data ../shared/data/open-bandit/random/men
 *     deno task meander evaluate --protocol next-item --data events.jsonl --positives purchase
 */

import { TASK_OPTIONS } from "../src/engine/task_options.ts";
import { configBeside, readConfig } from "../streams/config/read.ts";
import { InvalidArgumentError, Option } from "commander";
import {
  evaluatePolicy,
  type Evaluation,
  type EvaluationOptions,
  type LoggedList,
  type Slate,
  SLATES,
} from "../src/experiments/off_policy.ts";
import { readRecommendationLog } from "../streams/evaluation/recommendation_log.ts";
import { readBanditLog } from "../streams/evaluation/bandit_log.ts";
import { readTargetPolicy, type TargetPolicy } from "../streams/evaluation/target_policy.ts";
import { openSource } from "../streams/sources/open.ts";
import { MODEL_NAMES, type ModelName } from "../src/nn/models/registry.ts";
import type { CandidateOrder } from "../src/scorer/ordering.ts";
import { servingTopics } from "../streams/topics/serving.ts";
import {
  commandArguments,
  commandName,
  count,
  createCommand,
  integer,
  print,
  runCommand,
} from "./flags/command_line.ts";
import { weightBars } from "./evaluate/weight_bars.ts";
import { PROTOCOL_MODEL } from "./evaluate/learning.ts";
import { reportNextItem } from "./evaluate/next_item_report.ts";
import { streamOf } from "./evaluate/stream.ts";
import { parsePositives, type Positive } from "./evaluate/targets.ts";
import { addLogFlags, type LogFlags, mustExist } from "./flags/log_flags.ts";
import { FORMAT_HELP, recordFormat } from "./flags/record_format.ts";
import { openLog } from "./flags/service_flags.ts";

interface Flags extends LogFlags {
  readonly policy?: string;
  readonly protocol?: "next-item";
  readonly format: string;
  readonly ranking?: CandidateOrder;
  readonly model: ModelName;
  readonly limit?: number;
  readonly positives?: readonly Positive[];
  readonly knownUsers?: boolean;
  /** `true` by `--without-own`, `false` by `--with-own`. */
  readonly withoutOwn?: boolean;
  readonly withOwn?: boolean;
  readonly from?: number;
  readonly queries: number;
  readonly leaderboard: boolean;
  readonly data?: string;
  readonly slate: Slate;
  readonly clip?: number;
  readonly seed: number;
  readonly force?: boolean;
  readonly json?: string;
}

const program = createCommand(commandName("evaluate"))
  .description(
    "Measure how good this engine's lists are on a stream of behaviours, next to simple methods (--protocol next-item), " +
      "or estimate what another policy would have earned, from a log with propensities (--policy).",
  )
  .addOption(
    new Option("--protocol <name>", "run this protocol on --data; see docs/reference/protocols.md")
      .choices(["next-item"]).conflicts("policy"),
  )
  .option("--policy <file>", "policy to evaluate, as JSON; see docs/explanation/off-policy.md")
  .option(
    "--data <path>",
    "the stream to evaluate on, next to its meander.json; with --policy, Open Bandit files in place of a log",
  )
  .option(
    "--seed <n>",
    "determines which behaviours are judged, the weights of a model, the bootstrap",
    integer,
    0,
  )
  .option("--json <file>", "write the figures as JSON");

program.optionsGroup("With --protocol next-item:")
  .option("--format <name>", FORMAT_HELP, "meander")
  .option(
    "--positives <actions>",
    "behaviours to judge, such as purchase,rating>=4 (default: those that the blend learns from)",
    parsePositives,
  )
  .option("--known-users", "do not judge the first behaviour of a user (default for taobao)")
  .option(
    "--without-own",
    "leave items that the user already had out of the lists (default: unless users return to items)",
  )
  .addOption(
    new Option("--with-own", "let lists contain items that the user already had").conflicts("withoutOwn"),
  )
  .option("--limit <n>", "stop after this many behaviours", count)
  .option("--from <n>", "behaviour at which the later part begins (default: the middle)", integer)
  .option("--queries <n>", "judge about this many behaviours, drawn at random", count, 200_000)
  .option("--no-leaderboard", "judge only the configured ranking, three times as fast")
  .addOption(
    new Option(
      "--ranking <name>",
      "what orders the candidates (default: as configured, else auto)",
    ).choices(["auto", "blend", "model", "both"]),
  )
  .addOption(
    new Option("--model <name>", "model to train when the ranking needs one").choices([...MODEL_NAMES])
      .default(PROTOCOL_MODEL),
  );

program.optionsGroup("With --policy:")
  .addOption(
    new Option("--slate <name>", "what the reward of a place depends on").choices([...SLATES]).default(
      "cascade",
    ),
  )
  .option("--clip <weight>", "clip weights at this (default: no clipping)", positive)
  .option("--force", "give estimates even when the log cannot support them");

addLogFlags(program);

async function main(flags: Flags): Promise<number> {
  if (flags.protocol !== undefined) return await protocol(flags);
  if (flags.policy === undefined) {
    throw new Error("Cannot evaluate: give --policy <file> or --protocol <name>");
  }
  const policy = await readTargetPolicy(flags.policy);
  const lists = flags.data === undefined ? await fromLog(flags, policy) : await fromFiles(flags.data, policy);
  const { slate, clip, seed, force } = flags;
  const options: EvaluationOptions = { slate, clip, seed, force: force === true };
  const evaluation = evaluatePolicy(lists, options);
  print(Deno.stdout, render(evaluation));
  if (flags.json !== undefined) {
    await Deno.writeTextFile(flags.json, `${JSON.stringify({ policy, options, ...evaluation }, null, 2)}\n`);
  }
  return evaluation.refusals.length > 0 && force !== true ? 2 : 0;
}

async function protocol(flags: Flags): Promise<number> {
  const { data, format } = flags;
  if (data === undefined) throw new Error("Cannot run a protocol without data: give --data <path>");
  await Deno.stat(data); // its configuration is next to it, so a wrong path would hide the sources
  const config = await readConfig(flags.config, await configBeside(data));
  const stream = streamOf(recordFormat(format, config.sources), data);
  const ranking = flags.ranking ?? config.ranking ?? TASK_OPTIONS.ranking.value;
  const retrieval = config.retrieval ?? stream.profile.retrieval;
  const own = flags.withOwn === true ? false : flags.withoutOwn;
  return await reportNextItem({
    stream,
    config: { ...config, ranking, retrieval },
    limit: flags.limit,
    queries: flags.queries,
    positives: flags.positives,
    knownUsers: flags.knownUsers,
    withoutOwn: own,
    seed: flags.seed,
    ...(flags.leaderboard ? {} : { sources: false, baselines: [] }),
    ...(ranking === "blend" ? {} : { model: flags.model }),
  }, { json: flags.json, from: flags.from });
}

async function fromFiles(path: string, policy: TargetPolicy): Promise<readonly LoggedList[]> {
  if (policy.name !== "uniform" && policy.name !== "table") {
    throw new Error(
      `Cannot evaluate policy ${policy.name} on ${path}: its rows have no scores; use uniform, table or ` +
        `bernoulli-thompson`,
    );
  }
  const { lists, items, rejected } = await readBanditLog(openSource("open-bandit", path), policy);
  if (rejected > 0) print(Deno.stderr, `${rejected} rows could not be read and were left out\n`);
  print(Deno.stdout, `${path}: ${lists.length} rows, ${items} items\n`);
  return lists;
}

async function fromLog(flags: Flags, policy: TargetPolicy): Promise<readonly LoggedList[]> {
  if (policy.name === "uniform" || policy.name === "table" || policy.name === "thompson") {
    throw new Error(
      `Cannot evaluate policy ${policy.name} on the log of a deployment: use greedy, epsilon or boltzmann ` +
        `over the logged scores`,
    );
  }
  await mustExist(flags);
  await using log = await openLog(flags);
  const { lists, skipped, withoutCandidates, drafted, chosenBy } = await readRecommendationLog(
    log,
    await servingTopics(log, flags.prefix),
    policy,
  );
  if (skipped > 0) {
    print(
      Deno.stderr,
      `${skipped} samples are left out: their answer is not on the log, or a different list was shown\n`,
    );
  }
  if (drafted > 0) {
    print(Deno.stderr, `${drafted} lists were interleaved from two variants and are left out\n`);
  }
  if (withoutCandidates > 0) {
    print(
      Deno.stderr,
      `${withoutCandidates} answers lack their candidates: set "logCandidates": true\n`,
    );
  }
  if (lists.length === 0) {
    throw new Error("Cannot evaluate: no answer on the log has both candidates and an outcome");
  }
  const by = [...chosenBy].map(([name, count]) => `${name} in ${count}`).join(", ");
  print(Deno.stdout, `the policy chooses by the values that ordered the lists: ${by}\n`);
  if (chosenBy.has("score")) {
    print(
      Deno.stderr,
      `${
        chosenBy.get("score")
      } lists were made by 0.2.0: the policy chooses by their scores, whatever ordered them\n`,
    );
  }
  return lists;
}

function render({ lists, units, logged, loggedError, overlap, refusals, estimates }: Evaluation): string {
  const figure = (value: number) => value.toPrecision(3);
  const lines = [
    `${lists} lists of ${units} units, reward per list ${figure(logged)} ± ${figure(loggedError)} as logged`,
    `weights: mean ${overlap.meanWeight.toFixed(3)} ± ${(1.96 * overlap.meanWeightError).toFixed(3)}, ` +
    `largest ${figure(overlap.maxWeight)}, effective sample size ${Math.round(overlap.effective)}`,
    "",
    ...weightBars(overlap.histogram),
    "",
  ];
  if (overlap.cut > 0) {
    lines.push(
      `cut: ${
        (100 * overlap.cut).toPrecision(2)
      } % of the weight, so a large part of the policy is left out of ` +
        "the estimates, which are biased",
    );
  }
  for (const refusal of refusals) lines.push(`refused: ${refusal}`);
  if (estimates.length > 0) {
    lines.push("estimator   reward per list 95 % normal            95 % bootstrap");
    for (const { estimator, value, normal, bootstrap } of estimates) {
      const range = bootstrap === null ? "-" : `${figure(bootstrap.low)} .. ${figure(bootstrap.high)}`;
      lines.push(
        estimator.padEnd(12) + figure(value).padEnd(16) +
          `${figure(normal.low)} .. ${figure(normal.high)}`.padEnd(23) + range,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError("Not a number above 0.");
  return value;
}

program.parse(commandArguments(), { from: "user" });
const flags = program.opts<Flags>();

await runCommand(() => main(flags));
