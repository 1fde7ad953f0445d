/**
 * The models of a task: the deployment's own, those of variants, and versions that experiments have pinned.
 *
 * A lifelong model folds each behaviour into a state of its own, which samples of other models carry along. A pinned
 * version does so from the record that starts its experiment to the one that ends it, and learns nothing.
 */

import { Experiments } from "../assignment/assignment.ts";
import { type ExperimentRecord, isExperiment } from "../assignment/experiment.ts";
import { partsOf, pinnedModels } from "../assignment/pins.ts";
import type { ServedBank } from "../bank/served_bank.ts";
import type { Serving } from "../features/serving.ts";
import type { CatalogueItem } from "../items/catalogue.ts";
import type { PairNames, ScoreList } from "../nn/models/pair_head/pair_list.ts";
import { ListScorer, type ListScorerView } from "../scorer/list_scorer.ts";
import { Calibrations, knowsRates } from "../scorer/score_kind.ts";
import { PRIOR } from "../serving/prior_serving.ts";
import {
  carryHidden,
  carryVariants,
  currentState,
  type FoldCounters,
  type Inserted,
} from "../users/hidden_state.ts";
import type { Pending } from "../users/pending/pending.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import type { UserState } from "../users/user_state.ts";
import type { TaskCounters } from "./task_counters.ts";
import type { TaskSettings } from "./task_options.ts";

/** Length of a list whose request does not set one. */
const USUAL_COUNT = 10;

/** What {@linkcode TaskModels} read; a `TaskState` is one. */
export interface ModelsState extends ListScorerView {
  readonly sequences: SequenceSlab;
  readonly users: ReadonlyMap<string, UserState>;
  readonly counters: TaskCounters;
}

export class TaskModels {
  /** The scorer of the deployment's own model. */
  readonly own: ListScorer;
  /** Predictions of each model and their outcomes, which tell whether its scores are probabilities. */
  readonly calibrations: Calibrations = new Calibrations();
  readonly #state: ModelsState;
  readonly #settings: TaskSettings;
  readonly #byModel: Map<string, ListScorer>;
  #experiments = new Experiments([]);
  /** Scorers with states of their own, ordered by name. */
  #lifelong: readonly ListScorer[];
  /** Event time until which impressions need pinned versions, as of the last {@linkcode TaskModels.pins}. */
  #pinsUntil = -Infinity;

  /** The deployment's own model, those of variants and the prior, without any pinned version. */
  constructor(state: ModelsState, settings: TaskSettings, own: Serving, variants: Iterable<Serving>) {
    this.#state = state;
    this.#settings = settings;
    this.own = this.#scorer(own, true);
    this.#byModel = new Map([PRIOR, ...variants].map((serving) => [serving.model, this.#scorer(serving)]));
    this.#lifelong = this.#findLifelong();
  }

  #scorer(serving: Serving, isOwn = false): ListScorer {
    const { sequences, catalogue, counters } = this.#state;
    const { outcomeWindowMs: windowMs, maxStaleVersions, lifelong } = this.#settings;
    const counted = isOwn ? counters : variantCounters(counters);
    const fold = { sequences, catalogue, serving, maxStaleVersions, lifelong, counters: counted };
    return new ListScorer(this.#state, { fold, windowMs, isOwn });
  }

  /** The scorers by the full keys of their models. */
  get byModel(): ReadonlyMap<string, ListScorer> {
    return this.#byModel;
  }

  get experiments(): Experiments {
    return this.#experiments;
  }

  /** Applies experiments from the next request on. Older revisions change nothing. */
  applyExperiments(records: Iterable<ExperimentRecord>): void {
    const known = this.#experiments.records;
    const newer = [...records].filter((record) => {
      const before = known.get(record.name);
      return before === undefined || !isExperiment(record) || !isExperiment(before) ||
        record.revision > before.revision;
    });
    if (newer.length === 0) return;
    this.#experiments = new Experiments([...known.values(), ...newer]);
    this.#lifelong = this.#findLifelong();
  }

  /** The bank of the deployment's own model, which predicts next items. */
  get bank(): ServedBank | null {
    return this.own.serving.bank ?? null;
  }

  /** The own model's share in ordering lists, set by the learner's proof; 0 until there are enough outcomes. */
  get share(): number {
    const { version, share = 1 } = this.own.serving;
    return version > 0 && knowsRates(this.#state.statistics) ? share : 0;
  }

  /**
   * The scores by which `ranking: "model"` orders for a user: the logits of the deployment's own model, or of the prior
   * or mix until the model has proved itself.
   */
  logits(user: UserState, items: readonly CatalogueItem[], time: number): Float64Array {
    return this.own.score(user, items, { request: "", time, count: USUAL_COUNT }).ordering;
  }

  /** The pair head of the deployment's own model for lists of these values; see {@linkcode Serving.order}. */
  order(names: PairNames): ScoreList | null {
    return this.own.serving.order?.(names) ?? null;
  }

  /** The recurrent state of a user after all behaviours, by the current version; `null` without one. */
  recurrentState(user: UserState): Float32Array | null {
    return currentState(user, this.own.fold);
  }

  /** Brings a user's recurrent states up to date after an insert: of the task's own model, and of variants. */
  carry(user: UserState, inserted: Inserted): void {
    carryHidden(user, inserted, this.own.fold);
    carryVariants(user, inserted, this.#lifelong.map(({ fold }) => fold));
  }

  /** The scorer of a model, by its full key; the deployment's own if there is none. */
  of(model: string | undefined): ListScorer {
    return this.#byModel.get(model ?? "") ?? this.own;
  }

  /** Drops cached user names in all models. */
  forgetUsers(): void {
    for (const { serving } of [this.own, ...this.#byModel.values()]) serving.forgetUsers?.();
  }

  /** Full keys of the pinned versions that experiments or open impressions need. */
  pins(): Set<string> {
    const keys = this.#pinned();
    this.#pinsUntil = -Infinity;
    for (const { pending } of this.#state.users.values()) {
      for (const { model, stage, deadline } of pending.values()) {
        if (stage === "settled" || model === undefined || partsOf(model).version === undefined) continue;
        keys.add(model);
        this.#pinsUntil = Math.max(this.#pinsUntil, deadline);
      }
    }
    return keys;
  }

  /** Whether a pinned version may have become unnecessary; {@linkcode TaskModels.pins} returns those needed. */
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
      if (!this.#byModel.has(key)) this.#byModel.set(key, this.#scorer(serving));
    }
    this.#lifelong = this.#findLifelong();
    this.calibrations.keep((model) => partsOf(model).version === undefined || this.#byModel.has(model));
  }

  /** Adds to a list the states of lifelong models that did not score it but learn from it; pinned ones do not learn. */
  withStates(user: UserState, pending: Pending): Pending {
    const scoredBy = pending.model ?? this.own.serving.model;
    const otherStates = [this.own, ...this.#lifelong].flatMap((scorer) => {
      const { model } = scorer.serving;
      if (model === scoredBy || partsOf(model).version !== undefined) return [];
      const state = scorer.stateToLearn(user, pending.history.items.length);
      return state === null ? [] : [{ model, ...state }];
    });
    return otherStates.length === 0 ? pending : { ...pending, otherStates };
  }

  #pinned(): Set<string> {
    return pinnedModels(this.#experiments.records.values(), this.own.serving.model);
  }

  #findLifelong(): ListScorer[] {
    const pinned = this.#pinned();
    return [...this.#byModel.values()].filter(({ fold: { lifelong, serving } }) =>
      lifelong && serving.lifelong === true &&
      (partsOf(serving.model).version === undefined || pinned.has(serving.model))
    ).sort((a, b) => a.serving.model < b.serving.model ? -1 : 1);
  }
}

function variantCounters(counters: TaskCounters): FoldCounters {
  return {
    get steps() {
      return counters.variantSteps;
    },
    set steps(count) {
      counters.variantSteps = count;
    },
    get refolds() {
      return counters.variantRefolds;
    },
    set refolds(count) {
      counters.variantRefolds = count;
    },
  };
}
