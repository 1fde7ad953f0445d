/**
 * Follows the experiments of a deployment on its log: figures, verdicts, and the end of those that do harm.
 *
 * It reads the samples and answers from the start of what the log keeps, each once, so a monitor that begins anew
 * comes to the same figures.
 *
 * @module
 */

import { splitShares, splitVariants } from "../../src/experiments/assignment.ts";
import { type Experiment, isExperiment } from "../../src/experiments/experiment.ts";
import { ExposureLoss } from "../../src/experiments/exposure_loss.ts";
import { InterleavingTotals, type Preference } from "../../src/experiments/interleaving.ts";
import { SampleRatio } from "../../src/experiments/sample_ratio.ts";
import { ExperimentTotals } from "../../src/experiments/totals.ts";
import { type Verdict, verdicts } from "../../src/experiments/verdict.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { Sample } from "../../src/learner/sample.ts";
import { decodeSample } from "../../src/learner/sample_codec.ts";
import { RunningMean } from "../../src/metrics/running.ts";
import { LatencyWindow } from "../dashboard/latency.ts";
import type { Log } from "../log/log.ts";
import type { Topics } from "../topics.ts";
import type { ExperimentRegistry } from "./registry.ts";

/** Event time after which a user of whom nothing came counts as lost. */
const PATIENCE_MS = 3_600_000;

/** Times to an answer, milliseconds; `null` = none yet. Percentiles are right to 5 %. */
export interface LatencyView {
  /** Mean. */
  readonly mean: number | null;
  /** Median. */
  readonly p50: number | null;
  /** 99 % are not above it. */
  readonly p99: number | null;
}

/** What is known of an experiment. */
export interface ExperimentStatus {
  /** The experiment. */
  readonly experiment: Experiment;
  /** A verdict a variant beside the control; empty when it interleaves. */
  readonly verdicts: readonly Verdict[];
  /** Who is preferred, when it interleaves. */
  readonly preference: Preference | null;
  /** The figures by variant. */
  readonly totals: ExperimentTotals;
  /** Times to an answer by variant. */
  readonly took: readonly LatencyView[];
  /** The test of the split by counts. */
  readonly ratio: SampleRatio;
  /** Users who got an answer and never came back as a sample, by variant. */
  readonly lost: readonly number[];
}

/** Times to an answer of one variant. */
class Took {
  readonly #mean = new RunningMean();
  /** One second that never ends. */
  readonly #window = new LatencyWindow(1);

  update(ms: number): void {
    this.#mean.update(ms);
    this.#window.add(ms);
  }

  get view(): LatencyView {
    const [p50, p99] = [0.5, 0.99].map((share) => this.#window.percentile(share)) as [number, number];
    return { mean: this.#mean.get(), p50, p99 };
  }
}

/** Figures of one experiment. */
class Followed {
  readonly experiment: Experiment;
  readonly totals: ExperimentTotals;
  readonly ratio: SampleRatio;
  readonly loss: ExposureLoss;
  readonly interleaving: InterleavingTotals = new InterleavingTotals();
  readonly took: readonly Took[];
  readonly #variants: readonly string[];

  constructor(experiment: Experiment) {
    const shares = splitShares(experiment);
    this.experiment = experiment;
    this.ratio = new SampleRatio(shares);
    this.loss = new ExposureLoss(shares, PATIENCE_MS);
    this.totals = new ExperimentTotals(experiment, (variant) => this.ratio.update(variant));
    this.#variants = splitVariants(experiment).map(({ name }) => name);
    this.took = this.#variants.map(() => new Took());
  }

  answered({ user, time, tookMicros, experiment, variant, exposures }: Recommendation): void {
    const own = exposures ??
      (experiment === undefined || variant === undefined ? [] : [{ experiment, variant }]);
    const name = own.find((one) => one.experiment === this.experiment.name)?.variant;
    const arm = name === undefined ? -1 : this.#variants.indexOf(name);
    if (arm < 0) return;
    this.took[arm]!.update(tookMicros / 1000);
    if (!Object.hasOwn(this.experiment.overrides, user)) this.loss.answered(user, arm, time);
  }

  sampled(sample: Sample): void {
    this.totals.update(sample);
    if (sample.exposures?.some(({ experiment }) => experiment === this.experiment.name) !== true) return;
    this.loss.seen(sample.user);
    const clicks: [number, number] = [0, 0];
    for (const { team, label } of sample.rows) if (team !== undefined) clicks[team] += label;
    this.interleaving.update(sample.user, clicks);
  }

  get status(): ExperimentStatus {
    const { experiment, totals, took, loss } = this;
    const interleaves = experiment.mode === "interleave";
    return {
      experiment,
      verdicts: interleaves ? [] : verdicts(totals, this.ratio, loss.ratio),
      preference: interleaves ? this.interleaving.get(experiment.stopRule.alpha ?? 0.05) : null,
      totals,
      took: took.map(({ view }) => view),
      ratio: this.ratio,
      lost: loss.ratio.counts,
    };
  }
}

/** Follows all experiments that are not stopped when it begins. */
export class ExperimentMonitor {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #followed: readonly Followed[];
  readonly #next = new Map<string, number>();
  #time = -Infinity;

  private constructor(log: Log, topics: Topics, experiments: readonly Experiment[]) {
    this.#log = log;
    this.#topics = topics;
    this.#followed = experiments.map((experiment) => new Followed(experiment));
  }

  /** Begins at the start of the log. */
  static async open(log: Log, topics: Topics, registry: ExperimentRegistry): Promise<ExperimentMonitor> {
    const records = [...(await registry.records()).values()].filter(isExperiment);
    return new ExperimentMonitor(log, topics, records);
  }

  /** Takes in what is new on the log. @returns Records read. */
  async update(): Promise<number> {
    const partitions = (await this.#log.topics()).get(this.#topics.samples)?.partitions ?? 0;
    let count = 0;
    for (let partition = 0; partition < partitions; partition++) {
      count += await this.#read(this.#topics.recommendations, partition, (value) => {
        const answer = JSON.parse(new TextDecoder().decode(value)) as Recommendation;
        for (const one of this.#followed) one.answered(answer);
      });
      count += await this.#read(this.#topics.samples, partition, (value) => {
        const sample = decodeSample(value);
        this.#time = Math.max(this.#time, sample.time);
        if (sample.purpose === "learn") return; // the same impression comes again when its outcome is final
        for (const one of this.#followed) one.sampled(sample);
      });
    }
    for (const { loss } of this.#followed) loss.advance(this.#time);
    return count;
  }

  /** What is known by now. */
  status(): ExperimentStatus[] {
    return this.#followed.map(({ status }) => status);
  }

  async #read(topic: string, partition: number, take: (value: Uint8Array) => void): Promise<number> {
    const place = `${topic}/${partition}`;
    let count = 0;
    for (;;) {
      const { records, next } = await this.#log.read(topic, partition, this.#next.get(place) ?? 0);
      for (const { value } of records) if (value !== null) take(value);
      this.#next.set(place, next);
      if (records.length === 0) return count;
      count += records.length;
    }
  }
}
