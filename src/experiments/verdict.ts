/**
 * What an experiment says, in words, at any time.
 *
 * @module
 */

import { splitVariants } from "./assignment.ts";
import { type Interval, sequenceInterval, sequenceP } from "./confidence_sequence.ts";
import { type Effect, effectOf } from "./effect.ts";
import type { Experiment, GuardRail } from "./experiment.ts";
import type { SampleRatio } from "./sample_ratio.ts";
import type { UserSegment } from "./totals.ts";
import { type MetricName, METRICS, type Moments } from "./user_metrics.ts";

/** What can be said. */
export const VERDICTS = ["better", "worse", "undecided", "no difference", "harmful", "invalid"] as const;

/** One of {@linkcode VERDICTS}. */
export type VerdictWord = typeof VERDICTS[number];

/** The comparison of a variant with the control on one metric. */
export interface Comparison {
  /** The variant. */
  readonly variant: string;
  /** The metric. */
  readonly metric: MetricName;
  /** The effect. */
  readonly effect: Effect;
  /** Interval of the lift that holds at all times; infinite when nothing can be said. */
  readonly interval: Interval;
  /** Smallest error rate at which there would be a verdict by now. */
  readonly p: number;
}

/** What is said of a variant. */
export interface Verdict {
  /** The variant. */
  readonly variant: string;
  /** In a word. */
  readonly word: VerdictWord;
  /** In a sentence. */
  readonly text: string;
  /** Figures of the metric that decides. */
  readonly comparison: Comparison;
  /** Figures of the guard rails, in their order. */
  readonly guardRails: readonly Comparison[];
}

/** Figures that a verdict is made of; `ExperimentTotals` are some. */
export interface Figures {
  /** The experiment. */
  readonly experiment: Experiment;
  /** The moments of a variant, by its place among those shown. */
  moments(variant: number, segment?: UserSegment): Moments;
}

const DEFAULTS = { alpha: 0.05, minUsers: 200, maxUsers: 50_000 };

/**
 * Compares a variant with the control on a metric. With several variants the error rate is divided among them.
 *
 * @param variant Place among the variants that are shown, from 1.
 */
export function compareVariant(
  figures: Figures,
  variant: number,
  metric: MetricName,
  segment?: UserSegment,
): Comparison {
  const { experiment } = figures;
  const shown = splitVariants(experiment);
  const { alpha, maxUsers } = { ...DEFAULTS, ...experiment.stopRule };
  const effect = effectOf(figures.moments(0, segment), figures.moments(variant, segment), metric);
  const options = { alpha: alpha / Math.max(1, shown.length - 1), tunedFor: maxUsers };
  const usable = effect.lift !== null && effect.variance > 0 && Number.isFinite(effect.variance);
  const estimate = {
    value: effect.lift ?? 0,
    variance: effect.variance,
    n: effect.control.users + effect.treatment.users,
  };
  return {
    variant: shown[variant]?.name ?? "",
    metric,
    effect,
    interval: usable ? sequenceInterval(estimate, options) : { low: -Infinity, high: Infinity },
    p: usable ? sequenceP(estimate, 0, options) : 1,
  };
}

/**
 * The verdicts on all variants. The guard rails share an error rate of their own, equal to the metric's.
 *
 * @param ratio The test of the split, fed with every new user.
 * @param lost The same test of the users who were answered and never came back, if they are known.
 */
export function verdicts(figures: Figures, ratio: SampleRatio, lost?: SampleRatio): Verdict[] {
  const { experiment } = figures;
  const shown = splitVariants(experiment);
  return shown.slice(1).map((_, at) => {
    const comparison = compareVariant(figures, at + 1, experiment.metric);
    const rails = { ...experiment, stopRule: railRule(experiment) };
    const guardRails = experiment.guardRails.map(({ metric }) =>
      compareVariant({ experiment: rails, moments: (v, s) => figures.moments(v, s) }, at + 1, metric)
    );
    return {
      ...invalidity(ratio, lost) ?? judge(experiment, comparison, guardRails),
      variant: comparison.variant,
      comparison,
      guardRails,
    };
  });
}

/** A verdict without its figures. */
type Judgement = Pick<Verdict, "word" | "text">;

/** Why nothing can be said, whatever the figures are; `undefined` = something can. */
function invalidity(ratio: SampleRatio, lost: SampleRatio | undefined): Judgement | undefined {
  // Who is lost in one arm only makes those who are left incomparable, however even the split looks.
  const [test, what] = lost?.mismatch
    ? [lost, "users who got an answer and never came back"] as const
    : [ratio, "users"] as const;
  if (!test.mismatch) return undefined;
  const n = test.counts.reduce((sum, count) => sum + count, 0);
  const split = test.counts.map((count) => Number((100 * count / n).toFixed(1))).join(":");
  return {
    word: "invalid",
    text: `invalid: ${what} are split ${split} (${test.counts.join(" and ")} users, p = ${small(test.p)})`,
  };
}

function judge(
  experiment: Experiment,
  comparison: Comparison,
  guardRails: readonly Comparison[],
): Judgement {
  const { variant, effect, interval, metric } = comparison;
  const { minUsers, maxUsers } = { ...DEFAULTS, ...experiment.stopRule };
  const users = effect.control.users + effect.treatment.users;
  const broken = users < minUsers
    ? -1
    : guardRails.findIndex((rail, at) => harms(rail, experiment.guardRails[at]!));
  if (broken >= 0) {
    const rail = guardRails[broken]!;
    return { word: "harmful", text: `stop: ${variant} makes ${rail.metric} worse: ${change(rail)}` };
  }
  const sign = METRICS[metric].better === "up" ? 1 : -1;
  if (users >= minUsers && interval.low > 0 || users >= minUsers && interval.high < 0) {
    const better = sign * (effect.lift ?? 0) > 0;
    return {
      word: better ? "better" : "worse",
      text: `${variant} is ${better ? "better" : "worse"}: ${change(comparison)} ${metric}`,
    };
  }
  if (users >= Math.max(minUsers, maxUsers)) {
    return {
      word: "no difference",
      text: `no difference found in ${users} users: ${change(comparison)} ${metric}`,
    };
  }
  return { word: "undecided", text: `cannot say yet: ${patience(comparison, users, minUsers)}` };
}

/** Whether a guard rail is surely broken: the whole interval lies beyond what is tolerated. */
function harms({ interval, metric }: Comparison, { tolerance = 0 }: GuardRail): boolean {
  return METRICS[metric].better === "up" ? interval.high < -tolerance : interval.low > tolerance;
}

/** How many more users it would take if the effect is what it looks like now. */
function patience(comparison: Comparison, users: number, minUsers: number): string {
  const { effect, interval } = comparison;
  if (effect.lift === null || !Number.isFinite(effect.variance)) return "there are no outcomes to compare";
  if (users < minUsers) return `at least ${minUsers - users} more users`;
  // The interval shrinks with the square root of the users, near enough.
  const half = (interval.high - interval.low) / 2;
  const wanted = users * ((half / effect.lift) ** 2 - 1);
  if (!(wanted < 1e9)) return `the effect is about zero so far, ${change(comparison)}`;
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(wanted)) - 1);
  const more = Math.ceil(wanted / digits) * digits;
  return `about ${more} more users if the effect is the ${change(comparison)} that it looks like`;
}

/** Guard rails share one error rate. */
function railRule({ stopRule, guardRails }: Experiment): Experiment["stopRule"] {
  const { alpha } = { ...DEFAULTS, ...stopRule };
  return { ...stopRule, alpha: alpha / Math.max(1, guardRails.length) };
}

function change({ effect, interval }: Comparison): string {
  return `${percent(effect.lift ?? 0)} [${points(interval.low)}, ${points(interval.high)}]`;
}

function points(share: number): string {
  if (!Number.isFinite(share)) return share < 0 ? "−∞" : "∞";
  return (100 * share).toFixed(1).replace("-", "−");
}

function percent(share: number): string {
  return `${share >= 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(1)} %`;
}

function small(p: number): string {
  return p < 1e-4 ? p.toExponential(1) : p.toFixed(4);
}
