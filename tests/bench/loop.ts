/**
 * What the regret of a closed loop is made of: people are simulated and answered as by `deno task meander simulate`, and each
 * page of the model is judged once more with all its candidates, of which the true logits and their parts are known.
 *
 * ```sh
 * deno run -A tests/bench/loop.ts --requests 10000
 * deno run -A tests/bench/loop.ts --requests 10000 --candidates retrieved
 * ```
 *
 * Figures are shares of the way from random to best lists, of the true rates, for the same people at the same moments:
 *
 * - _truth_: candidates ranked by the truth, whole or without one part of it: what retrieval reaches, what a part is worth;
 * - _told_: ranked by a·model + b·part, by least squares of the true logits within pages, which weigh by their true
 *   rates: what the model would gain from knowing the part, and, with its own mean error an item, or a category of a
 *   page, from learning these without noise;
 * - by how much the people have done before: where the regret is.
 *
 * @module
 */

import { Command, Option } from "commander";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import { BEHAVIOUR, PARTS } from "../../fixtures/simulator/person.ts";
import { LIST_LENGTH } from "../../fixtures/simulator/shop.ts";
import { createWorld } from "../../fixtures/simulator/world.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import {
  learnerOptions,
  learningOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { type PageTruth, simulate } from "../../scripts/simulate/simulation.ts";
import { count, integer, print, runCommand } from "../../scripts/flags/command_line.ts";

interface Flags {
  readonly requests: number;
  readonly seed: number;
  readonly tail: string;
  readonly candidates: "all" | "retrieved";
  readonly model: ModelName;
  readonly config: string;
}

/** Candidates of a page, and what is true of them. */
interface Page {
  /** Behaviours of the person so far. */
  readonly behaviours: number;
  readonly items: readonly string[];
  readonly categories: readonly number[];
  /** Logits of the model, and true ones where the place is looked at. */
  readonly model: Float64Array;
  readonly truth: Float64Array;
  /** By part of the true logit. */
  readonly parts: readonly Float64Array[];
  /** Mean true rate of the best and of a random list of all that is on sale. */
  readonly best: number;
  readonly random: number;
}

type Score = (page: Page) => Float64Array;

const LOOKS = Array.from({ length: LIST_LENGTH }, (_, k) => 1 / (1 + BEHAVIOUR.examination * k));
/** Behaviours at which groups of people begin. */
const GROUPS = [0, 1, 20, 50, 100, 200];

const program = new Command("loop.ts")
  .option("--requests <n>", "requests to answer", count, 10_000)
  .option("--seed <n>", "seed of the people and of the engine", integer, 1)
  .option("--tail <share>", "share of the requests that is judged, the last ones", "0.4")
  .addOption(
    new Option("--candidates <name>", "what a request chooses from").choices(["all", "retrieved"]).default(
      "all",
    ),
  )
  .addOption(new Option("--model <name>", "the model").choices([...MODEL_NAMES]).default("dien"))
  .option("--config <file>", "configuration of the engine", "fixtures/shop/meander.json");

async function main(flags: Flags): Promise<number> {
  const { requests, seed, candidates, model } = flags;
  const config = parseConfig(await Deno.readTextFile(flags.config), flags.config);
  const options = taskOptions({ schema: DEFAULT_SCHEMA }, config, model);
  const retrieval = { ...options.retrieval, ...(candidates === "all" ? { learn: false } : {}) };
  const task = { ...options, retrieval, seed, logCandidates: true };
  const pages: Page[] = [];
  // The items depend on the seed alone.
  const categoryOf = new Map(createWorld({ seed, users: 1 }).items.map(({ id, category }) => [id, category]));
  let answered = 0;
  await simulate(new MemoryLog(), {
    ...{ requests, seed, candidates, model, task, retain: false },
    modelConfig: modelConfig(model, config),
    learner: learnerOptions(task, config, seed),
    learning: { ...learningOptions(config), trimSamples: true },
    experiment: { name: "model", variants: [{ name: "popularity", model: "prior" }, { name: model }] },
    onAnswer: (answer, truth) => {
      if (++answered > (1 - Number(flags.tail)) * requests && answer.variant === model) {
        pages.push(pageOf(answer, truth, categoryOf));
      }
    },
  });
  for (const line of report(pages)) print(Deno.stdout, `${line}\n`);
  return 0;
}

function pageOf(
  { items, others = [], stateVersion }: Recommendation,
  { onSale, probabilities, parts }: PageTruth,
  categoryOf: ReadonlyMap<string, number>,
): Page {
  const scored = [...items, ...others];
  const ids = scored.map(({ item }) => item);
  const looked = (of: readonly string[]) =>
    probabilities(of).map((p, place) => p * (1 + BEHAVIOUR.examination * place));
  const all = looked(onSale).sort().reverse();
  const added = ids.map((id) => parts(id));
  return {
    behaviours: stateVersion,
    items: ids,
    categories: ids.map((id) => categoryOf.get(id)!),
    model: Float64Array.from(scored, ({ score }) => Math.log(score / (1 - score))),
    truth: looked(ids).map((p) => Math.log(p / (1 - p))),
    parts: PARTS.map((_, p) => Float64Array.from(added, (of) => of[p]!)),
    best: mean(LOOKS.map((look, k) => look * (all[k] ?? 0))),
    random: mean(LOOKS) * mean(all),
  };
}

function report(pages: readonly Page[]): string[] {
  const share = (name: string, score: Score, of = pages) =>
    `${name.padEnd(44)} ${(100 * wayOf(score, of)).toFixed(1).padStart(5)} %`;
  const told = (name: string, columns: (page: Page) => readonly Float64Array[]) => {
    const [own = 1, ...others] = leastSquares(pages, (page) => [page.model, ...columns(page)]);
    const score = (page: Page) => {
      const parts = columns(page);
      return page.model.map((z, c) =>
        own * z + others.reduce((sum, weight, p) => sum + weight * parts[p]![c]!, 0)
      );
    };
    const weights = [own, ...others].map((weight) => weight.toFixed(2)).join(", ");
    return `${share(`told ${name}`, score)}   weights ${weights}`;
  };
  const at = (...names: readonly (typeof PARTS[number])[]) => (page: Page) =>
    names.map((name) => page.parts[PARTS.indexOf(name)]!);
  const [ofItems, ofCategories] = meanErrors(pages);
  return [
    `${pages.length} pages, ${mean(pages.map(({ items }) => items.length)).toFixed(0)} candidates each`,
    share("model", ({ model }) => model),
    share("truth", ({ truth }) => truth),
    ...PARTS.map((name, p) =>
      share(`truth without ${name}`, ({ truth, parts }) => truth.map((z, c) => z - parts[p]![c]!))
    ),
    ...PARTS.map((name) => told(name, at(name))),
    told("intent, satiety, fatigue", at("intent", "satiety", "fatigue")),
    told("interest, price band", at("interest", "price band")),
    told("its mean error an item", (page) => [ofItems!.get(page)!]),
    told("its mean error a category of a page", (page) => [ofCategories!.get(page)!]),
    ...GROUPS.flatMap((from, g) => {
      const to = GROUPS[g + 1] ?? Infinity;
      const own = pages.filter(({ behaviours }) => from <= behaviours && behaviours < to);
      if (own.length === 0) return [];
      const lost = 100 * regret(own) / regret(pages);
      const name = `people of ${from} behaviours${to === Infinity ? " and more" : ` to ${to - 1}`}`;
      return [
        `${share(name, ({ model }) => model, own)}   ${own.length} pages, ${lost.toFixed(0)} % of the regret`,
      ];
    }),
  ];
}

/** The model's mean error by item, and by category of a page, for each candidate. */
function meanErrors(pages: readonly Page[]): ReadonlyMap<Page, Float64Array>[] {
  const keys = [
    ({ items }: Page) => items,
    ({ categories }: Page, place: number) => categories.map((category) => `${place}:${category}`),
  ];
  const errors = pages.map((page) => {
    const weights = page.truth.map(sigmoid);
    return { weights, errors: centred(page.truth.map((z, c) => z - page.model[c]!), weights) };
  });
  return keys.map((keyOf) => {
    const sums = new Map<string, { error: number; weight: number }>();
    pages.forEach((page, place) =>
      keyOf(page, place).forEach((key, c) => {
        const sum = sums.get(key) ?? { error: 0, weight: 0 };
        sum.error += errors[place]!.weights[c]! * errors[place]!.errors[c]!;
        sum.weight += errors[place]!.weights[c]!;
        sums.set(key, sum);
      })
    );
    return new Map(pages.map((page, place) => [
      page,
      Float64Array.from(keyOf(page, place), (key) => sums.get(key)!.error / sums.get(key)!.weight),
    ]));
  });
}

function rate(score: Float64Array, { truth }: Page): number {
  const order = Array.from(score.keys()).sort((a, b) => score[b]! - score[a]!);
  return mean(LOOKS.map((look, k) => order[k] === undefined ? 0 : look * sigmoid(truth[order[k]]!)));
}

function wayOf(score: Score, pages: readonly Page[]): number {
  const [served, best, random] = [
    mean(pages.map((page) => rate(score(page), page))),
    mean(pages.map(({ best }) => best)),
    mean(pages.map(({ random }) => random)),
  ];
  return (served - random) / (best - random);
}

function regret(pages: readonly Page[]): number {
  return pages.reduce((sum, page) => sum + page.best - rate(page.model, page), 0);
}

/** Weights of columns that come nearest to the true logits within pages, by the normal equations. */
function leastSquares(
  pages: readonly Page[],
  columns: (page: Page) => readonly Float64Array[],
): number[] {
  const rows: number[][] = [];
  for (const page of pages) {
    const weights = page.truth.map(sigmoid);
    const all = [...columns(page), page.truth].map((column) => centred(column, weights));
    all.slice(0, -1).forEach((left, i) => {
      rows[i] ??= all.map(() => 0);
      all.forEach((right, j) => {
        rows[i]![j]! += left.reduce((sum, x, c) => sum + weights[c]! * x * right[c]!, 0);
      });
    });
  }
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    for (const [j, row] of rows.entries()) {
      const factor = j === i ? 0 : row[i]! / rows[i]![i]!;
      for (let k = i; k <= n; k++) row[k]! -= factor * rows[i]![k]!;
    }
  }
  return rows.map((row, i) => row[n]! / row[i]!);
}

function centred(values: Float64Array, weights: Float64Array): Float64Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const middle = values.reduce((sum, value, c) => sum + weights[c]! * value, 0) / total;
  return values.map((value) => value - middle);
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

program.parse(Deno.args, { from: "user" });
const flags = program.opts<Flags>();

await runCommand(() => main(flags));
