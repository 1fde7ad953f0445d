/**
 * What a new deployment serves: the true click rate of its lists in the simulated shop by stage, and how well the
 * frozen predictions of its model rank, with the proof that a model needs before it orders lists alone, and without it.
 *
 * ```sh
 * deno run -A tests/bench/cold_start.ts               # twenty minutes: 2,000 requests, four seeds
 * deno run -A tests/bench/cold_start.ts 500 1,2 base  # requests, seeds, models
 * ```
 *
 * @module
 */

import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import type { MetricsReport } from "../../src/metrics/progressive_rows.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
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

const [requests = "2000", seeds = "1,2,3,4", models = "base,dien", setups = "without,with,prior"] = Deno.args;
/** Ends of the stages, in served rows: ten per request. */
const STAGES = [500, 1125, 5000, 20_000];
const SETUPS = ["without", "with", "prior"] as const;
const FILE = "fixtures/shop/meander.json";

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const config = parseConfig(await Deno.readTextFile(FILE), FILE);

async function run(model: ModelName, setup: typeof SETUPS[number], seed: number) {
  const task = { ...taskOptions({ schema: DEFAULT_SCHEMA }, config, model), seed };
  const own = setup === "prior" ? { model: "prior" } : {};
  const { pages, learning } = await simulate(new MemoryLog(), {
    requests: Number(requests),
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
      keepRows: Infinity,
      ...(setup === "without" ? { proof: null } : {}),
    },
  });
  return { pages, rows: learning.validation.rows, changes: learning.proof?.changes ?? [] };
}

/** Mean true click rate of pages, %. */
const served = (pages: readonly ServedPage[]) =>
  100 * pages.reduce((sum, p) => sum + p.served, 0) / pages.length;

for (const model of models.split(",") as ModelName[]) {
  const stages = STAGES.map((end, s) => [s === 0 ? 0 : STAGES[s - 1]!, end] as const)
    .filter(([start]) => start < 10 * Number(requests));
  let without: readonly (readonly number[])[] = [];
  for (const setup of setups.split(",") as (typeof SETUPS[number])[]) {
    const runs: Awaited<ReturnType<typeof run>>[] = [];
    for (const seed of seeds.split(",")) runs.push(await run(model, setup, Number(seed)));
    const clicks = stages.map(([start, end]) =>
      runs.map(({ pages }) => served(pages.slice(start / 10, end / 10)))
    );
    if (setup === "without") without = clicks;
    const cells = stages.map(([start, end], s) => {
      const figure = (of: (report: MetricsReport) => number | null) =>
        summary(runs.map(({ rows }) => of(rows.report(start, end)) ?? NaN), 3);
      const paired = without[s] === undefined || setup === "without"
        ? ""
        : ` (${summary(clicks[s]!.map((x, r) => x - without[s]![r]!), 2)})`;
      const ranks = setup === "prior"
        ? ""
        : `, AUC ${figure(({ auc }) => auc)}, NE ${figure((report) => report.normalizedEntropy)}`;
      return `${summary(clicks[s]!, 2)}${paired}${ranks}`;
    });
    print(`${model} ${setup}: ${cells.join(" | ")}`);
    for (const { changes } of runs) {
      if (changes.length > 0) {
        print(`  ${changes.map(({ to, rows }) => `${to} from row ${rows}`).join(", ")}`);
      }
    }
  }
}
