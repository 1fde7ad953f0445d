/**
 * What a deployment with a bad model serves: the true click rate of its lists in the simulated shop by stage, with the
 * proof that a model needs before it orders lists alone, without it, and of the prior. Only the learner is wrong:
 * people click as ever, and predictions are judged by that. There is no guard.
 *
 * ```sh
 * deno run -A tests/bench/bad_models.ts                     # 900 requests, eight seeds
 * deno run -A tests/bench/bad_models.ts 1,2 spoilt dien 65  # seeds, what is wrong, model, people
 * ```
 *
 * @module
 */

import { Rows } from "../../src/samples/rows.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import type { Sample } from "../../src/samples/sample.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import {
  learnerOptions,
  learningOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { type ServedPage, simulate } from "../../scripts/simulate/simulation.ts";
import { summary } from "./summary.ts";

const [seedsGiven = "1,2,3,4,5,6,7,8", wrongs = "flipped,random,spoilt", model = "base", people = "100"] =
  Deno.args as [
    string?,
    string?,
    ModelName?,
    string?,
  ];
const REQUESTS = 900;
/** Ends of the stages, in served rows: ten per request. */
const STAGES = [1000, 3000, 5000, 6000, 7000, 9000];
const FILE = "fixtures/shop/meander.json";
const SETUPS = ["prior", "without", "with"] as const;

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const config = parseConfig(await Deno.readTextFile(FILE), FILE);
const random = mulberry32(3);

type Labels = (label: 0 | 1, rows: number) => 0 | 1;

/** What is wrong with the learner: how it reads labels after so many rows. */
const WRONG: Readonly<Record<string, Labels>> = {
  // In the first 3,000 rows and from 6,000 on it learns what people do not click.
  "flipped": (label, rows) => rows < 3000 || rows >= 6000 ? label === 1 ? 0 : 1 : label,
  // From row 5,000 on it learns what people do not click.
  "spoilt": (label, rows) => rows >= 5000 ? label === 1 ? 0 : 1 : label,
  // What it learns is unrelated to what people do, but as often positive.
  "random": () => random() < 0.1 ? 1 : 0,
};

/** Makes all learners of this process read labels in another way. */
const learn = Learner.prototype.learn;
function misread(labels: Labels) {
  const rows = new WeakMap<Learner, number>();
  Learner.prototype.learn = function (samples: readonly Sample[]) {
    const before = rows.get(this) ?? 0;
    rows.set(this, before + samples.reduce((sum, sample) => sum + sample.rows.length, 0));
    return learn.call(
      this,
      samples.map((sample) => ({
        ...sample,
        rows: Rows.of(sample.rows.map((row) => ({ ...row, label: labels(row.label, before) }))),
      })),
    );
  };
}

async function run(wrong: string, setup: typeof SETUPS[number], seed: number) {
  misread(WRONG[wrong]!);
  const task = { ...taskOptions({ schema: DEFAULT_SCHEMA }, config, model), seed };
  const own = setup === "prior" ? { model: "prior" } : {};
  const { pages, learning } = await simulate(new MemoryLog(), {
    requests: REQUESTS,
    users: Number(people),
    seed,
    candidates: "retrieved",
    model,
    task,
    retain: false,
    modelConfig: modelConfig(model, config),
    experiment: { name: "all", variants: [{ name: "a", ...own }, { name: "b", ...own }] },
    learner: learnerOptions(task, config, seed),
    learning: {
      ...learningOptions(config),
      trimSamples: true,
      guard: null,
      ...(setup === "without" ? { proof: null } : {}),
    },
  });
  return { pages, changes: learning.proof?.changes ?? [] };
}

/** Mean true click rate of pages, %. */
const served = (pages: readonly ServedPage[]) =>
  100 * pages.reduce((sum, p) => sum + p.served, 0) / pages.length;

const starts = STAGES.map((_, s) => s === 0 ? 0 : STAGES[s - 1]!);
print(`stages: ${STAGES.map((end, s) => `${starts[s]} to ${end}`).join(" | ")}`);
let prior: number[][] | undefined;
for (const wrong of wrongs.split(",")) {
  for (const setup of SETUPS) {
    if (setup === "prior" && prior !== undefined) continue;
    const runs: Awaited<ReturnType<typeof run>>[] = [];
    for (const seed of seedsGiven.split(",")) runs.push(await run(wrong, setup, Number(seed)));
    const clicks = STAGES.map((end, s) =>
      runs.map(({ pages }) => served(pages.slice(starts[s]! / 10, end / 10)))
    );
    if (setup === "prior") prior = clicks;
    const cells = clicks.map((values, s) =>
      setup === "prior"
        ? summary(values, 2)
        : `${summary(values, 2)} (${summary(values.map((x, r) => x - prior![s]![r]!), 2)})`
    );
    print(`${setup === "prior" ? "" : wrong} ${setup}: ${cells.join(" | ")}`);
    for (const { changes } of setup === "prior" ? [] : runs) {
      const proof = changes.map(({ to, rows }) => `${to} ${rows}`);
      print(`  ${proof.join(", ")}`);
    }
  }
}
