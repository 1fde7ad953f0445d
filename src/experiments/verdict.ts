/** The verdicts of an experiment, valid at any time. */

import { splitVariants } from "../assignment/assignment.ts";
import { criticalSquare, type Interval, sequenceP } from "../metrics/confidence_sequence.ts";
import { type Effect, effectOf } from "./effect.ts";
import {
  conversionsOf,
  devianceAt,
  evidenceOf,
  inverted,
  MIN_CONVERSIONS,
  ratioInterval,
} from "./evidence.ts";
import { informationOf } from "./first_spreads.ts";
import { type Experiment, type GuardRail, STOP_RULE } from "../assignment/experiment.ts";
import type { SampleRatio } from "./sample_ratio.ts";
import type { UserSegment } from "./totals.ts";
import type { Moments } from "./user_metrics.ts";
import { type MetricName, METRICS, type MetricSpec } from "../assignment/metrics.ts";

/** Kinds of verdict. */
export const VERDICTS = ["better", "worse", "undecided", "no difference", "harmful", "invalid"] as const;

/** One of {@linkcode VERDICTS}. */
export type VerdictWord = typeof VERDICTS[number];

/** Comparison of a variant with the control on one metric. */
export interface Comparison {
  /** The variant. */
  readonly variant: string;
  /** The metric. */
  readonly metric: MetricName;
  /** The effect. */
  readonly effect: Effect;
  /** Anytime-valid interval of the lift; infinite before the minimum of users and conversions. */
  readonly interval: Interval;
  /** Anytime-valid p-value. */
  readonly p: number;
  /** Evidence as a share of that required for a verdict; from 1 on, the interval excludes 0. */
  readonly share: number;
  /** Users still missing in the smaller arm for a verdict. */
  readonly missingUsers: number;
  /** Effective conversions of the smaller arm, see {@linkcode MIN_CONVERSIONS}. */
  readonly conversions: number;
}

/** The verdict on a variant. */
export interface Verdict {
  /** The variant. */
  readonly variant: string;
  /** The verdict in one word. */
  readonly word: VerdictWord;
  /** The verdict in a sentence. */
  readonly text: string;
  /** Comparison on the deciding metric. */
  readonly comparison: Comparison;
  /** Comparisons on the guard rails, in their order. */
  readonly guardRails: readonly Comparison[];
}

/** Figures of an experiment, such as `ExperimentTotals`. */
export interface Figures {
  /** The experiment. */
  readonly experiment: Experiment;
  /** Moments of a variant, by its index among those with users, with the largest users cut for the metric. */
  moments(variant: number, segment?: UserSegment, metric?: MetricName): Moments;
  /** The spread of a comparison when it first became possible, if known, see `Effect`; without it the clock is users. */
  firstSpread?(variant: number, segment: UserSegment | undefined, metric: MetricName): number | undefined;
}

/**
 * Compares a variant with the control on a metric. With several variants the error rate is divided among them.
 *
 * @param variant Index among the variants with users, from 1.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { compareVariant, METRIC_FIELDS, Moments, startExperiment } from "@meander/meander/experiments";
 *
 * // Every second user clicks one of `rows` rows.
 * function arm(users: number, rows: number): Moments {
 *   const moments = new Moments();
 *   for (let user = 0; user < users; user++) {
 *     const sums = METRIC_FIELDS.map((field) => field === "rows" ? rows : field === "clicks" ? user % 2 : 1);
 *     moments.update(Float64Array.from(sums), undefined);
 *   }
 *   return moments;
 * }
 *
 * const variants = [{ name: "old" }, { name: "new" }];
 * const experiment = startExperiment({ name: "e", variants }, { records: new Map(), models: [] });
 * const arms = [arm(5000, 10), arm(5000, 8)];
 * const figures = { experiment, moments: (variant: number) => arms[variant] ?? new Moments() };
 * const { interval, p } = compareVariant(figures, 1, "ctr");
 * assert.ok(interval.low > 0 && p < 0.05);
 * ```
 */
export function compareVariant(
  figures: Figures,
  variant: number,
  metric: MetricName,
  segment?: UserSegment,
): Comparison {
  const { experiment } = figures;
  const shown = splitVariants(experiment);
  const { alpha, minUsers, maxUsers } = { ...STOP_RULE, ...experiment.stopRule };
  const effect = effectOf(
    figures.moments(0, segment, metric),
    figures.moments(variant, segment, metric),
    metric,
  );
  const evidence = evidenceOf(effect.control, effect.variant);
  const { ideal }: MetricSpec = METRICS[metric];
  const { control, variant: treated } = effect;
  const known = {
    variant: shown[variant]?.name ?? "",
    metric,
    effect,
    missingUsers: Math.max(0, minUsers - Math.min(control.users, treated.users)),
    conversions: conversionsOf(effect),
  };
  if (evidence === null || known.missingUsers > 0 || known.conversions < MIN_CONVERSIONS) {
    return { ...known, interval: { low: -Infinity, high: Infinity }, p: 1, share: 0 };
  }
  const n = informationOf(effect, figures.firstSpread?.(variant, segment, metric));
  const rate = alpha / Math.max(1, shown.length - 1);
  const options = { alpha: ideal === undefined ? rate : rate / 2, tunedFor: maxUsers * 2 / 3 };
  const square = criticalSquare(n, options);
  const both = ideal === undefined ? [evidence] : [evidence, inverted(evidence)];
  const least = Math.min(...both.map((one) => devianceAt(one, 1)));
  const ratio = ideal === undefined
    ? ratioInterval(evidence, square)
    : distanceInterval(ratioInterval(evidence, square), ratioInterval(inverted(evidence), square));
  return {
    ...known,
    interval: { low: ratio.low - 1, high: ratio.high - 1 },
    p: Math.min(1, both.length * sequenceP(least, n, options)),
    share: least / square,
  };
}

/**
 * The interval of max(b, 1/b) / max(a, 1/a), from those of b/a and b·a, each at half the error rate.
 *
 * With x = ln(b/a) and y = ln(ba), |ln b| − |ln a| is whichever of the two is nearer to 0, with the sign of xy.
 */
function distanceInterval(ratio: Interval, product: Interval): Interval {
  const [x, y] = [ratio, product].map(({ low, high }) => [Math.log(low), Math.log(high)] as const);
  // It is monotone in x given y, and in y given x, except where the sign changes: the ends are at corners.
  const corners = x!.flatMap((a) => y!.map((b) => Math.sign(a * b) * Math.min(Math.abs(a), Math.abs(b))));
  return { low: Math.exp(Math.min(...corners)), high: Math.exp(Math.max(...corners)) };
}

/**
 * The verdicts on all variants. The guard rails share a separate error rate, equal to the metric's.
 *
 * @param ratio The test of the split over all new users.
 * @param lost The same test over users with a recommendation but no sample, if known.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { METRIC_FIELDS, Moments, SampleRatio, startExperiment, verdicts } from "@meander/meander/experiments";
 *
 * // Every second user clicks one of `rows` rows.
 * function arm(users: number, rows: number): Moments {
 *   const moments = new Moments();
 *   for (let user = 0; user < users; user++) {
 *     const sums = METRIC_FIELDS.map((field) => field === "rows" ? rows : field === "clicks" ? user % 2 : 1);
 *     moments.update(Float64Array.from(sums), undefined);
 *   }
 *   return moments;
 * }
 *
 * const variants = [{ name: "old" }, { name: "new" }];
 * const experiment = startExperiment({ name: "e", variants }, { records: new Map(), models: [] });
 * const arms = [arm(5000, 10), arm(5000, 8)];
 * const figures = { experiment, moments: (variant: number) => arms[variant] ?? new Moments() };
 * const [verdict] = verdicts(figures, new SampleRatio([0.5, 0.5]));
 * assert.equal(verdict?.word, "better");
 * ```
 */
export function verdicts(figures: Figures, ratio: SampleRatio, lost?: SampleRatio): Verdict[] {
  const { experiment } = figures;
  const shown = splitVariants(experiment);
  return shown.slice(1).map((_, at) => {
    const comparison = compareVariant(figures, at + 1, experiment.metric);
    const rails = { ...experiment, stopRule: railRule(experiment) };
    const guardRails = experiment.guardRails.map(({ metric }) =>
      compareVariant(
        {
          experiment: rails,
          moments: figures.moments.bind(figures),
          firstSpread: (...of) => figures.firstSpread?.(...of),
        },
        at + 1,
        metric,
      )
    );
    const invalid = invalidity(ratio, lost);
    return {
      ...harm(experiment, guardRails, invalid) ?? invalid ??
        judge(experiment, comparison, guardRails, compareVariant(figures, at + 1, "listsPerUser")),
      variant: comparison.variant,
      comparison,
      guardRails,
    };
  });
}

/** A verdict without its figures. */
type Judgement = Pick<Verdict, "word" | "text">;

/** Why no verdict is possible, whatever the figures; `undefined` = one is. */
function invalidity(ratio: SampleRatio, lost: SampleRatio | undefined): Judgement | undefined {
  // Users lost in one arm only make the remaining users incomparable, however even the split looks.
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

/**
 * The verdict on a broken guard rail. It takes precedence over invalidity: a variant that loses users should stop, and
 * the default, to which a stop returns, is safe even if the figures are invalid.
 */
function harm(
  experiment: Experiment,
  guardRails: readonly Comparison[],
  invalid: Judgement | undefined,
): Judgement | undefined {
  const broken = guardRails.find((rail, at) => harms(rail, experiment.guardRails[at]!));
  if (broken === undefined) return undefined;
  const text = `stop: ${broken.variant} makes ${nameOf(broken.metric)} worse: ${change(broken)}`;
  return { word: "harmful", text: invalid === undefined ? text : `${text}; ${invalid.text}` };
}

/** Names guard rails about which too little is known, so that their silence is not taken for safety. */
function unseen(guardRails: readonly Comparison[]): string {
  const unknown = guardRails.filter((rail) => rail.interval.low === -Infinity && !isAlike(rail));
  return unknown.length === 0
    ? ""
    : `; nothing is known yet about ${unknown.map(({ metric }) => nameOf(metric)).join(", ")}`;
}

/** Says that a ratio may differ because other people have more lists, which weigh by their number. */
function shifted(metric: MetricName, lists: Comparison): string {
  const { per }: MetricSpec = METRICS[metric];
  if (per === "users" || !(lists.interval.low > 0 || lists.interval.high < 0)) return "";
  return `; ${nameOf(metric)} counts lists, not people, and listsPerUser differs: ${change(lists)}`;
}

/** Whether all users of both arms are the same: no difference can be found, and there is none. */
function isAlike({ effect: { variance, lift } }: Comparison): boolean {
  return variance === 0 && Math.abs(lift ?? Infinity) < 1e-9;
}

function judge(
  experiment: Experiment,
  comparison: Comparison,
  guardRails: readonly Comparison[],
  lists: Comparison,
): Judgement {
  const { variant, effect, interval, metric, missingUsers, conversions } = comparison;
  const { maxUsers } = { ...STOP_RULE, ...experiment.stopRule };
  if (interval.low > 0 || interval.high < 0) {
    const word = (METRICS[metric].better === "up") === interval.low > 0 ? "better" : "worse";
    const text = `${variant} is ${word}: ${change(comparison)} ${nameOf(metric)}`;
    return { word, text: text + shifted(metric, lists) + unseen(guardRails) };
  }
  const users = effect.control.users + effect.variant.users;
  // An undetectable effect is not an absent one.
  const couldSee = missingUsers === 0 && (conversions >= MIN_CONVERSIONS || isAlike(comparison));
  if (couldSee && users >= maxUsers) {
    return {
      word: "no difference",
      text: `no difference found in ${users} users: ${change(comparison)} ${nameOf(metric)}` +
        unseen(guardRails),
    };
  }
  return { word: "undecided", text: `cannot say yet: ${patience(comparison, users)}` };
}

/** Whether a guard rail is broken: the whole interval lies beyond the tolerance. */
function harms({ interval, metric }: Comparison, { tolerance = 0 }: GuardRail): boolean {
  return METRICS[metric].better === "up" ? interval.high < -tolerance : interval.low > tolerance;
}

/** Estimated number of further users, given the current estimate of the effect. */
function patience(comparison: Comparison, users: number): string {
  const { effect, share, missingUsers, conversions, metric } = comparison;
  const { control, variant } = effect;
  if (users === 0) {
    return "no list is settled yet: each counts once newer events are past its outcome window and the lateness allowed";
  }
  if (control.value === null || variant.value === null || control.value === 0 && variant.value === 0) {
    return "there are no outcomes to compare";
  }
  if (missingUsers > 0) return `at least ${missingUsers} more users in each arm`;
  if (control.variance + variant.variance === 0) {
    return `${nameOf(metric)} does not vary among the users of an arm`;
  }
  if (conversions < MIN_CONVERSIONS) {
    return `${nameOf(metric)} has ${Math.floor(conversions)} effective conversions in the smaller arm, ` +
      `and needs ${MIN_CONVERSIONS}`;
  }
  const wanted = users * (1 / share - 1);
  if (!(wanted < 1e9)) return `the effect is about zero so far, ${change(comparison)}`;
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(wanted)) - 1);
  const more = Math.ceil(wanted / digits) * digits;
  return `about ${more} more users if the effect is the ${change(comparison)} that it looks like`;
}

/** The quantity that a lift refers to. */
function nameOf(metric: MetricName): string {
  const { ideal }: MetricSpec = METRICS[metric];
  return ideal === undefined ? metric : `distance of ${metric} from ${ideal}`;
}

/** Guard rails share one error rate. */
function railRule({ stopRule, guardRails }: Experiment): Experiment["stopRule"] {
  const { alpha } = { ...STOP_RULE, ...stopRule };
  return { ...stopRule, alpha: alpha / Math.max(1, guardRails.length) };
}

function change({ effect: { lift, control, variant }, interval }: Comparison): string {
  const cut = control.cut + variant.cut;
  const of = cut === 0 ? "" : ` with ${cut} ${cut === 1 ? "reward" : "rewards"} cut`;
  return `${percent(lift ?? Infinity)} [${points(interval.low)}, ${points(interval.high)}]${of}`;
}

function points(share: number): string {
  if (!Number.isFinite(share)) return share < 0 ? "−∞" : "∞";
  return (100 * share).toFixed(1).replace("-", "−");
}

function percent(share: number): string {
  return `${share >= 0 ? "+" : "−"}${points(Math.abs(share))} %`;
}

function small(p: number): string {
  return p < 1e-4 ? p.toExponential(1) : p.toFixed(4);
}
