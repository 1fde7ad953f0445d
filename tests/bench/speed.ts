/**
 * Speed of the kernels, the models and the whole pipeline, ours beside the others, in one run: CPU time of a single
 * thread.
 *
 *     deno task bench [--json <file>] [--rivals] [--only <section>] [--seconds <n>]
 *
 * `--rivals` measures PyTorch, ONNX Runtime, Vowpal Wabbit and River too: pip and npm install them, once, into
 * `.data/rivals` (some GB).
 *
 * @module
 */

import process from "node:process";
import { Command, Option } from "commander";
import { leastMicros } from "./speed/least.ts";
import { online } from "./speed/online.ts";
import { pipeline } from "./speed/pipeline.ts";
import { measureRivals } from "./speed/rivals.ts";
import { SECTIONS as KERNELS, type Work } from "./speed/works.ts";

/** One figure. */
interface Figure {
  readonly work: string;
  readonly by: string;
  readonly micros: number;
}

interface Flags {
  readonly json?: string;
  readonly rivals?: true;
  readonly only?: string;
  readonly seconds: string;
}

/** All works, by the section that a run may be limited to. */
const SECTIONS: Readonly<Record<string, () => Work[]>> = { ...KERNELS, online, pipeline };

const program = new Command("deno task bench")
  .description(
    "Measures kernels, training, scoring, state steps and the pipeline: CPU time of one thread, least of many rounds.",
  )
  .option("--json <file>", "write the figures, machine and date as JSON")
  .option("--rivals", "measure PyTorch, ONNX Runtime, VW and River too; installs them into .data/rivals")
  .addOption(new Option("--only <section>", "one section").choices(Object.keys(SECTIONS)))
  .option("--seconds <n>", "wall clock for each figure", "2");

async function main({ json, rivals, only, seconds }: Flags): Promise<void> {
  const machine = `${cpuName()}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`;
  print(`${machine}, ${new Date().toISOString().slice(0, 10)}, load ${Deno.loadavg()[0]?.toFixed(1)}`);
  const figures: Figure[] = [];
  const theirs = rivals ? await measureRivals(print) : [];
  for (const [name, works] of Object.entries(SECTIONS)) {
    if (only !== undefined && only !== name) continue;
    let last = "";
    for (const { work, by, pieces = 1, prepare } of works()) {
      if (work !== last) {
        rest(figures, theirs, last);
        print(`\n${work}`);
      }
      last = work;
      tell(figures, { work, by, micros: await leastMicros(await prepare(), Number(seconds)) / pieces });
    }
    rest(figures, theirs, last);
  }
  if (json !== undefined) {
    const text = JSON.stringify({ machine, date: new Date().toISOString(), figures }, null, 2);
    await Deno.writeTextFile(json, `${text}\n`);
  }
}

/** The rivals' figures of a work, behind ours. */
function rest(figures: Figure[], theirs: readonly Figure[], work: string): void {
  for (const figure of theirs) if (figure.work === work) tell(figures, figure);
}

/** Prints a figure and its ratio to the first of its work. */
function tell(figures: Figure[], figure: Figure): void {
  figures.push(figure);
  const first = figures.find(({ work }) => work === figure.work)?.micros ?? NaN;
  const { by, micros } = figure;
  print(`  ${by.padEnd(20)} ${micros.toPrecision(3).padStart(9)} µs  ${(micros / first).toFixed(2)}×`);
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function cpuName(): string {
  try {
    return /model name\s*: (.*)/.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  } catch {
    return `${process.platform} ${Deno.build.arch}`;
  }
}

if (import.meta.main) await main(program.parse(Deno.args, { from: "user" }).opts<Flags>());
