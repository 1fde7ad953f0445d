/**
 * How often verdicts are wrong, and how many users they take, by simulation; the tables of
 * docs/explanation/experiments.md.
 *
 * ```sh
 * deno run -A tests/bench/verdicts.ts grid           # A/A over metric, split and maxUsers
 * deno run -A tests/bench/verdicts.ts power hard     # also: past, returning, rails
 * deno run -A tests/bench/verdicts.ts grid --runs 200 --only CTR --size 5000
 * ```
 *
 * @module
 */

import { startExperiment } from "../../src/assignment/changes.ts";
import { GroupedMoments } from "../../src/experiments/grouped_moments.ts";
import { effectOf } from "../../src/experiments/effect.ts";
import { FirstSpreads, possibleSpread } from "../../src/experiments/first_spreads.ts";
import { type Experiment, STOP_RULE, type StopRule } from "../../src/assignment/experiment.ts";
import { SampleRatio } from "../../src/experiments/sample_ratio.ts";
import type { UserSegment } from "../../src/experiments/totals.ts";
import { Moments } from "../../src/experiments/user_metrics.ts";
import {
  METRIC_FIELDS,
  type MetricName,
  METRICS,
  type MetricSpec,
  sizeOf,
} from "../../src/assignment/metrics.ts";
import { compareVariant, type Comparison, type Figures, verdicts } from "../../src/experiments/verdict.ts";
import { normalQuantile } from "../../src/metrics/normal.ts";
import { createRandom, normal, type Random } from "../../src/draws/random_source.ts";
import { HARD_WORLDS, newSums, ROBOT_WORLDS, WITH_PAST, type World, WORLDS } from "./verdict_worlds.ts";

const print = (line = "") => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const runsAt = Deno.args.indexOf("--runs");
const RUNS = runsAt < 0 ? 1000 : Number(Deno.args[runsAt + 1]);
const LOOK_EVERY = 20;
/** From here on looks are rarer: after every 1 % more users. */
const OFTEN = 2000;
/** The only maxUsers of the grids, instead of all. */
const sizeAt = Deno.args.indexOf("--size");
const SIZE = sizeAt < 0 ? undefined : Number(Deno.args[sizeAt + 1]);
/** Computes the verdict at each look, even where there clearly is none: three times slower, with the same result. */
const CHECKS_ALL = Deno.args.includes("--all-looks");
/** Runs the worlds whose name contains this. */
const onlyAt = Deno.args.indexOf("--only");
const ONLY = onlyAt < 0 ? "" : Deno.args[onlyAt + 1]!;

/** An experiment of two arms. */
export function experimentOf(metric: World["metric"], stopRule: StopRule): Experiment {
  const variants = [{ name: "A" }, { name: "B" }];
  return startExperiment({ name: "e", variants, metric, stopRule }, { records: new Map(), models: [] });
}

/** Options of {@linkcode firstVerdict}. */
export interface RunOptions {
  /** Share of the users who get the control. */
  readonly split: number;
  /** Users after which it ends without a verdict. */
  readonly end: number;
  /** What the variant adds. @default {0} */
  readonly lift?: number;
  /** Whether all users have a past. @default {false} */
  readonly past?: boolean;
  /** Whether to compute the verdict even where there clearly is none. @default {false} */
  readonly allLooks?: boolean;
}

/**
 * Whether there certainly is no verdict, which is cheaper to tell than to compute one. The deviance is at most twice
 * the z² of a score test with the variance of both arms together, and no critical square is below 8.
 */
function isClear([a, b]: readonly [Moments, Moments], metric: World["metric"]): boolean {
  const { of, per, ideal }: MetricSpec = METRICS[metric];
  if (per === "entropy" || ideal !== undefined) return false;
  const [y, x] = [of, per].map((field) => METRIC_FIELDS.indexOf(field)) as [number, number];
  const [ay, ax, by, bx] = [a.get(y, 0), a.get(x, 0), b.get(y, 0), b.get(x, 0)];
  const ratio = (ay + by) / (ax + bx);
  const square = (m: Moments) => m.get(y, y) - 2 * ratio * m.get(y, x) + ratio * ratio * m.get(x, x);
  const variance = (square(a) + square(b)) / (a.users + b.users);
  const z = ay / ax - by / bx;
  return z * z < 3 * variance * (a.users / (ax * ax) + b.users / (bx * bx));
}

/** Runs an experiment, looks after every 20 users (see above), and returns at the first interval without 0. */
export function firstVerdict(
  world: World,
  experiment: Experiment,
  { split, end, lift = 0, past = false, allLooks = CHECKS_ALL }: RunOptions,
  random: Random,
): { users: number; comparison: Comparison | undefined } {
  const arms = new GroupedMoments(2);
  const moments = (variant: number) => arms.get(variant, sizeOf(world.metric));
  let next = LOOK_EVERY;
  const first = new FirstSpreads(1);
  const figures = { experiment, moments, firstSpread: () => first.get(0) };
  for (let users = 1; users <= end; users++) {
    const arm = random() < split ? 0 : 1;
    const [sums, before] = [newSums(), past ? newSums() : undefined];
    world.draw(sums, random, arm * lift, before);
    arms.add({ group: arm, sums, before });
    first.update(() => spreadNow(figures, world.metric));
    if (users < next && users < end) continue;
    next = users < OFTEN ? users + LOOK_EVERY : Math.ceil(1.01 * users);
    if (!allLooks && isClear([moments(0), moments(1)], world.metric)) continue;
    const comparison = compareVariant(figures, 1, world.metric);
    if (comparison.interval.low > 0 || comparison.interval.high < 0) return { users, comparison };
  }
  return { users: end, comparison: undefined };
}

/** What `ExperimentTotals` notes. */
function spreadNow({ experiment, moments }: Figures, metric: MetricName): number {
  const effect = effectOf(moments(0, undefined, metric), moments(1, undefined, metric), metric);
  return possibleSpread(effect, experiment.stopRule.minUsers ?? STOP_RULE.minUsers);
}

const SPLITS = [0.5, 0.9, 0.98] as const;
const named = (split: number) => `${Math.round(100 * split)}:${Math.round(100 - 100 * split)}`;

function grid(worlds: Iterable<World>, ends: readonly number[], past = false): void {
  print(`| metric | split | ${ends.map((end) => end.toLocaleString("en")).join(" | ")} |`);
  print(`| --- | --- | ${ends.map(() => "---").join(" | ")} |`);
  for (const world of worlds) {
    const { name } = world;
    if (!name.includes(ONLY)) continue;
    for (const split of SPLITS) {
      const cells = ends.map((end) => {
        const experiment = experimentOf(world.metric, { maxUsers: end });
        let [low, high] = [0, 0];
        for (let run = 0; run < RUNS; run++) {
          const { comparison } = firstVerdict(world, experiment, { split, end, past }, createRandom(run, 21));
          if (comparison === undefined) continue;
          if (comparison.interval.low > 0) high++;
          else low++;
        }
        return `${percent((low + high) / RUNS)} (${low}, ${high})`;
      });
      print(`| ${name} | ${named(split)} | ${cells.join(" | ")} |`);
    }
  }
}

/** The metric of an arm, and its variance per user by the delta method, from many users. */
function unitOf(world: World, lift: number): { value: number; variance: number } {
  const users = 400_000;
  const moments = new Moments();
  const random = createRandom(99, 22);
  const sums = newSums();
  for (let user = 0; user < users; user++) {
    sums.fill(0);
    world.draw(sums, random, lift);
    moments.update(sums, undefined);
  }
  const { value, variance } = effectOf(moments, moments, world.metric, false).control;
  return { value: value!, variance: variance * users };
}

/**
 * A lift, and the number of users of both arms, 50:50, with which a fixed-sample test finds it in 80 % of cases at α =
 * 5 %; about as many as `wanted`.
 */
function fixedHorizon(world: World, wanted: number): { lift: number; fixed: number } {
  const z = normalQuantile(0.975) + normalQuantile(0.8);
  const a = unitOf(world, 0);
  const usersOf = (lift: number, variance: number) =>
    2 * (a.variance + variance) * z ** 2 / (a.value * lift) ** 2;
  let lift = 0.1;
  for (let step = 0; step < 50; step++) lift *= Math.sqrt(usersOf(lift, a.variance * (1 + lift)) / wanted);
  return { lift, fixed: usersOf(lift, unitOf(world, lift).variance) };
}

function power(): void {
  print("| metric | maxUsers | lift | fixed horizon | 80 % said by | ratio | half by | ratio | wrong way |");
  print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const name of ["CTR", "conversion 3 %"] as const) {
    if (!name.includes(ONLY)) continue;
    for (const maxUsers of [2000, 5000, 50_000]) {
      for (const share of [1 / 1.6, 0.5, 0.25, 0.125]) {
        const world = WORLDS[name];
        const { lift, fixed } = fixedHorizon(world, share * maxUsers);
        const experiment = experimentOf(world.metric, { maxUsers });
        const ends: number[] = [];
        let wrong = 0;
        for (let run = 0; run < RUNS; run++) {
          const options = { split: 0.5, end: Math.ceil(2.5 * fixed), lift };
          const { users, comparison } = firstVerdict(world, experiment, options, createRandom(run, 23));
          ends.push(comparison === undefined ? Infinity : users);
          if (comparison !== undefined && comparison.interval.low <= 0) wrong++;
        }
        ends.sort((a, b) => a - b);
        const [most, half] = [ends[Math.ceil(0.8 * RUNS) - 1]!, ends[Math.ceil(RUNS / 2) - 1]!];
        print(
          `| ${name} | ${maxUsers} | ${percent(lift)} | ${Math.round(fixed)} | ${most} | ` +
            `${(most / fixed).toFixed(2)} | ${half} | ${(half / fixed).toFixed(2)} | ${wrong} |`,
        );
      }
    }
  }
}

/** A fixed number of people return again and again: 1,000 A/A experiments, with a look after every 20 visits. */
function returning(): void {
  print("| people | visits each | rates | maxUsers | wrong |");
  print("| --- | --- | --- | --- | --- |");
  for (const [people, visits] of [[500, 10], [500, 100], [2000, 10]] as const) {
    for (const spread of [0, 0.5]) {
      for (const maxUsers of [people, 50_000]) {
        const experiment = experimentOf("ctr", { maxUsers });
        let wrong = 0;
        for (let run = 0; run < RUNS; run++) {
          if (saysOfReturning(experiment, { people, visits, spread }, createRandom(run, 24))) wrong++;
        }
        const rates = spread === 0 ? "equal" : "different";
        print(`| ${people} | ${visits} | ${rates} | ${maxUsers} | ${percent(wrong / RUNS)} |`);
      }
    }
  }
}

function saysOfReturning(
  experiment: Experiment,
  { people, visits, spread }: { readonly people: number; readonly visits: number; readonly spread: number },
  random: Random,
): boolean {
  const arms = [new Moments(), new Moments()] as const;
  const first = new FirstSpreads(1);
  const figures = {
    experiment,
    moments: (variant: number) => arms[variant]!,
    firstSpread: () => first.get(0),
  };
  const [lists, rows, clicks] = (["lists", "rows", "clicks"] as const).map((field) =>
    METRIC_FIELDS.indexOf(field)
  ) as [number, number, number];
  const known = Array.from({ length: people }, () => ({
    sums: newSums(),
    arm: random() < 0.5 ? 0 : 1,
    rate: 1 / (1 + Math.exp(2.3 - spread * normal(random))),
  }));
  for (let visit = 1; visit <= people * visits; visit++) {
    // All come once before anybody returns.
    const { sums, arm, rate } = known[visit <= people ? visit - 1 : Math.floor(random() * people)]!;
    const moments = arms[arm]!;
    if (sums[0] === 1) moments.update(sums, undefined, -1);
    sums[0] = 1;
    sums[lists]!++;
    sums[rows]! += 10;
    for (let row = 0; row < 10; row++) if (random() < rate) sums[clicks]!++;
    moments.update(sums, undefined);
    first.update(() => spreadNow(figures, "ctr"));
    if (visit % LOOK_EVERY !== 0 || isClear(arms, "ctr")) continue;
    const { low, high } = compareVariant(figures, 1, "ctr").interval;
    if (low > 0 || high < 0) return true;
  }
  return false;
}

/** Harmless variants with three guard rails: how often one is stopped, and how often anything wrong is said. */
function rails(): void {
  print("| split | users | stopped | better or worse | any |");
  print("| --- | --- | --- | --- | --- |");
  for (const split of SPLITS) {
    for (const end of [2000, 5000]) {
      const experiment = {
        ...experimentOf("ctr", { maxUsers: end }),
        guardRails: [{ metric: "listsPerUser" }, { metric: "clicksPerUser" }, {
          metric: "calibration",
        }] as const,
      };
      let [stopped, said] = [0, 0];
      for (let run = 0; run < RUNS; run++) {
        const word = firstWord(experiment, split, end, createRandom(run, 25));
        if (word === "harmful") stopped++;
        else if (word !== undefined) said++;
      }
      const [harmful, other, any] = [stopped, said, stopped + said].map((runs) => percent(runs / RUNS));
      print(`| ${named(split)} | ${end} | ${harmful} | ${other} | ${any} |`);
    }
  }
}

function firstWord(experiment: Experiment, split: number, end: number, random: Random): string | undefined {
  const arms = new GroupedMoments(2);
  const moments = (variant: number, _?: UserSegment, metric: MetricName = "reward") =>
    arms.get(variant, sizeOf(metric));
  const figures = { experiment, moments };
  const ratio = new SampleRatio([split, 1 - split]);
  for (let users = 1; users <= end; users++) {
    const sums = newSums();
    HARD_WORLDS["calibration of 1"].draw(sums, random, 0);
    arms.add({ group: random() < split ? 0 : 1, sums, before: undefined });
    if (users % LOOK_EVERY !== 0) continue;
    const { word } = verdicts(figures, ratio)[0]!;
    if (word === "harmful" || word === "better" || word === "worse") return word;
  }
  return undefined;
}

const SIZES = [2000, 5000, 50_000];
const PARTS: Readonly<Record<string, () => void>> = {
  grid: () => grid(Object.values(WORLDS), SIZES.filter((size) => SIZE === undefined || size === SIZE)),
  hard: () => grid(Object.values(HARD_WORLDS), SIZES.filter((size) => SIZE === undefined || size === SIZE)),
  robots: () => grid(ROBOT_WORLDS, [2000, 5000]),
  past: () => grid(Object.values(WITH_PAST), [2000, 5000], true),
  power,
  returning,
  rails,
};
if (import.meta.main) {
  for (const [name, part] of Object.entries(PARTS)) if (Deno.args.includes(name)) part();
}
