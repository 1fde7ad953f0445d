/**
 * Experiments with figures and verdicts as JSON, for HTTP, the dashboard and the command. Each call reads only what is
 * new on the log.
 */

import { setTimeout as delay } from "node:timers/promises";
import { splitShares, splitVariants } from "../../src/assignment/assignment.ts";
import {
  type Experiment,
  type ExperimentRecord,
  isExperiment,
  STOP_RULE,
} from "../../src/assignment/experiment.ts";
import type { Preference } from "../../src/assignment/interleaving.ts";
import { seenLoss } from "../../src/experiments/sample_ratio.ts";
import { USER_SEGMENTS, type UserSegment } from "../../src/experiments/totals.ts";
import { valueOf } from "../../src/experiments/user_metrics.ts";
import { type MetricName, METRICS } from "../../src/assignment/metrics.ts";
import { compareVariant } from "../../src/experiments/verdict.ts";
import { keysOf, recordOf } from "../../src/values/record.ts";
import type { Log } from "../log/log.ts";
import type { Topics } from "../topics/topics.ts";
import { ExperimentMonitor } from "./monitor.ts";
import { ExperimentRegistry } from "./registry.ts";
import type { ExperimentStatus, LatencyView, OrderShares } from "./followed.ts";

/** Records read at once: they take a millisecond, or forty with 100 experiments per user. */
const PORTION = 64;

/** Fewest users for which a detectable loss is reported. */
const TELLING_USERS = 5000;

/** How a variant differs from the control in a metric. */
export interface LiftView {
  /** Relative change against the control; `null` while unknown, like the ends below. */
  readonly lift: number | null;
  /** Lower end of the interval. */
  readonly low: number | null;
  /** Upper end of the interval. */
  readonly high: number | null;
}

/** A variant's figures among a group of users; the change is that of the deciding metric. */
export interface SegmentView extends LiftView {
  /** Number of users. */
  readonly users: number;
  /** Value of the deciding metric. */
  readonly value: number | null;
}

/** A variant of an {@linkcode ExperimentView}. */
export interface VariantView extends SegmentView {
  /** Its name. */
  readonly name: string;
  /** Whether it is the control. */
  readonly control: boolean;
  /** Lists with a final outcome. */
  readonly lists: number;
  /** Shown items with a final outcome. */
  readonly rows: number;
  /** Click rate of these items. */
  readonly ctr: number | null;
  /** All metrics, by name. */
  readonly metrics: Readonly<Record<MetricName, number | null>>;
  /** Changes of all metrics against the control, by name. Each interval has the full error rate. */
  readonly lifts: Readonly<Record<MetricName, LiftView>>;
  /** New and returning users. Each segment's interval has the full error rate. */
  readonly segments: Readonly<Record<UserSegment, SegmentView>>;
  /** The verdict in one word; `null` for the control. */
  readonly word: string | null;
  /** Mean time that an answer took to make, milliseconds. */
  readonly tookMs: number | null;
  /** Mean and percentiles of that time. */
  readonly took: LatencyView;
  /** Shares of its answers by what ordered them. */
  readonly orderedBy: OrderShares;
  /** Users with a list but no sample. */
  readonly lost: number;
}

/** Observed split of the users, and its test. */
export interface SplitView {
  /** Users by variant. */
  readonly users: readonly number[];
  /** p-value of the sequential test against the intended split. */
  readonly p: number;
  /** p-value of the sequential test of who got an answer and never came back. */
  readonly lostP: number;
  /** Smallest loss of users the test detects in 95 % of cases, as a share of a variant; `null` with too few users. */
  readonly sees: number | null;
}

/** An experiment with its figures and verdicts. */
export interface ExperimentView {
  /** Its name. */
  readonly name: string;
  /** Hypothesis. */
  readonly hypothesis: string;
  /** Its state. */
  readonly status: "running" | "stopped" | "promoted";
  /** The promoted variant. */
  readonly winner: string | null;
  /** Why it stopped, or a remark about its newest phase. */
  readonly reason: string | null;
  /** The layer that it takes users from. */
  readonly layer: string;
  /** Share of all users in it, in (0, 1]. */
  readonly traffic: number;
  /** The deciding metric. */
  readonly metric: MetricName;
  /** Guard rail metrics. */
  readonly guardRails: readonly string[];
  /** Variants with users; empty when lists are interleaved. */
  readonly variants: readonly VariantView[];
  /** Names of all variants; shadows are marked. */
  readonly names: readonly string[];
  /** How users are split among the variants. */
  readonly split: SplitView;
  /** The verdicts as sentences, and whether users are left out. */
  readonly text: readonly string[];
  /** The broken guard rail as a sentence, or `null`. */
  readonly harm: string | null;
  /** Lists left out because their user changed variant. */
  readonly moved: number;
}

/** All experiments of a deployment. */
export interface ExperimentsView {
  /** Experiments, running ones first, and the `holdout` as one. */
  readonly experiments: readonly ExperimentView[];
  /** Share of users held out of all experiments and promotions, in [0, 1). */
  readonly holdout: number;
}

/**
 * Reads the experiments of a deployment from its log, with figures and verdicts.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   DEFAULT_SCHEMA,
 *   ExperimentRegistry,
 *   ExperimentViews,
 *   MemoryLog,
 *   Service,
 *   topicNames,
 * } from "@meander/meander";
 *
 * await using log = new MemoryLog();
 * await using _service = await Service.start(log, {
 *   model: "base",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 *
 * const registry = new ExperimentRegistry(log, topicNames(), { models: ["base"], now: Date.now });
 * await registry.start({ name: "explore", variants: [{ name: "model" }, { name: "rates", model: "prior" }] });
 *
 * const { experiments } = await new ExperimentViews(log, topicNames(), Date.now).views();
 * assert.deepEqual(experiments.map(({ name, status }) => [name, status]), [["explore", "running"]]);
 * ```
 */
export class ExperimentViews {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #registry: ExperimentRegistry;
  readonly #working: () => ExperimentMonitor | undefined;
  #own: ExperimentMonitor | undefined;
  #reading: Promise<ExperimentsView> | undefined;

  /** Makes a reader. @param working Returns the monitor running in this process, if any */
  constructor(
    log: Log,
    topics: Topics,
    now: () => number,
    working: () => ExperimentMonitor | undefined = () => undefined,
  ) {
    this.#log = log;
    this.#topics = topics;
    this.#registry = new ExperimentRegistry(log, topics, { models: [], now });
    this.#working = working;
  }

  /** Reads new records of the log; concurrent calls share one read. */
  views(): Promise<ExperimentsView> {
    return this.#reading ??= this.#read().finally(() => this.#reading = undefined);
  }

  /** The monitor running in this process, or one of its own that resumes from the written figures. */
  async #monitor(): Promise<ExperimentMonitor> {
    const working = this.#working();
    if (working !== undefined) {
      this.#own = undefined;
      return working;
    }
    return this.#own ??= await ExperimentMonitor.open(this.#log, this.#topics, this.#registry, {
      readOnly: true,
    });
  }

  async #read(): Promise<ExperimentsView> {
    const monitor = await this.#monitor();
    // A monitor that lags far behind would stop the thread until it has caught up.
    while (await monitor.update(PORTION) === PORTION) await delay(0);
    const views = monitor.status().map(viewOf);
    const rank = ({ status }: ExperimentView) => status === "running" ? 0 : 1;
    return {
      experiments: views.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1)),
      holdout: holdoutOf([...monitor.records.values()]),
    };
  }
}

/** The broken guard rail that must stop an experiment, as a sentence, or `null`. */
export function harmOf({ experiment, verdicts }: ExperimentStatus): string | null {
  return experiment.status === "running" ? harmIn(verdicts) : null;
}

function harmIn(verdicts: ExperimentStatus["verdicts"]): string | null {
  return verdicts.find(({ word }) => word === "harmful")?.text ?? null;
}

function holdoutOf(records: readonly ExperimentRecord[]): number {
  const found = records.find((record) => !isExperiment(record));
  return found === undefined || isExperiment(found) ? 0 : found.share;
}

function splitOf({ ratio: { counts, p }, lostP, experiment }: ExperimentStatus): SplitView {
  const n = counts.reduce((sum, count) => sum + count, 0);
  const share = Math.min(...splitShares(experiment));
  const sees = seenLoss(n, share);
  return { users: [...counts], p, lostP, sees: n < TELLING_USERS || sees >= 1 ? null : sees };
}

function viewOf(status: ExperimentStatus): ExperimentView {
  const { experiment, verdicts, preference, totals, fullAt } = status;
  const { name, hypothesis, status: state, layer, traffic, metric, guardRails, mode } = experiment;
  // Interleaved lists belong to no single variant.
  const shown = mode === "interleave" ? [] : splitVariants(experiment);
  return {
    name,
    hypothesis,
    status: state,
    layer,
    traffic,
    metric,
    variants: shown.map(({ name }, place) => variantOf(status, name, place)),
    split: splitOf(status),
    winner: experiment.winner ?? null,
    reason: experiment.reason ?? null,
    names: namesOf(experiment),
    guardRails: guardRails.map(({ metric }) => metric),
    text: [
      ...verdicts.map(({ text }) => text),
      ...preference === null ? [] : [preferenceText(preference, experiment)],
      ...fullAt === null ? [] : [`it counts ${fullAt} users, the most that it may: later ones are left out`],
    ],
    harm: harmIn(verdicts),
    moved: totals.moved,
  };
}

/** A variant with users. @param place among the variants that users are split among; 0 = the control */
function variantOf(status: ExperimentStatus, name: string, place: number): VariantView {
  const { verdicts, totals, took, orderedBy, lost } = status;
  const moments = totals.moments(place);
  const times = took[place] ?? { mean: null, p50: null, p99: null };
  return {
    name,
    control: place === 0,
    ...segmentOf(status, place),
    lists: moments.total("lists"),
    rows: moments.total("rows"),
    ctr: finite(valueOf("ctr", moments)),
    metrics: recordOf(
      keysOf(METRICS),
      (name) => finite(valueOf(name, totals.moments(place, undefined, name))),
    ),
    lifts: recordOf(keysOf(METRICS), (name) => liftOf(status, place, name)),
    segments: recordOf(USER_SEGMENTS, (segment) => segmentOf(status, place, segment)),
    word: verdicts.find(({ variant }) => variant === name)?.word ?? null,
    tookMs: times.mean,
    took: times,
    orderedBy: orderedBy[place] ?? {},
    lost: lost[place] ?? 0,
  };
}

/** A variant's figures among the users of a segment, or all. */
function segmentOf(
  { experiment: { metric }, totals }: ExperimentStatus,
  place: number,
  segment?: UserSegment,
): SegmentView {
  const own = totals.moments(place, segment, metric);
  return {
    users: own.users,
    value: finite(valueOf(metric, own)),
    ...liftOf({ totals }, place, metric, segment),
  };
}

/** The change of a variant's metric against the control; unknown for the control itself. */
function liftOf(
  { totals }: Pick<ExperimentStatus, "totals">,
  place: number,
  metric: MetricName,
  segment?: UserSegment,
): LiftView {
  const compared = place === 0 ? undefined : compareVariant(totals, place, metric, segment);
  return {
    lift: compared?.effect.lift ?? null,
    low: finite(compared?.interval.low),
    high: finite(compared?.interval.high),
  };
}

/** Display names of all variants; shadows and pinned versions are marked. */
export function namesOf({ variants }: Pick<Experiment, "variants">): string[] {
  return variants.map(({ name, shadow, version }) => {
    const marks = [
      ...(shadow === true ? ["shadow"] : []),
      ...(typeof version === "number" ? [`version ${version}`] : []),
    ];
    return marks.length === 0 ? name : `${name} (${marks.join(", ")})`;
  });
}

function preferenceText({ users, value, interval, wins }: Preference, experiment: Experiment): string {
  const [a, b] = splitVariants(experiment).map(({ name }) => name);
  const { maxUsers } = { ...STOP_RULE, ...experiment.stopRule };
  const words = interval.low > 0
    ? `${b} is preferred`
    : interval.high < 0
    ? `${a} is preferred`
    : users >= maxUsers
    ? "no preference found"
    : "cannot say yet";
  const [mean, low, high] = [value, interval.low, interval.high].map((x) => x.toFixed(3).replace("-", "−"));
  return `${words}: ${mean} [${low}, ${high}] of ${users} users, ` +
    `${wins[0]} for ${a}, ${wins[1]} for ${b}, ${wins[2]} ties`;
}

function finite(value: number | null | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
