/**
 * What a new deployment serves: the true click rate of its lists in the simulated shop by stage, and how well the frozen
 * predictions of its model rank, with the proof that a model needs to order lists alone, and without.
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
import type { ModelName } from "../../src/models/create.ts";
import {
  learnerOptions,
  learningOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "../../streams/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { type ServedPage, simulate } from "../../streams/simulation.ts";

const [requests = "2000", seeds = "1,2,3,4", models = "base,dien"] = Deno.args;
/** Ends of the stages, in rows that were served: ten a request. */
const STAGES = [1125, 5000, 20_000];
const SETUPS = ["without", "with", "prior"] as const;
const FILE = "fixtures/shop/meander.json";

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const config = parseConfig(await Deno.readTextFile(FILE), FILE);

async function run(model: ModelName, setup: typeof SETUPS[number], seed: number) {
  const task = { ...taskOptions({ schema: DEFAULT_SCHEMA }, config, model), seed };
  const own = setup === "prior" ? { model: "prior" } : {};
  const { pages, learning } = await simulate(new MemoryLog(), {
    ...{ requests: Number(requests), seed, candidates: "retrieved", model, task, retain: false },
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

/** The mean of the seeds, and its standard error. */
function summary(values: readonly number[], digits: number): string {
  const n = values.length;
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const error = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, n - 1) / n);
  return `${mean.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

const served = (pages: readonly ServedPage[]) =>
  100 * pages.reduce((sum, p) => sum + p.served, 0) / pages.length;

for (const model of models.split(",") as ModelName[]) {
  for (const setup of SETUPS) {
    if (setup === "prior" && model !== "base") continue;
    const runs: Awaited<ReturnType<typeof run>>[] = [];
    for (const seed of seeds.split(",")) runs.push(await run(model, setup, Number(seed)));
    const stages = STAGES.filter((_, s) => s === 0 || STAGES[s - 1]! < 10 * Number(requests));
    const cells = stages.map((end, s) => {
      const start = s === 0 ? 0 : STAGES[s - 1]!;
      const clicks = summary(runs.map(({ pages }) => served(pages.slice(start / 10, end / 10))), 2);
      if (setup === "prior") return clicks;
      const figure = (of: (report: MetricsReport) => number | null) =>
        summary(runs.map(({ rows }) => of(rows.report(start, end)) ?? NaN), 3);
      return `${clicks}, AUC ${figure(({ auc }) => auc)}, NE ${
        figure(({ normalizedEntropy }) => normalizedEntropy)
      }`;
    });
    print(`${model} ${setup}: ${cells.join(" | ")}`);
    for (const { changes } of runs) {
      if (changes.length > 0) {
        print(`  ${changes.map(({ to, rows }) => `${to} from row ${rows}`).join(", ")}`);
      }
    }
  }
}
