/**
 * The figures of one experiment as a stream: samples in, moments of each variant out.
 *
 * @module
 */

import type { Sample } from "../learner/sample.ts";
import { splitVariants } from "./assignment.ts";
import type { Experiment } from "./experiment.ts";
import { addSample, METRIC_FIELDS, Moments } from "./user_metrics.ts";

/** Parts of the users that figures are kept for. */
export const USER_SEGMENTS = ["new", "returning"] as const;

/** One of {@linkcode USER_SEGMENTS}. */
export type UserSegment = typeof USER_SEGMENTS[number];

/** How long before the first exposure the pre-period of a user begins, milliseconds. */
const PRE_PERIOD_MS = 14 * 86_400_000;

interface Member {
  readonly variant: number;
  /** Whether the user had a behaviour before the first exposure. */
  readonly segment: UserSegment;
  readonly sums: Float64Array;
  /** Sums of the pre-period; `undefined` without one. */
  readonly before: Float64Array | undefined;
}

interface Past {
  time: number;
  sums: Float64Array;
}

/**
 * Sums up an experiment. A user counts in the first variant seen; lists of another one, after a change of the
 * split, are left out and counted as `moved`. Users with an override are left out too.
 *
 * Memory: 18 numbers a user of the experiment, 9 a user seen before it. O(1) a sample.
 */
export class ExperimentTotals {
  /** What is summed up. */
  readonly experiment: Experiment;
  /** Lists that were shown to a user whose variant had changed. */
  moved = 0;
  readonly #variants: readonly string[];
  readonly #members = new Map<string, Member>();
  readonly #past = new Map<string, Past>();
  readonly #moments: Readonly<Record<UserSegment, readonly Moments[]>>;
  readonly #onUser: (variant: number) => void;

  /** Nobody yet. @param onUser Told of the variant of each new user, in order. */
  constructor(experiment: Experiment, onUser: (variant: number) => void = () => {}) {
    this.experiment = experiment;
    this.#onUser = onUser;
    this.#variants = splitVariants(experiment).map(({ name }) => name);
    const none = () => this.#variants.map(() => new Moments());
    this.#moments = { new: none(), returning: none() };
  }

  /** Takes in a sample, whether it is of the experiment or not: what comes before it is the pre-period. */
  update(sample: Sample): void {
    const { user, exposures = [] } = sample;
    // Its outcome is not final: the same impression comes again.
    if (sample.purpose === "learn" || Object.hasOwn(this.experiment.overrides, user)) return;
    const exposure = exposures.find(({ experiment }) => experiment === this.experiment.name);
    const variant = exposure === undefined ? -1 : this.#variants.indexOf(exposure.variant);
    const member = this.#members.get(user);
    if (variant < 0) {
      if (member === undefined) this.#remember(sample);
      return;
    }
    if (member !== undefined && member.variant !== variant) {
      this.moved++;
      return;
    }
    const known = member ?? this.#join(sample, variant);
    const moments = this.#moments[known.segment][variant]!;
    if (member !== undefined) moments.update(known.sums, known.before, -1);
    addSample(known.sums, sample);
    moments.update(known.sums, known.before);
  }

  /** The moments of a variant, by its place among those shown; of one segment or of all users. */
  moments(variant: number, segment?: UserSegment): Moments {
    const moments = new Moments();
    for (const name of segment === undefined ? USER_SEGMENTS : [segment]) {
      const of = this.#moments[name][variant];
      if (of !== undefined) moments.merge(of);
    }
    return moments;
  }

  /** Adds the figures of another task, whose users are others. */
  merge(other: ExperimentTotals): void {
    this.moved += other.moved;
    for (const segment of USER_SEGMENTS) {
      other.#moments[segment].forEach((moments, v) => this.#moments[segment][v]!.merge(moments));
    }
  }

  #join({ user, time, newUser }: Sample, variant: number): Member {
    const past = this.#past.get(user);
    this.#past.delete(user);
    const before = past !== undefined && past.time >= time - PRE_PERIOD_MS ? past.sums : undefined;
    const segment = newUser ? "new" as const : "returning" as const;
    const member = { variant, segment, sums: new Float64Array(METRIC_FIELDS.length), before };
    this.#members.set(user, member);
    this.#onUser(variant);
    return member;
  }

  #remember(sample: Sample): void {
    const past = this.#past.get(sample.user) ?? { time: 0, sums: new Float64Array(METRIC_FIELDS.length) };
    if (past.time < sample.time - PRE_PERIOD_MS) past.sums.fill(0);
    past.time = sample.time;
    addSample(past.sums, sample);
    this.#past.set(sample.user, past);
  }
}
