/**
 * People of simulated experiments: what each does in an experiment, and before it.
 *
 * @module
 */

import { METRIC_FIELDS, type MetricField, type MetricName } from "../../src/assignment/metrics.ts";
import { normal, type Random } from "../../src/draws/random_source.ts";

const [LISTS, ROWS, CLICKS, REWARD, LOSS, PREDICTED] = ([
  "lists",
  "rows",
  "clicks",
  "reward",
  "loss",
  "predicted",
] satisfies MetricField[]).map((field) => METRIC_FIELDS.indexOf(field)) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

/** A kind of people. */
export interface World {
  /** What it is called. */
  readonly name: string;
  /** What is compared. */
  readonly metric: MetricName;
  /** Adds what the next person does to sums that start at 0; `lift` is what the variant adds, 0 = nothing. */
  readonly draw: (sums: Float64Array, random: Random, lift: number, before?: Float64Array) => void;
}

/** Lists of a person, 1, 2, …, with mean 2. */
function geometric(random: Random): number {
  return 1 + Math.floor(Math.log(1 - random()) / Math.log(0.5));
}

/** Clicks on so many rows. */
function binomial(n: number, p: number, random: Random): number {
  let clicks = 0;
  for (let i = 0; i < n; i++) clicks += random() < p ? 1 : 0;
  return clicks;
}

/** Lists of ten and clicks at each person's own rate, around 10 %; `spread` is that of its log-odds. */
function ctr(listsOf: (random: Random) => number, spread: number): World["draw"] {
  return (sums, random, lift, before) => {
    const rate = 1 / (1 + Math.exp(2.3 - spread * normal(random)));
    const visit = (to: Float64Array, rate: number) => {
      const lists = listsOf(random);
      to[0] = 1;
      to[LISTS] = lists;
      to[ROWS] = 10 * lists;
      to[CLICKS] = binomial(10 * lists, rate, random);
    };
    visit(sums, Math.min(1, rate * (1 + lift)));
    if (before !== undefined) visit(before, rate);
  };
}

/** One list; a share of the people buys, for a log-normal value. With σ = 0 it is 1: a conversion. */
function purchase(share: number, sigma: number): World["draw"] {
  return (sums, random, lift, before) => {
    sums[0] = sums[LISTS] = 1;
    sums[ROWS] = 10;
    // People with money spend much before and now.
    const taste = before === undefined || sigma === 0 ? 0 : 0.7 * sigma * normal(random);
    const rest = taste === 0 ? sigma : Math.sqrt(0.51) * sigma;
    const buys = share * (before === undefined ? 1 : 2 * random());
    if (random() < buys * (1 + lift)) {
      sums[CLICKS] = 1;
      sums[REWARD] = sigma === 0 ? 1 : Math.exp(taste + rest * normal(random));
    }
    if (before === undefined) return;
    before[0] = before[LISTS] = 1;
    before[ROWS] = 10;
    if (random() < buys) before[REWARD] = sigma === 0 ? 1 : Math.exp(taste + rest * normal(random));
  };
}

/** Lists only. */
function lists(listsOf: (random: Random) => number): World["draw"] {
  return (sums, random, lift) => {
    sums[0] = 1;
    sums[LISTS] = listsOf(random) + (random() < lift ? 2 : 0);
    sums[ROWS] = 10 * sums[LISTS]!;
  };
}

/** Ten rows per list, and a model that predicts a rate too high by the factor `off` (in the variant 1/off). */
function forecast(off: number): World["draw"] {
  return (sums, random, lift) => {
    const said = 0.1 * (lift === 0 ? off : 1 / off);
    const rate = 1 / (1 + Math.exp(2.3 - 0.5 * normal(random)));
    const n = 10 * geometric(random);
    sums[0] = 1;
    sums[LISTS] = n / 10;
    sums[ROWS] = n;
    const clicks = sums[CLICKS] = binomial(n, rate, random);
    sums[PREDICTED] = n * said;
    sums[LOSS] = -clicks * Math.log(said) - (n - clicks) * Math.log(1 - said);
  };
}

/** The people of a world, and robots: a share of all, each with so many lists of ten, all or none of them clicked. */
function withRobots(world: World, share: number, lists: number): World {
  return {
    ...world,
    name: `${world.name}, ${100 * share} % robots of ${lists} lists`,
    draw: (sums, random, lift, before) => {
      if (random() >= share) return world.draw(sums, random, lift, before);
      const robot = [1, lists, 10 * lists, random() < 0.5 ? 10 * lists : 0];
      robot.forEach((sum, field) => sums[field] = sum);
    },
  };
}

const heavy = (random: Random) => 1 + Math.floor(Math.exp(1.5 * normal(random)));

/** The worlds of the grid. */
export const WORLDS = {
  "CTR": { name: "CTR", metric: "ctr", draw: ctr(geometric, 0.5) },
  "conversion 3 %": { name: "conversion 3 %", metric: "clicksPerUser", draw: purchase(0.03, 0) },
  "reward, σ 1.2": { name: "reward, σ 1.2", metric: "reward", draw: purchase(0.03, 1.2) },
  "lists a user": { name: "lists a user", metric: "listsPerUser", draw: lists(geometric) },
} as const satisfies Readonly<Record<string, World>>;

/** Harder ones. */
export const HARD_WORLDS = {
  "reward, σ 2": { name: "reward, σ 2", metric: "reward", draw: purchase(0.03, 2) },
  "reward, σ 1.2, 30 % buy": { name: "reward, σ 1.2, 30 % buy", metric: "reward", draw: purchase(0.3, 1.2) },
  "conversion 0.3 %": { name: "conversion 0.3 %", metric: "clicksPerUser", draw: purchase(0.003, 0) },
  "conversion 60 %": { name: "conversion 60 %", metric: "clicksPerUser", draw: purchase(0.6, 0) },
  "CTR, very different people": { name: "CTR, very different people", metric: "ctr", draw: ctr(heavy, 1.5) },
  "lists a user, σ 1.5": { name: "lists a user, σ 1.5", metric: "listsPerUser", draw: lists(heavy) },
  "log loss": { name: "log loss", metric: "logLoss", draw: forecast(1.5) },
  "NE": { name: "NE", metric: "ne", draw: forecast(1.5) },
  "calibration": { name: "calibration", metric: "calibration", draw: forecast(1.5) },
  "calibration of 1": { name: "calibration of 1", metric: "calibration", draw: forecast(1) },
} as const satisfies Readonly<Record<string, World>>;

const CLICKS_PER_USER = { ...WORLDS.CTR, name: "clicks a user", metric: "clicksPerUser" } as const;

/** Those with robots. */
export const ROBOT_WORLDS: readonly World[] = [WORLDS["lists a user"], CLICKS_PER_USER, WORLDS.CTR].flatMap(
  (world) => [withRobots(world, 0.001, 10_000), withRobots(world, 0.005, 300)],
);

/** Those that also know a past: the same rates and, for the reward, half of what is spent. */
export const WITH_PAST = {
  "CTR": WORLDS.CTR,
  "reward, σ 1.2, 30 % buy": HARD_WORLDS["reward, σ 1.2, 30 % buy"],
  "reward, σ 2": HARD_WORLDS["reward, σ 2"],
} as const satisfies Readonly<Record<string, World>>;

/** What a person does, as a vector of sums: nothing yet. */
export function newSums(): Float64Array {
  return new Float64Array(METRIC_FIELDS.length);
}
