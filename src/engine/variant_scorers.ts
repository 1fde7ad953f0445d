/**
 * The scorers of a task other than its own: those of variants' models, and of versions that experiments have pinned.
 *
 * A lifelong model folds each behaviour into a state of its own, which samples of other models carry along. A pinned
 * version does so from the record that starts its experiment to the one that ends it, and learns nothing.
 *
 * @module
 */

import type { ExperimentRecord } from "../assignment/experiment.ts";
import { partsOf, pinnedModels } from "../assignment/pins.ts";
import type { ListScorer } from "../scorer/list_scorer.ts";
import type { Serving } from "../features/serving.ts";
import { carryHidden, carryVariants, type Inserted } from "../users/hidden_state.ts";
import type { Pending } from "../users/pending/pending.ts";
import type { UserState } from "../users/user_state.ts";

export class VariantScorers {
  readonly #own: ListScorer;
  readonly #make: (serving: Serving) => ListScorer;
  readonly #byModel: Map<string, ListScorer>;
  #records: readonly ExperimentRecord[] = [];
  /** Those with states of their own, in the order of their names. */
  #lifelong: readonly ListScorer[];
  /** Event time until which impressions need pinned versions, as of the last {@linkcode VariantScorers.pins}. */
  #pinsUntil = -Infinity;

  /**
   * Scorers of variants' models, without any pinned version.
   *
   * @param own the task's own scorer
   * @param make creates the scorer of another model
   */
  constructor(own: ListScorer, variants: readonly Serving[], make: (serving: Serving) => ListScorer) {
    this.#own = own;
    this.#make = make;
    this.#byModel = new Map(variants.map((serving) => [serving.model, make(serving)]));
    this.#lifelong = this.#findLifelong();
  }

  /** The scorers by the full keys of their models. */
  get byModel(): ReadonlyMap<string, ListScorer> {
    return this.#byModel;
  }

  get own(): ListScorer {
    return this.#own;
  }

  /** Brings a user's recurrent states up to date after an insert: of the task's own model, and of variants. */
  carry(user: UserState, inserted: Inserted): void {
    carryHidden(user, inserted, this.#own.fold);
    carryVariants(user, inserted, this.#lifelong.map(({ fold }) => fold));
  }

  of(model: string | undefined): ListScorer {
    return this.#byModel.get(model ?? "") ?? this.#own;
  }

  /** Drops cached user names in all models. */
  forgetUsers(): void {
    for (const { serving } of [this.#own, ...this.#byModel.values()]) serving.forgetUsers?.();
  }

  follow(records: Iterable<ExperimentRecord>): void {
    this.#records = [...records];
    this.#lifelong = this.#findLifelong();
  }

  /** Full keys of the pinned versions that experiments or open impressions need. */
  pins(users: Iterable<UserState>): Set<string> {
    const keys = this.#pinned();
    this.#pinsUntil = -Infinity;
    for (const { pending } of users) {
      for (const { model, stage, deadline } of pending.values()) {
        if (stage === "settled" || model === undefined || partsOf(model).version === undefined) continue;
        keys.add(model);
        this.#pinsUntil = Math.max(this.#pinsUntil, deadline);
      }
    }
    return keys;
  }

  /** Whether a pinned version may have become unnecessary; {@linkcode VariantScorers.pins} returns those needed. */
  hasSparePins(watermark: number): boolean {
    const here = [...this.#byModel.keys()].filter((key) => partsOf(key).version !== undefined);
    if (here.length === 0 || watermark <= this.#pinsUntil) return false;
    const keys = this.#pinned();
    return here.some((key) => !keys.has(key));
  }

  setPinned(versions: Iterable<Serving>): void {
    const next = new Map([...versions].map((serving) => [serving.model, serving]));
    for (const [key, { serving }] of this.#byModel) {
      if (partsOf(key).version !== undefined && next.get(key) !== serving) this.#byModel.delete(key);
    }
    for (const [key, serving] of next) {
      if (!this.#byModel.has(key)) this.#byModel.set(key, this.#make(serving));
    }
    this.#lifelong = this.#findLifelong();
  }

  /** Adds to a list the states of lifelong models that did not score it but learn from it; pinned ones do not learn. */
  withStates(user: UserState, pending: Pending): Pending {
    const scoredBy = pending.model ?? this.#own.serving.model;
    const otherStates = [this.#own, ...this.#lifelong].flatMap((scorer) => {
      const { model } = scorer.serving;
      if (model === scoredBy || partsOf(model).version !== undefined) return [];
      const state = scorer.stateToLearn(user, pending.history.items.length);
      return state === null ? [] : [{ model, ...state }];
    });
    return otherStates.length === 0 ? pending : { ...pending, otherStates };
  }

  #pinned(): Set<string> {
    return pinnedModels(this.#records, this.#own.serving.model);
  }

  #findLifelong(): ListScorer[] {
    const pinned = this.#pinned();
    return [...this.#byModel.values()].filter(({ fold: { lifelong, serving } }) =>
      lifelong && serving.lifelong === true &&
      (partsOf(serving.model).version === undefined || pinned.has(serving.model))
    ).sort((a, b) => a.serving.model < b.serving.model ? -1 : 1);
  }
}
