/** `deno task meander simulate`: a closed loop of simulated users, with an experiment. */

import { readConfig } from "../streams/config/read.ts";
import { WORLD } from "../fixtures/simulator/world.ts";
import { dirname } from "node:path";
import { Option } from "commander";
import type { ExperimentDraft } from "../src/assignment/changes.ts";
import { splitVariants } from "../src/assignment/assignment.ts";
import { verdicts } from "../src/experiments/verdict.ts";
import type { ModelName } from "../src/nn/models/registry.ts";
import { DEFAULT_SCHEMA } from "../src/features/schema.ts";
import { learnerOptions, learningOptions, modelConfig, taskOptions } from "../streams/config/config.ts";
import { PARTS } from "../fixtures/simulator/person.ts";
import { parseExperiment } from "../streams/experiments/record.ts";
import { kindOf, LOG_KINDS } from "../streams/log/kinds/kinds.ts";
import { type ServedPage, simulate, type SimulationView } from "./simulate/simulation.ts";
import {
  commandArguments,
  commandName,
  count,
  createCommand,
  integer,
  print,
  runCommand,
} from "./flags/command_line.ts";
import { DEFAULT_PREFIX } from "../streams/topics/topics.ts";
import { addLogKinds, type LogFlags } from "./flags/log_flags.ts";
import { modelFlag } from "./flags/option_flags.ts";
import { openLog } from "./flags/service_flags.ts";

interface Flags extends Omit<LogFlags, "log"> {
  readonly log: "memory" | LogFlags["log"];
  readonly requests: number;
  readonly seed: number;
  readonly users?: number;
  readonly items: number;
  readonly candidates: "all" | "retrieved";
  readonly model: ModelName;
  readonly config: string;
  readonly experiment?: string;
  readonly json?: string;
}

/** How often progress is printed. */
const POINTS = 40;
/** Share of the requests in the last stretch. */
const TAIL = 0.2;

const program = createCommand(commandName("simulate"))
  .description(
    "Let simulated users react to the lists that the engine serves, with two variants in an experiment.",
  )
  .option("--requests <n>", "requests to answer", count, 20_000)
  .option("--seed <n>", "seed of the users and of the engine", integer, 1)
  .option("--users <n>", "number of users (default: one per 14 requests)", count)
  .option("--items <n>", "number of items on sale", count, WORLD.items)
  .addOption(
    new Option(
      "--candidates <name>",
      "candidates of a request: all items on sale, or those that the engine retrieves",
    )
      .choices(["all", "retrieved"]).default("all"),
  )
  .addOption(modelFlag("the deployment's model"))
  .option("--config <file>", "configuration of the engine", "fixtures/shop/meander.json")
  .option("--experiment <file>", "the experiment as JSON (default: the model against popularity)")
  .option("--json <file>", "write the figures as JSON");
addLogKinds(program, LOG_KINDS, { about: "log to run on, which must be new" })
  .option("--prefix <text>", "prefix of the topics' names", DEFAULT_PREFIX);

async function main(flags: Flags): Promise<number> {
  const { model, seed, requests } = flags;
  const config = await readConfig(flags.config);
  const options = taskOptions({ schema: DEFAULT_SCHEMA }, config, model);
  const task = {
    ...options,
    // If every request names its candidates, retrieval is not used.
    retrieval: flags.candidates === "all" ? { ...options.retrieval, learn: false } : options.retrieval,
    seed,
    nowMicros: () => performance.now() * 1000,
  };
  const experiment: ExperimentDraft = flags.experiment === undefined
    ? {
      name: "model",
      hypothesis: "a model that follows the session beats the items' click rates",
      variants: [{ name: "popularity", model: "prior" }, { name: model }],
      stopRule: { maxUsers: Math.ceil(requests / 14) },
    }
    : parseExperiment(await Deno.readTextFile(flags.experiment), flags.experiment);
  if (flags.json !== undefined) await Deno.mkdir(dirname(flags.json), { recursive: true });
  const started = Date.now();
  await using log = await openLog(flags, { config });
  const { isDurable } = kindOf(flags.log).capabilities;
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort()); // the requests so far are summed up
  const stretch = Math.ceil(requests / POINTS);
  const view = await simulate(log, {
    requests,
    seed,
    items: flags.items,
    candidates: flags.candidates,
    experiment,
    prefix: flags.prefix,
    users: flags.users,
    model,
    modelConfig: modelConfig(model, config),
    task,
    learner: learnerOptions(task, config, seed),
    learning: { ...learningOptions(config), trimSamples: !isDurable },
    retain: isDurable,
    signal: stop.signal,
    onRequest: (now) => {
      if (now.pages.length % stretch !== 0) return;
      print(Deno.stderr, `${progress(now, stretch, started)}\n`);
    },
  });
  const made = view.pages.length;
  if (made < requests && !stop.signal.aborted) {
    print(
      Deno.stderr,
      `warning: the simulated weeks ended after ${made} of ${requests} requests; raise --users for more\n`,
    );
  }
  const figures = figuresOf(view);
  print(Deno.stdout, summary(figures));
  if (flags.json !== undefined) await Deno.writeTextFile(flags.json, `${JSON.stringify(figures, null, 2)}\n`);
  return 0;
}

/** One variant in a stretch of requests. */
interface Arm {
  readonly requests: number;
  /** Clicks per shown item. */
  readonly ctr: number | null;
  /** Mean true probability of a click on the shown lists; on the best, and on random lists of the same people then. */
  readonly served: number | null;
  readonly best: number | null;
  readonly random: number | null;
}

/** The printed figures, by variant, the control first. */
interface Figures {
  readonly command: string;
  readonly variants: readonly string[];
  readonly requests: number;
  readonly overall: readonly Arm[];
  /** The last `tailRequests` requests. */
  readonly tail: readonly Arm[];
  readonly tailRequests: number;
  /** How much more the best lists of the last stretch add to the logit of a click, by part. */
  readonly lacks: readonly (readonly number[])[];
  /** Clicks that were missed by not serving the best lists. */
  readonly regret: readonly number[];
  readonly verdict: string;
}

/** How far from random to the best, as a share; `null` when undefined. */
function shareOfBest({ served, best, random }: Arm): number | null {
  if (served === null || best === null || random === null || best === random) return null;
  return (served - random) / (best - random);
}

function verdictOf({ totals, ratio }: SimulationView): string {
  return verdicts(totals, ratio).map(({ text }) => text).join("; ");
}

function progress(view: SimulationView, stretch: number, started: number): string {
  const { pages, totals } = view;
  const arms = armsOf(pages.slice(-stretch), splitVariants(totals.experiment).length);
  const rates = splitVariants(totals.experiment).map(({ name }, v) =>
    `${name} ${percent(arms[v]?.served ?? null)}`
  );
  const speed = pages.length / (Date.now() - started) * 1000;
  return `${pages.length} requests, ${speed.toFixed(0)}/s · ${rates.join(", ")} · ${verdictOf(view)}`;
}

/** Figures of each variant over its pages. */
function armsOf(pages: readonly ServedPage[], variants: number): Arm[] {
  return Array.from({ length: variants }, (_, v) => {
    const own = pages.filter(({ variant }) => variant === v);
    const sum = (of: (page: ServedPage) => number) => own.reduce((sum, page) => sum + of(page), 0);
    const mean = (of: (page: ServedPage) => number) => own.length === 0 ? null : sum(of) / own.length;
    const rows = sum((page) => page.rows);
    return {
      requests: own.length,
      ctr: rows === 0 ? null : sum((page) => page.clicks) / rows,
      served: mean((page) => page.served),
      best: mean((page) => page.best),
      random: mean((page) => page.random),
    };
  });
}

function figuresOf(view: SimulationView): Figures {
  const { pages, totals } = view;
  const variants = splitVariants(totals.experiment).map(({ name }) => name);
  const tailRequests = Math.ceil(TAIL * pages.length);
  const regret = variants.map(() => 0);
  for (const { variant, best, served, rows } of pages) {
    if (variant >= 0) regret[variant]! += rows * (best - served);
  }
  return {
    command: `${commandName("simulate")} ${commandArguments().join(" ")}`.trim(),
    variants,
    requests: pages.length,
    tail: armsOf(pages.slice(-tailRequests), variants.length),
    tailRequests,
    lacks: lacksOf(pages.slice(-tailRequests), variants.length),
    overall: armsOf(pages, variants.length),
    regret,
    verdict: verdictOf(view),
  };
}

function summary(
  { variants, requests, overall, tail, tailRequests, lacks, regret, verdict }: Figures,
): string {
  const line = (name: string, arm: Arm) =>
    `${name}: click rate ${percent(arm.served)}, best ${percent(arm.best)}, random ${percent(arm.random)}: ` +
    `${percent(shareOfBest(arm))} of the way`;
  const parts = (of: readonly number[]) =>
    PARTS.map((part, p) => `${part} ${(of[p] ?? 0).toFixed(2).replace("-0.00", "0.00").replace("-", "−")}`)
      .join(", ");
  return [
    `last ${tailRequests} requests`,
    ...variants.map((name, v) => line(name, tail[v]!)),
    ...variants.map((name, v) => `${name}: the best lists have more of ${parts(lacks[v] ?? [])} (logits)`),
    `all ${requests} requests`,
    ...variants.map((name, v) => `${line(name, overall[v]!)}, regret ${Math.round(regret[v]!)} clicks`),
    verdict,
    "",
  ].join("\n");
}

/** What the lists of each variant lack by part, averaged over its pages. */
function lacksOf(pages: readonly ServedPage[], variants: number): number[][] {
  return Array.from({ length: variants }, (_, v) => {
    const own = pages.filter(({ variant }) => variant === v);
    return PARTS.map((_, p) => own.reduce((sum, { lacks }) => sum + lacks[p]!, 0) / Math.max(1, own.length));
  });
}

function percent(share: number | null): string {
  return share === null ? "-" : `${(100 * share).toFixed(2)} %`;
}

program.parse(commandArguments(), { from: "user" });
const flags = program.opts<Flags>();

await runCommand(() => main(flags));
