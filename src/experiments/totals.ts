/** The figures of one experiment as a stream: samples in, moments by variant out. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Sample } from "../samples/sample.ts";
import { splitVariants } from "../assignment/assignment.ts";
import { type Experiment, STOP_RULE } from "../assignment/experiment.ts";
import { isCurrent } from "../assignment/exposure.ts";
import { effectOf } from "./effect.ts";
import { FirstSpreads, possibleSpread } from "./first_spreads.ts";
import { GroupedMoments } from "./grouped_moments.ts";
import { PrePeriod } from "./pre_period.ts";
import { Moments, plainSums, sumsOf, type UserSums } from "./user_metrics.ts";
import { METRIC_FIELDS, type MetricName, METRICS, sizeOf } from "../assignment/metrics.ts";
import { keysOf } from "../values/record.ts";

/** User segments with separate figures; returning users had a behaviour before their first exposure. */
export const USER_SEGMENTS = ["new", "returning"] as const;

/** One of {@linkcode USER_SEGMENTS}. */
export type UserSegment = typeof USER_SEGMENTS[number];

/** Options of {@linkcode ExperimentTotals}. */
export interface TotalsOptions {
  /** Called for each new user with the variant, in order. */
  readonly onUser?: (variant: number) => void;
  /** Pre-period shared with other totals; its owner updates it after all of them. @default {own} */
  readonly prePeriod?: PrePeriod;
}

/** What is compared with the control, but for the variant. */
const COMPARED: readonly (readonly [UserSegment | undefined, MetricName])[] = [undefined, ...USER_SEGMENTS]
  .flatMap((segment) => keysOf(METRICS).map((metric) => [segment, metric] as const));

/** What is kept of a list that may still have been open at its user's first exposure. */
interface OpenList extends Pick<Sample, "user" | "time" | "closedTime"> {
  readonly sums: readonly number[];
}

/** Tag of an encoded user; 0 = not in the experiment. */
const MEMBER = 1, RETURNING = 2, WITH_PAST = 4;

/**
 * Totals of an experiment. A user counts in the first variant seen; lists of another variant, after a change of the
 * split, are excluded and counted as `moved`. Users with an override are excluded. The largest users are cut, see
 * {@linkcode GroupedMoments}.
 *
 * Memory: 18 numbers per user of the experiment, per user seen before it 9 and as many per list that may be open.
 * O(1) per sample.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ExperimentTotals, startExperiment, valueOf } from "@meander/meander/experiments";
 * import { Rows, type Sample } from "@meander/meander/core";
 *
 * const sample: Sample = {
 *   request: "r1", user: "ann", time: 0, closedTime: 1, version: 1, newUser: true,
 *   history: { items: [], categories: [], actions: [], times: new Float64Array(0), strengths: new Float32Array(0) },
 *   userFields: [], contextFields: [],
 *   rows: Rows.of([{ item: "tent", label: 1 }]),
 *   exposures: [{ experiment: "e", variant: "new" }],
 * };
 *
 * const variants = [{ name: "old" }, { name: "new" }];
 * const totals = new ExperimentTotals(startExperiment({ name: "e", variants }, { records: new Map(), models: [] }));
 * totals.update(sample);
 * assert.equal(totals.moments(1).users, 1);
 * assert.equal(valueOf("ctr", totals.moments(1)), 1);
 * ```
 */
export class ExperimentTotals {
  /** The experiment; a later record with the same variants and users may replace it. */
  experiment: Experiment;
  /** Number of lists excluded because their user changed variant. */
  moved = 0;
  readonly #variants: readonly string[];
  readonly #members = new Map<string, UserSums>();
  readonly #prePeriod: PrePeriod;
  readonly #ownsPrePeriod: boolean;
  /** Lists before the first exposure that may still have been open then, by user. */
  readonly #open = new Map<string, readonly OpenList[]>();
  readonly #moments: GroupedMoments;
  /** By variant but the control, then as in {@linkcode COMPARED}. */
  readonly #firstSpreads: FirstSpreads;
  readonly #onUser: (variant: number) => void;

  /** Makes totals without users. */
  constructor(experiment: Experiment, { onUser = () => {}, prePeriod }: TotalsOptions = {}) {
    this.experiment = experiment;
    this.#onUser = onUser;
    this.#prePeriod = prePeriod ?? new PrePeriod();
    this.#ownsPrePeriod = prePeriod === undefined;
    this.#variants = splitVariants(experiment).map(({ name }) => name);
    this.#moments = new GroupedMoments(USER_SEGMENTS.length * this.#variants.length, this.#variants.length);
    this.#firstSpreads = new FirstSpreads((this.#variants.length - 1) * COMPARED.length);
  }

  /**
   * Adds a sample, whether or not it has an exposure. Lists that were final before a user's first exposure form the
   * pre-period; what came of one that was still open may depend on the variant.
   */
  update(sample: Sample): void {
    const { user, exposures = [] } = sample;
    // Its outcomes are not final: the impression yields another sample later.
    if (sample.purpose === "learn" || Object.hasOwn(this.experiment.overrides, user)) return;
    const exposure = exposures.find(({ experiment }) => experiment === this.experiment.name);
    if (exposure !== undefined && !isCurrent(exposure, this.experiment)) return;
    const variant = exposure === undefined ? -1 : this.#variants.indexOf(exposure.variant);
    if (variant >= 0) this.count(sample, variant, sumsOf(sample));
    else if (!this.#members.has(user) && this.#ownsPrePeriod) {
      const { time, closedTime } = sample;
      const list = { user, time, closedTime, sums: plainSums(sumsOf(sample)) };
      this.#open.set(user, [...this.#settle(user, time), list]);
    }
  }

  /** Adds lists that were final by then to the user's pre-period. @returns The others. */
  #settle(user: string, time: number): readonly OpenList[] {
    const lists = this.#open.get(user) ?? [];
    for (const list of lists) if (list.closedTime <= time) this.#prePeriod.add(list, list.sums);
    return lists.filter(({ closedTime }) => closedTime > time);
  }

  /** @internal Adds a final sample of a user without an override. @param list its sums, see `sumsOf` */
  count(sample: Sample, variant: number, list: Float64Array): void {
    const member = this.#members.get(sample.user);
    if (member === undefined) this.#join(sample, variant, list);
    else if (this.#placeOf(member.group).variant === variant) this.#moments.grow(member, list);
    else {
      this.moved++;
      return;
    }
    this.#firstSpreads.update((comparison) => this.#spreadNow(comparison));
  }

  /**
   * Moments of a variant, by its index among those with users, for one segment or all users. The largest users are cut
   * by the size that the metric depends on; without a metric, only rewards are cut.
   */
  moments(variant: number, segment?: UserSegment, metric: MetricName = "reward"): Moments {
    const moments = new Moments();
    if (this.#variants[variant] === undefined) return moments;
    for (const name of segment === undefined ? USER_SEGMENTS : [segment]) {
      moments.merge(this.#moments.get(this.#groupOf(name, variant), sizeOf(metric)));
    }
    return moments;
  }

  /** See {@linkcode FirstSpreads}. @param variant its index among those with users, from 1 */
  firstSpread(variant: number, segment: UserSegment | undefined, metric: MetricName): number | undefined {
    const at = COMPARED.findIndex((one) => one[0] === segment && one[1] === metric);
    return this.#firstSpreads.get((variant - 1) * COMPARED.length + at);
  }

  #spreadNow(comparison: number): number {
    const [segment, metric] = COMPARED[comparison % COMPARED.length]!;
    const variant = 1 + Math.floor(comparison / COMPARED.length);
    const { minUsers } = { ...STOP_RULE, ...this.experiment.stopRule };
    const arms = [this.moments(0, segment, metric), this.moments(variant, segment, metric)] as const;
    return possibleSpread(effectOf(...arms, metric), minUsers);
  }

  /** Forgets a user; the totals keep counting them. */
  forget(user: string): void {
    const member = this.#members.get(user);
    if (member !== undefined) this.#moments.release(member);
    this.#members.delete(user);
    if (this.#ownsPrePeriod) this.#prePeriod.forget(user);
    this.#open.delete(user);
  }

  /** @internal Encodes the figures of all users. */
  encode(to: ByteWriter): void {
    to.uint(this.moved);
    this.#moments.encode(to);
  }

  /** @internal Replaces its state with the output of {@linkcode ExperimentTotals.encode} for the same variants. */
  decode(from: ByteReader): void {
    this.moved = from.uint();
    this.#moments.decode(from);
  }

  /** @internal Encodes what {@linkcode ExperimentTotals.encode} omits: the first spreads, which older figures lack. */
  encodeFirstSpreads(to: ByteWriter): void {
    this.#firstSpreads.encode(to);
  }

  /** @internal Decodes the output of {@linkcode ExperimentTotals.encodeFirstSpreads}. */
  decodeFirstSpreads(from: ByteReader): void {
    this.#firstSpreads.decode(from);
  }

  /** @internal Drops the rewards of forgotten users, see {@linkcode GroupedMoments.dropReleased}. */
  dropForgottenRewards(): void {
    this.#moments.dropReleased();
  }

  /** @internal Encodes the sums of a user. */
  encodeUser(to: ByteWriter, user: string): void {
    const member = this.#members.get(user);
    if (member === undefined) {
      to.u8(0);
      return;
    }
    const { group, sums, before } = member;
    const { variant, segment } = this.#placeOf(group);
    to.u8(MEMBER | (segment === "returning" ? RETURNING : 0) | (before === undefined ? 0 : WITH_PAST));
    to.uint(variant).f64s(sums);
    if (before !== undefined) to.f64s(before);
  }

  /** @internal Decodes the output of {@linkcode ExperimentTotals.encodeUser}. */
  decodeUser(from: ByteReader, user: string): void {
    const flags = from.u8();
    if (flags === 0) return;
    const width = METRIC_FIELDS.length;
    const [variant, segment] = [from.uint(), flags & RETURNING ? "returning" : "new"] as const;
    const sums = plainSums(from.f64s(width));
    const before = flags & WITH_PAST ? plainSums(from.f64s(width)) : undefined;
    const member = { group: this.#groupOf(segment, variant), sums, before };
    this.#members.set(user, member);
    this.#moments.note(member);
  }

  #join({ user, time, newUser }: Sample, variant: number, sums: Float64Array): void {
    this.#settle(user, time);
    this.#open.delete(user);
    const before = this.#prePeriod.before(user, time);
    if (this.#ownsPrePeriod) this.#prePeriod.forget(user);
    const segment = newUser ? "new" as const : "returning" as const;
    const group = this.#groupOf(segment, variant);
    const member = { group, sums: plainSums(sums), before };
    this.#members.set(user, member);
    this.#moments.add(member);
    this.#onUser(variant);
  }

  #groupOf(segment: UserSegment, variant: number): number {
    return USER_SEGMENTS.indexOf(segment) * this.#variants.length + variant;
  }

  #placeOf(group: number): { readonly variant: number; readonly segment: UserSegment } {
    const variants = this.#variants.length;
    return { variant: group % variants, segment: USER_SEGMENTS[Math.floor(group / variants)]! };
  }
}
