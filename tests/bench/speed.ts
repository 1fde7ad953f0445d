/**
 * Speed of the kernels, the models and the whole pipeline, compared with others in one run: CPU time of a single
 * thread.
 *
 *     deno task bench [--json <file>] [--rivals] [--only <section>] [--seconds <n>]
 *     deno task bench --streams [names] [--rivals] [--folder <path>] [--seeds <n>] [--queries <n>] [--behaviours <n>]
 *         [--config <file>]
 *
 * `--streams` judges lists instead of speed, see docs/reference/protocols.md. `--rivals` also measures PyTorch, ONNX
 * Runtime, Vowpal Wabbit and River, with `--streams` three neural networks in PyTorch: pip and npm install them, once,
 * into `.data/rivals` (some GB).
 *
 * @module
 */

import process from "node:process";
import { Command, Option } from "commander";
import { count } from "../../scripts/flags/command_line.ts";
import { readConfig } from "../../streams/config/read.ts";
import { leastMicros } from "./speed/least.ts";
import { online } from "./speed/online.ts";
import { pipeline } from "./speed/pipeline.ts";
import { install, measureRivals, PYTHON } from "./speed/rivals.ts";
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
  readonly streams?: string | true;
  readonly folder: string;
  readonly seeds: number;
  readonly queries: number;
  readonly behaviours: number;
  readonly config?: string;
}

/** All works, by the section that a run may be limited to. */
const SECTIONS: Readonly<Record<string, () => Work[]>> = { ...KERNELS, online, pipeline };

const program = new Command("deno task bench")
  .description(
    "Measures kernels, training, scoring, state steps and the pipeline: CPU time of one thread, least of many rounds.",
  )
  .option(
    "--json <file>",
    "write the figures, machine and date as JSON; with --streams, go on with what it has",
  )
  .option(
    "--rivals",
    "measure PyTorch, ONNX Runtime, VW and River too, with --streams three nets; installs them into .data/rivals",
  )
  .addOption(
    new Option("--only <section>", "one section").choices(Object.keys(SECTIONS)).conflicts("streams"),
  )
  .option("--seconds <n>", "wall clock for each figure", "2")
  .option("--streams [names]", "judge lists on public streams instead: all that are there, or a,b")
  .option("--folder <path>", "with --streams: where the data sets are", "../shared/data")
  .option("--seeds <n>", "with --streams: runs of each, each judges another draw", count, 3)
  .option("--queries <n>", "with --streams: behaviours that a run judges at most", count, 4000)
  .option("--behaviours <n>", "with --streams: behaviours of a stream at most", count, 150_000)
  .option("--config <file>", "with --streams: what a deployment would have, as meander.json");

async function main(flags: Flags): Promise<void> {
  const { json, rivals, only, seconds, streams } = flags;
  const machine = `${cpuName()}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`;
  print(`${machine}, ${new Date().toISOString().slice(0, 10)}, load ${Deno.loadavg()[0]?.toFixed(1)}`);
  if (rivals) await install(print);
  if (streams !== undefined) {
    const { runStreams } = await import("./streams/benchmark.ts"); // loads the engine
    const names = streams === true ? undefined : streams.split(",");
    return await runStreams({
      ...flags,
      config: await readConfig(flags.config, null),
      only: names,
      python: rivals && PYTHON,
      json: json === undefined ? undefined : { file: json, machine, commit: await commitOfTree() },
    });
  }
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

/** The commit of the working tree, with `-dirty` where it has changes. */
async function commitOfTree(): Promise<string> {
  const args = ["-C", import.meta.dirname!, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"];
  const { stdout } = await new Deno.Command("git", { args, stderr: "inherit" }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** The rivals' figures of a work, after ours. */
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
