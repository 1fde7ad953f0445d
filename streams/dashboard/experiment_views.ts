/**
 * Experiments and what can be said of them, for the dashboard. The log is read when somebody asks, and only what is
 * new since the last time.
 *
 * @module
 */

import { splitVariants } from "../../src/experiments/assignment.ts";
import { isExperiment } from "../../src/experiments/experiment.ts";
import { METRICS, type MetricSpec } from "../../src/experiments/user_metrics.ts";
import { ExperimentMonitor, type ExperimentStatus } from "../experiments/monitor.ts";
import { ExperimentRegistry } from "../experiments/registry.ts";
import type { Log } from "../log/log.ts";
import type { Topics } from "../topics.ts";

/** A variant of an {@linkcode ExperimentView}. */
export interface VariantView {
  readonly name: string;
  /** Whether it is what the others are compared with. */
  readonly control: boolean;
  readonly users: number;
  /** Shown items whose outcome is final. */
  readonly rows: number;
  readonly ctr: number | null;
  /** The metric that decides. */
  readonly value: number | null;
  /** Relative change against the control, and its interval; `null` = nothing can be said, or without a bound. */
  readonly lift: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** The verdict in a word. */
  readonly word: string | null;
  /** Mean time to make a list. */
  readonly tookMs: number | null;
  /** Users who got an answer and never came back as a sample. */
  readonly lost: number;
}

/** An experiment. */
export interface ExperimentView {
  readonly name: string;
  readonly hypothesis: string;
  readonly status: string;
  readonly layer: string;
  /** Share of all users. */
  readonly traffic: number;
  readonly metric: string;
  readonly guardRails: readonly string[];
  readonly variants: readonly VariantView[];
  /** What can be said, in sentences. */
  readonly text: readonly string[];
  /** Lists left out, as their users had changed variant. */
  readonly moved: number;
}

/** Looks at the experiments of a deployment. */
export class ExperimentViews {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #registry: ExperimentRegistry;
  #monitor: ExperimentMonitor | undefined;
  /** Names and revisions that the monitor began with. */
  #followed = "";
  #reading: Promise<readonly ExperimentView[]> | undefined;

  /** Nothing is read yet. */
  constructor(log: Log, topics: Topics, now: () => number) {
    this.#log = log;
    this.#topics = topics;
    this.#registry = new ExperimentRegistry(log, topics, { models: [], now });
  }

  /** All experiments, running ones first; who asks while the log is read gets the same. */
  views(): Promise<readonly ExperimentView[]> {
    return this.#reading ??= this.#read().finally(() => this.#reading = undefined);
  }

  async #read(): Promise<readonly ExperimentView[]> {
    const records = [...(await this.#registry.records()).values()].filter(isExperiment);
    if (records.length === 0) return [];
    const followed = records.map(({ name, revision }) => `${name} ${revision}`).sort().join("\n");
    if (this.#monitor === undefined || followed !== this.#followed) {
      this.#monitor = await ExperimentMonitor.open(this.#log, this.#topics, this.#registry);
      this.#followed = followed;
    }
    await this.#monitor.update();
    const views = this.#monitor.status().map(viewOf);
    const rank = ({ status }: ExperimentView) => status === "running" ? 0 : 1;
    return views.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  }
}

function viewOf(
  { experiment, verdicts, preference, totals, tookMicros, lost }: ExperimentStatus,
): ExperimentView {
  const { name, hypothesis, status, layer, traffic, metric, guardRails, mode } = experiment;
  const spec: MetricSpec = METRICS[metric];
  // Lists drafted from two variants have no users of either.
  const shown = mode === "interleave" ? [] : splitVariants(experiment);
  const variants = shown.map((variant, place): VariantView => {
    const moments = totals.moments(place);
    const verdict = verdicts.find((one) => one.variant === variant.name);
    const rows = moments.total("rows"), per = moments.total(spec.per);
    const micros = tookMicros[place] ?? null;
    return {
      name: variant.name,
      control: place === 0,
      users: moments.users,
      rows,
      ctr: rows === 0 ? null : moments.total("clicks") / rows,
      value: per === 0 ? null : moments.total(spec.of) / per,
      lift: verdict?.comparison.effect.lift ?? null,
      low: finite(verdict?.comparison.interval.low),
      high: finite(verdict?.comparison.interval.high),
      word: verdict?.word ?? null,
      tookMs: micros === null ? null : micros / 1000,
      lost: lost[place] ?? 0,
    };
  });
  const preferred = preference === null ? [] : [
    `interleaved: ${preference.users} users clicked; ${preference.wins[0]} prefer the first variant, ` +
    `${preference.wins[1]} the second, ${preference.wins[2]} neither`,
  ];
  return {
    ...{ name, hypothesis, status, layer, traffic, metric, variants },
    guardRails: guardRails.map(({ metric }) => metric),
    text: [...verdicts.map(({ text }) => text), ...preferred],
    moved: totals.moved,
  };
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
