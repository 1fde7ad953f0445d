/**
 * Runs whole deployments in simulated worlds, each determined by a seed, and checks their promises.
 *
 *     deno task simulate-faults --minutes 60         # new seeds, for an hour
 *     deno task simulate-faults --seed 7             # this one again, byte for byte
 *     deno task simulate-faults --seed 7 --show      # with the logs of the processes
 *     deno task simulate-faults --fixed              # those of CI, and all that have ever failed
 */

import { Option } from "commander";
import { MUTANTS, withoutFix } from "../tests/faults/mutants.ts";
import { replacements } from "../tests/faults/replacements.ts";
import { type Trial, TRIALS } from "../tests/faults/plan.ts";
import {
  commandArguments,
  commandName,
  count,
  createCommand,
  integer,
  runCommand,
} from "./flags/command_line.ts";

interface Flags {
  readonly seed?: number;
  readonly seeds?: number;
  readonly minutes?: number;
  readonly trial?: Trial | "none";
  readonly fixed: boolean;
  readonly twice: boolean;
  readonly show: boolean;
  readonly trace?: string;
  readonly without?: string;
}

const ROOT = new URL("../", import.meta.url);

/** Runs the simulation in a process of its own, whose clock, timers, network and disk are simulated. */
async function main(flags: Flags): Promise<number> {
  const { minutes } = flags;
  const seeds = flags.seeds ?? (minutes === undefined ? 1 : undefined);
  const mutant = flags.without === undefined ? {} : await withoutFix(flags.without, ROOT);
  const taken = MUTANTS[flags.without ?? ""];
  const trial = flags.trial ?? taken?.trial;
  const seed = flags.seed ?? taken?.seed ?? (flags.fixed ? 1 : newSeed());
  const map = await Deno.makeTempFile({ prefix: "meander-simulation-", suffix: ".json" });
  try {
    await Deno.writeTextFile(map, JSON.stringify({ imports: { ...replacements(), ...mutant } }));
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--v8-flags=--no-wasm-bounds-checks,--min-semi-space-size=16,--max-semi-space-size=64",
        `--import-map=${map}`,
        new URL("../tests/faults/main.ts", import.meta.url).href,
        JSON.stringify({ ...flags, trial, seed, seeds }),
      ],
    }).spawn().status;
    return success ? 0 : 1;
  } finally {
    await Deno.remove(map);
    for (const copy of Object.values(mutant)) await Deno.remove(new URL(copy));
  }
}

/** A seed that was probably never tried. */
function newSeed(): number {
  return Math.floor(Math.random() * 1e9);
}

const program = createCommand(commandName("simulate-faults"))
  .description(
    "Run deployments in simulated worlds, each determined by a seed, and check their promises.",
  )
  .option("--seed <n>", "the first seed", integer)
  .option("--seeds <n>", "number of consecutive seeds", count)
  .option("--minutes <n>", "start no further seed after this many minutes", count)
  .option("--fixed", "the seeds of CI, and those that have ever failed", false)
  .option("--twice", "run each seed twice and compare the two", false)
  .addOption(
    new Option("--trial <name>", "trial from outside, instead of the one that the seed chooses").choices([
      ...TRIALS,
      "none",
    ]),
  )
  .addOption(
    new Option("--without <fix>", "remove a fix from the code, which the checks must notice").choices(
      Object.keys(MUTANTS),
    ),
  )
  .option("--show", "print the plan and the logs of the processes", false)
  .option("--trace <path>", "write each step to this file")
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
