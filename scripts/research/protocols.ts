/**
 * Published benchmarks through our own learner: P2, click prediction on the SparrowRecSys samples; P3, sampled ranking on
 * two hours of Taobao; and the lists of MIND. `docs/reference/protocols.md` has the exact rules and our figures.
 *
 * ```sh
 * deno task meander protocols p2 --data ../shared/data/sparrowrecsys --model din --seed 0
 * deno task meander protocols p3 --data ../shared/data/taobao-userbehavior --model dien --seed 0
 * ```
 */

import { reasonOf } from "../../src/values/reason.ts";
import { readConfig } from "../../streams/config/read.ts";
import { Argument, InvalidArgumentError, Option } from "commander";
import { MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import type { Config } from "../../streams/config/config.ts";
import type { Protocol } from "./protocols/protocol.ts";
import { PROTOCOLS } from "./protocols/protocols.ts";
import { commandArguments, commandName, createCommand } from "../flags/command_line.ts";

interface Flags {
  readonly data: string;
  readonly model: ModelName;
  readonly seed: number;
  readonly heldOut: boolean;
  readonly config?: string;
  readonly json?: string;
}

const command = createCommand(commandName("protocols"))
  .description("Learn a benchmark in one pass and print its figures.")
  .addArgument(new Argument("<protocol>", "which benchmark").choices(Object.keys(PROTOCOLS)))
  .requiredOption("--data <folder>", "folder of the data")
  .addOption(new Option("--model <name>", "model that learns").choices([...MODEL_NAMES]).default("din"))
  .option("--seed <n>", "seed of the initial weights and, in P2, of the order of the rows", integer, 0)
  .option("--held-out", "tune: judge on a part held out of the training rows, never on the test rows", false)
  .option("--config <file>", "learner, models and batchRows, as in meander.json", undefined)
  .option("--json <file>", "write the figures as JSON")
  .action(run);

async function run(name: keyof typeof PROTOCOLS, flags: Flags): Promise<void> {
  const protocol: Protocol = PROTOCOLS[name];
  const own = await readConfig(flags.config, null);
  const config = merged(protocol.config, own, flags.model);
  const data = await protocol.read(flags.data, flags.seed, config);
  const started = performance.now();
  const { rows, judged, figures } = protocol.run(data, { ...flags, config });
  const seconds = (performance.now() - started) / 1000;
  const text = Object.entries(figures).map(([figure, value]) => `${figure} ${value?.toFixed(4) ?? "–"}`);
  print(
    `${name} ${flags.model} seed ${flags.seed}${flags.heldOut ? " held out" : ""}  ${text.join("  ")}  ` +
      `(${judged} rows judged, ${Math.round(rows / seconds)} rows/s)`,
  );
  if (flags.json === undefined) return;
  const { model, seed, heldOut } = flags;
  const report = { protocol: name, model, seed, heldOut, config, figures, rows, judged, seconds };
  await Deno.writeTextFile(flags.json, `${JSON.stringify(report, null, 2)}\n`);
}

/** The protocol's configuration, overridden by the user's field by field. */
function merged(base: Config, over: Config, model: ModelName): Config {
  return {
    ...base,
    ...over,
    learner: { ...base.learner, ...over.learner },
    models: { [model]: { ...base.models?.[model], ...over.models?.[model] } },
  };
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError("Not a whole number of at least 0.");
  }
  return value;
}

function print(line: string, to: { writeSync(bytes: Uint8Array): number } = Deno.stdout): void {
  to.writeSync(new TextEncoder().encode(`${line}\n`));
}

try {
  await command.parseAsync(commandArguments(), { from: "user" });
} catch (error) {
  print(`error: ${reasonOf(error)}`, Deno.stderr);
  Deno.exit(1);
}
