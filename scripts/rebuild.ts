/**
 * `deno task meander rebuild`: builds a new generation of a deployment from its log, as configured now, which serves
 * from the next start on. After a stop or a kill, the same command resumes.
 *
 *     deno task meander rebuild --config meander.json --model dien
 */

import { dropGeneration } from "../streams/service/erasure/drop_generation.ts";
import { topicNames } from "../streams/topics/topics.ts";
import { readConfig } from "../streams/config/read.ts";
import {
  byteSize,
  commandArguments,
  commandName,
  count,
  createCommand,
  integer,
  runCommand,
  say,
  share,
} from "./flags/command_line.ts";
import { addLogFlags, type LogFlags, mustExist } from "./flags/log_flags.ts";
import { modelFlag } from "./flags/option_flags.ts";
import { withMemoryBudget } from "./flags/memory_budget.ts";
import { openLog } from "./flags/service_flags.ts";
import { rebuildDeployment, type RebuildFlags } from "./rebuild/deployment.ts";

interface Flags extends LogFlags, Omit<RebuildFlags, "prefix" | "memory"> {
  readonly memory?: number;
  readonly drop?: number;
}

const program = addLogFlags(
  createCommand(commandName("rebuild")).description(
    "Build a new generation of a deployment from its log, as configured now; it serves from the next start.",
  ),
)
  .addOption(modelFlag())
  .option("--seed <n>", "seed of initial weights, sampling and exploration", integer, 0)
  .option("--memory <size>", "memory for states and embeddings, such as 512MB", byteSize)
  .option(
    "--partitions <n>",
    "number of tasks: the partitions of events, or a multiple (default: unchanged)",
    count,
  )
  .option("--share <x>", "share of a processor to use", share, 1)
  .option(
    "--keep-weights",
    "start from the weights of the serving generation, matched by names of inputs, and learn no sample twice",
  )
  .option("--archive <folders...>", "backups with events and answers that the log has dropped")
  .option("--no-switch", "build it, but keep the current one serving")
  .option("--anyway", "switch even if the new generation predicts worse")
  .option("--drop <n>", "instead of building, drop a generation that does not serve", count)
  .addHelpText(
    "after",
    "\nTo go back, restore the old configuration and rebuild again: later events are added to the old generation.\n" +
      "\nExamples:\n  deno task meander rebuild --config meander.json\n" +
      "  deno task meander rebuild --log kafka --brokers kafka-1:9092 --share 0.5 --no-switch",
  )
  .parse(commandArguments(), { from: "user" });

await runCommand(async () => {
  const flags = withMemoryBudget(program.opts<Flags>(), say);
  await mustExist(flags);
  const config = await readConfig(flags.config);
  await using log = await openLog(flags, { config });
  if (flags.drop !== undefined) {
    const dropped = await dropGeneration(log, topicNames(flags.prefix), flags.drop, Date.now());
    say(`generation ${flags.drop} was dropped: ${dropped} offsets`);
    return 0;
  }
  return await rebuildDeployment(log, config, flags, say);
});
