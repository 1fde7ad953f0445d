/**
 * Injects faults into a deployment on a real Kafka broker and checks its promises: every request answered once, every
 * sample learnt once, every state as in a run without faults. Needs Java 17 and Maven.
 *
 *     deno run -A scripts/chaos.ts                 # a minute
 *     deno run -A scripts/chaos.ts --long          # 200,000 events, 100 kills: a quarter of an hour
 *     deno run -A scripts/chaos.ts --cluster       # three brokers, which fail one after the other: four minutes
 *     deno run -A scripts/chaos.ts --seed 7        # other users, other faults
 */

import { Option } from "commander";
import { MODEL_NAMES, type ModelName } from "../src/nn/models/registry.ts";
import { DELIVERIES, type Delivery } from "../streams/topics/delivery.ts";
import { runChaos } from "../tests/chaos/chaos.ts";
import { describe, makeSchedule } from "../tests/chaos/schedule.ts";
import { CLUSTER, LONG, SHORT } from "../tests/chaos/sizes.ts";
import {
  commandArguments,
  commandName,
  count,
  createCommand,
  integer,
  print,
  runCommand,
  say,
} from "./flags/command_line.ts";

interface Flags {
  readonly seed: number;
  readonly long: boolean;
  readonly cluster: boolean;
  readonly events?: number;
  readonly model: ModelName;
  readonly delivery: Delivery;
  readonly show: boolean;
  readonly folder?: string;
}

async function main(flags: Flags): Promise<number> {
  const size = flags.cluster ? CLUSTER : flags.long ? LONG : SHORT;
  const { seed, model, delivery } = flags;
  const schedule = makeSchedule({ seed, counts: size.counts, monitors: size.monitors, gapMs: size.gapMs });
  if (flags.show) {
    print(Deno.stdout, describe(schedule));
    return 0;
  }
  const folder = flags.folder ?? await Deno.makeTempDir({ prefix: "meander-chaos-" });
  say(`seed ${seed}, ${schedule.length} faults, ${model}; logs are in ${folder}`);
  const { problems, figures } = await runChaos({
    seed,
    schedule,
    events: flags.events ?? size.events,
    users: size.users,
    monitors: size.monitors,
    brokers: flags.cluster ? 3 : 1,
    model,
    delivery,
    folder,
    tell: say,
  });
  for (const [name, value] of Object.entries(figures)) say(`${name}: ${value}`);
  if (problems.length === 0) {
    say("all is well");
    if (flags.folder === undefined) await Deno.remove(folder, { recursive: true });
    return 0;
  }
  const again = [`${commandName("chaos")} --seed`, seed, ...commandArguments().filter((_, at) => !isSeed(at))]
    .join(" ");
  print(Deno.stdout, `\n${problems.join("\n")}\n\nthe faults of seed ${seed}:\n${describe(schedule)}`);
  say(`${problems.length} problems; repeat with: ${again}`);
  return 1;
}

/** Whether the argument at a place is the seed or its flag. */
function isSeed(at: number): boolean {
  return commandArguments()[at] === "--seed" || commandArguments()[at - 1] === "--seed";
}

const program = createCommand(commandName("chaos"))
  .description("Inject faults into a deployment on Kafka and check its promises.")
  .option("--seed <n>", "seed of users and faults", integer, 1)
  .option("--long", "200,000 events, 100 kills and all other faults, for a quarter of an hour", false)
  .option("--cluster", "three brokers, which are killed, frozen and cut off, one at a time", false)
  .option("--events <n>", "events that users make", count)
  .addOption(
    new Option("--model <name>", "model that scores and learns").choices([...MODEL_NAMES]).default("base"),
  )
  .addOption(
    new Option("--delivery <mode>", "how answers are sent").choices([...DELIVERIES]).default("exactly-once"),
  )
  .option("--show", "only print the faults of the seed", false)
  .option("--folder <path>", "folder for the broker's data and the logs of processes")
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
