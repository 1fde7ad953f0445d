/** The figures of one experiment, with their encoding. */

import { getLogger } from "@logtape/logtape";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { ORDERED_BY, type OrderedBy, type Recommendation } from "../../src/events/recommendation.ts";
import { definitionOf, splitShares, splitVariants } from "../../src/assignment/assignment.ts";
import { type Experiment, MAX_COUNTED_USERS, STOP_RULE } from "../../src/assignment/experiment.ts";
import { type Exposure, isCurrent } from "../../src/assignment/exposure.ts";
import { ExposureLoss } from "../../src/experiments/exposure_loss.ts";
import { InterleavingTotals, type Preference } from "../../src/assignment/interleaving.ts";
import type { PrePeriod } from "../../src/experiments/pre_period.ts";
import { SampleRatio } from "../../src/experiments/sample_ratio.ts";
import { ExperimentTotals } from "../../src/experiments/totals.ts";
import { type Verdict, verdicts } from "../../src/experiments/verdict.ts";
import type { Rows } from "../../src/samples/rows.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { LatencyWindow } from "./latency.ts";

const logger = getLogger(["meander", "experiments"]);

/** Event time after which a user with a list and no sample counts as lost. */
const PATIENCE_MS = 3_600_000;

/** Times that answers took to make (`tookMicros`), milliseconds; `null` without any. Percentiles are accurate to 5 %. */
export interface LatencyView {
  /** Mean. */
  readonly mean: number | null;
  /** Median. */
  readonly p50: number | null;
  /** 99th percentile. */
  readonly p99: number | null;
}

/** Shares of lists by what ordered them: a model orders none before it has proved itself. */
export type OrderShares = Readonly<Partial<Record<OrderedBy, number>>>;

export interface ExperimentStatus {
  readonly experiment: Experiment;
  /** A verdict per variant other than the control; empty when it interleaves. */
  readonly verdicts: readonly Verdict[];
  /** The preferred variant, when it interleaves. */
  readonly preference: Preference | null;
  /** The figures by variant. */
  readonly totals: ExperimentTotals;
  /** Times that answers took to make by variant; answers sent again after a crash count again. */
  readonly took: readonly LatencyView[];
  /** What ordered the lists by variant. */
  readonly orderedBy: readonly OrderShares[];
  /** The test of the split. */
  readonly ratio: SampleRatio;
  /** Users with a list but no sample, by variant. */
  readonly lost: readonly number[];
  /** p-value of the test of their split. */
  readonly lostP: number;
  /** The most users that it may count, if others have been left out. */
  readonly fullAt: number | null;
}

/** Times that answers of one variant took to make. */
class Took {
  /** A window of one second that never advances. */
  readonly #window = new LatencyWindow(1);
  #sum = 0;

  update(ms: number): void {
    this.#sum += ms;
    this.#window.add(ms);
  }

  get view(): LatencyView {
    const { count } = this.#window;
    const mean = count === 0 ? null : this.#sum / count;
    return { mean, p50: this.#window.percentile(0.5), p99: this.#window.percentile(0.99) };
  }

  encode(to: ByteWriter): void {
    to.uint(this.#window.count).f64(this.#sum);
    this.#window.encode(to);
  }

  decode(from: ByteReader): void {
    from.uint(); // the count, which the window encodes too
    this.#sum = from.f64();
    this.#window.decode(from);
  }
}

/** What ordered the lists of one variant. */
class Orders {
  readonly #counts = new Map<OrderedBy, number>();

  /** Counts a list; orders that only another release knows are left out. */
  update(orderedBy: OrderedBy | undefined): void {
    if (orderedBy === undefined || !ORDERED_BY.includes(orderedBy)) return;
    this.#counts.set(orderedBy, (this.#counts.get(orderedBy) ?? 0) + 1);
  }

  get shares(): OrderShares {
    const lists = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    const known = ORDERED_BY.filter((by) => this.#counts.has(by));
    return Object.fromEntries(known.map((by) => [by, this.#counts.get(by)! / lists]));
  }

  encode(to: ByteWriter): void {
    to.uint(this.#counts.size);
    for (const [by, count] of this.#counts) to.string(by).uint(count);
  }

  decode(from: ByteReader): void {
    for (let left = from.count(); left > 0; left--) {
      const [by, count] = [from.string(), from.uint()];
      const known = ORDERED_BY.find((one) => one === by);
      if (known !== undefined) this.#counts.set(known, count);
    }
  }
}

/** Figures of one experiment. */
export class Followed {
  /** See {@linkcode definitionOf}. */
  readonly definition: string;
  readonly #totals: ExperimentTotals;
  readonly #ratio: SampleRatio;
  readonly #loss: ExposureLoss;
  readonly #interleaving = new InterleavingTotals();
  readonly #took: readonly Took[];
  readonly #orders: readonly Orders[];
  readonly #variants: readonly string[];
  readonly #users = new Set<string>();
  readonly #maxUsers: number;
  #isFull = false;

  /**
   * Makes figures without users.
   *
   * @param prePeriod must be updated with each sample after these figures
   * @param maxUsers most users, unless the experiment's own `maxUsers` needs more: it is about two arms, and about users of
   * whose lists something is known
   */
  constructor(experiment: Experiment, prePeriod: PrePeriod, maxUsers = MAX_COUNTED_USERS) {
    const shares = splitShares(experiment);
    this.#maxUsers = Math.max(maxUsers, shares.length * (experiment.stopRule.maxUsers ?? 0));
    this.definition = definitionOf(experiment);
    this.#ratio = new SampleRatio(shares);
    this.#loss = new ExposureLoss(shares, PATIENCE_MS);
    this.#totals = new ExperimentTotals(experiment, {
      onUser: (variant) => this.#ratio.update(variant),
      prePeriod,
    });
    this.#variants = splitVariants(experiment).map(({ name }) => name);
    this.#took = this.#variants.map(() => new Took());
    this.#orders = this.#variants.map(() => new Orders());
  }

  /** The newest record of the experiment; a replacement must have the same definition. */
  get experiment(): Experiment {
    return this.#totals.experiment;
  }

  set experiment(experiment: Experiment) {
    this.#totals.experiment = experiment;
  }

  /** Users with state in these figures. */
  get users(): ReadonlySet<string> {
    return this.#users;
  }

  /** Counts a recommendation to a user in the experiment. @returns Whether it changed anything. */
  recommended(recommendation: Recommendation, own: Exposure, partition: number): boolean {
    const { user, time, tookMicros, orderedBy, items } = recommendation;
    if (!isCurrent(own, this.experiment)) return false;
    const arm = this.#variants.indexOf(own.variant);
    if (arm < 0 || !this.#admits(user)) return false;
    this.#took[arm]!.update(tookMicros / 1000);
    this.#orders[arm]!.update(orderedBy);
    if (!Object.hasOwn(this.experiment.overrides, user)) {
      if (items.length > 0) this.#loss.recommended(user, arm, time, partition);
      this.#users.add(user);
    }
    return true;
  }

  /** Counts a sample of the current phase. @param list its sums, see `sumsOf` @returns whether its user is counted */
  sampled(sample: Sample, own: Exposure, list: Float64Array): boolean {
    const { user, rows } = sample;
    if (!this.#admits(user)) return false;
    const variant = this.#variants.indexOf(own.variant);
    if (variant >= 0 && !Object.hasOwn(this.experiment.overrides, user)) {
      this.#totals.count(sample, variant, list);
    }
    if (rows.length > 0) this.#loss.seen(user);
    if (this.experiment.mode === "interleave") this.#interleaving.update(user, clicksByTeam(rows));
    this.#users.add(user);
    return true;
  }

  /** Whether a user is counted: who comes when there are too many never is, so the others' figures stay as valid as before. */
  #admits(user: string): boolean {
    // Erased ones make no room: who was left out once would enter later, if their variant has them come again.
    const met = Math.max(this.#users.size, this.#loss.users);
    if (met < this.#maxUsers || this.#users.has(user)) return true;
    if (!this.#isFull) {
      const facts = { name: this.experiment.name, users: this.#maxUsers };
      logger.warn(
        "experiment {name} counts {users} users, the most that it may: later ones are left out",
        facts,
      );
    }
    this.#isFull = true;
    return false;
  }

  /**
   * Whether the user's first list was made while this one was open: what came of it may depend on the variant. It is
   * known until the sample of the first list is counted, and a while longer.
   */
  wasMetDuring({ user, time, closedTime }: Sample): boolean {
    const first = this.#loss.firstTime(user);
    return first !== undefined && time < first && first < closedTime;
  }

  /** Counts which users of a partition are lost. @returns The users who were due. */
  advance(time: number, partition: number): readonly string[] {
    return this.#loss.advance(time, partition);
  }

  /** Forgets a user; the totals keep counting them. */
  forget(user: string): void {
    this.#totals.forget(user);
    this.#loss.forget(user);
    this.#interleaving.forget(user);
    this.#users.delete(user);
  }

  get status(): ExperimentStatus {
    const experiment = this.experiment;
    const [totals, ratio, lost] = [this.#totals, this.#ratio, this.#loss.ratio];
    const interleaves = experiment.mode === "interleave";
    return {
      experiment,
      verdicts: interleaves ? [] : verdicts(totals, ratio, lost),
      preference: interleaves ? this.#interleaving.get(experiment.stopRule.alpha ?? STOP_RULE.alpha) : null,
      totals,
      took: this.#took.map(({ view }) => view),
      orderedBy: this.#orders.map(({ shares }) => shares),
      ratio,
      lost: lost.counts,
      lostP: lost.p,
      fullAt: this.#isFull ? this.#maxUsers : null,
    };
  }

  /** Encodes the figures of all users. */
  encode(): Uint8Array {
    const to = new ByteWriter().string(this.definition);
    for (const part of [...this.#parts, ...this.#orders]) part.encode(to);
    this.#loss.encodeDue(to);
    this.#totals.encodeFirstSpreads(to);
    return to.toBytes();
  }

  /**
   * Decodes the output of {@linkcode Followed.encode}. @returns Whether the definition is the same; otherwise nothing
   * is decoded
   */
  decode(bytes: Uint8Array): boolean {
    const from = new ByteReader(bytes);
    // Settings come last: a definition of 0.2.0, which lacks them, is a prefix except for its bracket.
    if (!this.definition.startsWith(from.string().slice(0, -1))) return false;
    for (const part of this.#parts) part.decode(from);
    if (from.done) return true; // written before orders were counted
    for (const orders of this.#orders) orders.decode(from);
    if (!from.done) this.#loss.decodeDue(from);
    if (!from.done) this.#totals.decodeFirstSpreads(from);
    return true;
  }

  encodeUser(to: ByteWriter, user: string): void {
    for (const part of [this.#totals, this.#loss, this.#interleaving]) part.encodeUser(to, user);
  }

  /** Decodes the output of {@linkcode Followed.encodeUser}; call {@linkcode Followed.settle} after the last user. */
  decodeUser(bytes: Uint8Array, user: string): void {
    const from = new ByteReader(bytes);
    for (const part of [this.#totals, this.#loss, this.#interleaving]) part.decodeUser(from, user);
    this.#users.add(user);
  }

  /** Completes decoding, after the last user. @param isUncut See `MonitorHead`. */
  settle(isUncut: boolean): void {
    this.#loss.settle();
    if (isUncut) this.#totals.dropForgottenRewards();
  }

  get #parts() {
    return [this.#totals, this.#ratio, this.#loss, this.#interleaving, ...this.#took];
  }
}

/** Clicks on the items credited to either interleaved variant. */
function clicksByTeam(rows: Rows): [number, number] {
  const clicks: [number, number] = [0, 0];
  for (const { team, label } of rows) if (team !== undefined) clicks[team] += label;
  return clicks;
}
