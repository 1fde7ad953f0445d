/**
 * Runs seeds in simulated worlds, one after another. `scripts/simulate_faults.ts` starts it, with the modules that
 * replace the clock, the timers and the network.
 *
 * @module
 */

import { realNow } from "./globals.ts";
import process from "node:process";
import { describePlan, makePlan, type Trial } from "./plan.ts";
import { FIXED_SEEDS, type FixedSeed } from "./seeds.ts";
import { diskInWorld } from "./disk.ts";
import { listen, type Outcome, simulate, type SimulateOptions } from "./simulate.ts";

interface Wanted {
  readonly seed: number;
  readonly seeds?: number;
  readonly minutes?: number;
  readonly trial?: Trial | "none";
  readonly fixed: boolean;
  readonly twice: boolean;
  readonly show: boolean;
  readonly trace?: string;
  readonly without?: string;
}

const wanted: Wanted = JSON.parse(Deno.args[0] ?? "{}");
const encoder = new TextEncoder();

function print(text: string): void {
  for (let rest = encoder.encode(text); rest.length > 0;) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

function* seedsOf(
  { fixed, seed, seeds = Infinity, minutes = Infinity, trial }: Wanted,
): Generator<FixedSeed> {
  const until = realNow() + minutes * 60_000;
  if (fixed) return yield* FIXED_SEEDS;
  for (let n = 0; n < seeds && (n === 0 || realNow() < until); n++) {
    yield { seed: seed + n, ...(trial === undefined ? {} : { trial }) };
  }
}

/** How a run is traced: every line of output, every step. */
function watching(trace: Deno.FsFile | undefined): SimulateOptions {
  const write = (text: string) => {
    for (let rest = encoder.encode(text); rest.length > 0;) rest = rest.subarray(trace!.writeSync(rest));
  };
  return {
    // Without a fix, one problem is enough.
    endsAtProblem: wanted.without !== undefined,
    ...(wanted.show
      ? {
        onLine: (at, owner, level, text) =>
          print(`${(at / 1000).toFixed(3).padStart(9)} ${owner.padEnd(9)} ${level.padEnd(7)} ${text}\n`),
      }
      : {}),
    ...(trace === undefined
      ? {}
      : { onStep: (at, owner, label) => write(`${at.toFixed(3)} ${owner} ${label}\n`) }),
  };
}

function again({ seed, trial }: FixedSeed): string {
  return `deno task simulate-faults --seed ${seed}${trial === undefined ? "" : ` --trial ${trial}`}`;
}

const trace = wanted.trace === undefined ? undefined : await Deno.create(wanted.trace);
diskInWorld();
await listen();
const begun = { wall: realNow(), cpu: process.cpuUsage() };
const failed: FixedSeed[] = [];
let [runs, steps, turns, simulatedMs] = [0, 0, 0, 0];
for (const one of seedsOf(wanted)) {
  const plan = makePlan(one.seed, one.trial);
  if (wanted.show) print(`${describePlan(plan)}\n`);
  const outcomes: Outcome[] = [];
  for (let n = 0; n < (wanted.twice ? 2 : 1); n++) outcomes.push(await simulate(plan, watching(trace)));
  const [outcome] = outcomes as [Outcome];
  const problems = [...outcome.problems];
  if (outcomes.some(({ digest }) => digest !== outcome.digest)) {
    problems.push(`the run did not repeat itself: ${outcomes.map(({ digest }) => digest).join(", ")}`);
  }
  runs += outcomes.length;
  for (const each of outcomes) {
    steps += each.steps;
    turns += each.turns;
    simulatedMs += each.simulatedMs;
  }
  const what = `seed ${one.seed}${plan.trial === undefined ? "" : `, trial ${plan.trial}`}`;
  print(
    `${what}: ${outcome.steps} steps, digest ${outcome.digest}, ${
      problems.length === 0 ? "well" : `${problems.length} problems`
    }\n`,
  );
  if (wanted.show) {
    for (const [name, value] of Object.entries(outcome.figures)) print(`  ${name}: ${value}\n`);
  }
  if (problems.length === 0) continue;
  failed.push(one);
  print(
    `${describePlan(plan)}\n${problems.map((problem) => `  PROBLEM ${problem}\n`).join("")}  again: ${
      again(one)
    }\n`,
  );
}
const { user, system } = process.cpuUsage(begun.cpu);
const cpuMs = (user + system) / 1000;
print(
  `${runs} runs, ${steps} steps and ${turns} turns of event loops in ${
    ((realNow() - begun.wall) / 1000).toFixed(0)
  } s (${(cpuMs / 1000).toFixed(0)} s of a processor: ${
    Math.round(steps / cpuMs * 60)
  } thousand steps a minute), ${
    (simulatedMs / 3_600_000).toFixed(1)
  } hours simulated, ${failed.length} failed${
    failed.length === 0 ? "" : `: ${failed.map(({ seed }) => seed).join(", ")}`
  }\n`,
);
Deno.exit(failed.length === 0 ? 0 : 1);
