/** What the scores of an answer mean: probabilities once they have proved calibrated, until then shares. */

import type { ScoreKind } from "../events/recommendation.ts";
import { PRIOR_NUMERIC } from "../features/schema.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import { sigmoid } from "../nn/losses/logistic.ts";
import type { Rows } from "../samples/rows.ts";
import { isOneOf } from "../values/one_of.ts";
import { keysOf } from "../values/record.ts";
import type { Candidate } from "../retrieval/finder.ts";
import { Levels } from "./levels.ts";
import type { CandidateOrder } from "./ordering.ts";

/** Number of final outcomes from which two standard errors of a rate of positives are at most 0.1. */
const RATED_OUTCOMES = 100;

/** Largest |ln(expected / observed positives)| of calibrated predictions. */
const TOLERANCE = Math.log(1.2);
/** Standard errors of the observed positives; three, as users differ and every row is a new look. */
const ERRORS = 3;

/** Positives among the shown items that one model predicted: expected and observed. */
export interface Positives {
  /** Observed. */
  positives: number;
  /** Expected by the model, in millionths. */
  modelMicros: number;
  /** Expected by the prior, in millionths. */
  priorMicros: number;
  /** How often the model became calibrated or ceased to be; odd = it is calibrated now. */
  modelTurns: number;
  /** The same for the prior. */
  priorTurns: number;
}

/** Counts the outcome of a row, with the probabilities that the model and the prior had predicted. */
export function judge(
  counts: Positives,
  label: number,
  { model, prior }: { readonly model: number; readonly prior: number },
): void {
  counts.positives += label;
  counts.modelMicros += Math.round(1e6 * model);
  counts.priorMicros += Math.round(1e6 * prior);
  counts.modelTurns += turnOf(counts.modelMicros, counts.modelTurns, counts.positives);
  counts.priorTurns += turnOf(counts.priorMicros, counts.priorTurns, counts.positives);
}

/** 1 when the verdict changes, for which the ratio must be {@linkcode ERRORS} inside or outside the tolerance; else 0. */
function turnOf(micros: number, turns: number, observed: number): number {
  if (observed === 0) return 0;
  const [off, error] = [Math.abs(Math.log(micros / 1e6 / observed)), ERRORS / Math.sqrt(observed)];
  const isTurn = turns % 2 === 0 ? off + error <= TOLERANCE : off - error > TOLERANCE;
  return isTurn ? 1 : 0;
}

/** Whether a task knows enough outcomes for rates. */
export function knowsRates({ overall }: FeatureStatistics): boolean {
  return overall.outcomes >= RATED_OUTCOMES;
}

/** What a model's scores mean now, by the calibration of its predictions and the prior's. */
export function scoreKindOf({ modelTurns, priorTurns }: Readonly<Positives>, modelShare: number): ScoreKind {
  const isProved = (modelShare === 0 || modelTurns % 2 === 1) && (modelShare === 1 || priorTurns % 2 === 1);
  return isProved ? "probability" : "share";
}

/** Shares of the model in the logits that may score. */
const SHARES = [0, 0.5, 1] as const;

/** The calibration of one model on its own lists. */
class ModelCalibration {
  readonly counts: Positives = noCounts();
  /** The same by level, for each of {@linkcode SHARES}. */
  readonly levels: readonly Levels[] = SHARES.map(() => new Levels());
}

/** The calibration of a task's models, each on its own lists. Memory: one entry per model that has made lists. */
export class Calibrations {
  /** By model; that of the deployment is `undefined`. */
  readonly #models = new Map<string | undefined, ModelCalibration>();

  /**
   * Judges the predictions of a model and of the prior for a list by its outcomes.
   *
   * @param unplaced removes the weight of a position from a logit of the model: scores have none
   */
  judge(model: string | undefined, rows: Rows, unplaced: (logit: number, position: number) => number): void {
    const { counts, levels } = this.#of(model);
    for (let row = 0; row < rows.length; row++) {
      const prior = rows.numerics[row * rows.width + PRIOR_NUMERIC]!;
      const label = rows.label(row);
      judge(counts, label, { model: rows.prediction(row), prior: sigmoid(prior) });
      const logit = unplaced(rows.logit(row), rows.position(row));
      for (const [at, share] of SHARES.entries()) levels[at]!.learn(prior + share * (logit - prior), label);
    }
  }

  #of(model: string | undefined): ModelCalibration {
    const known = this.#models.get(model);
    if (known !== undefined) return known;
    const calibration = new ModelCalibration();
    this.#models.set(model, calibration);
    return calibration;
  }

  /** What the scores of a model mean now, see {@linkcode scoreKindOf}. */
  kindOf(model: string | undefined, modelShare: number): ScoreKind {
    return scoreKindOf(this.#models.get(model)?.counts ?? noCounts(), modelShare);
  }

  /** Maps a logit by which a model scores to a probability, corrected by level. */
  probabilityOf(model: string | undefined, modelShare: number): (logit: number) => number {
    const levels = this.#models.get(model)?.levels[SHARES.findIndex((share) => share === modelShare)];
    return levels === undefined ? sigmoid : (logit) => sigmoid(levels.correct(logit));
  }

  /** Forgets models of variants that are not needed any more. */
  keep(isNeeded: (model: string) => boolean): void {
    for (const model of this.#models.keys()) {
      if (model !== undefined && !isNeeded(model)) this.#models.delete(model);
    }
  }

  /** All numbers, by the names under which they are stored. */
  *counters(): Generator<readonly [name: string, value: number]> {
    for (const [model = "", { counts, levels }] of this.#models) {
      for (const name of keysOf(counts)) yield [`${name}/${model}`, counts[name]];
      for (const [at, each] of levels.entries()) {
        for (const [name, value] of each.counters()) yield [`${at}${name}/${model}`, value];
      }
    }
  }

  /** Restores one of {@linkcode Calibrations.counters}; ignores other names. */
  restore(name: string, value: number): void {
    const [, at, field = "", model] = /^(\d?)(\w+)\/(.*)$/s.exec(name) ?? [];
    const isCount = at === "" && isOneOf(keysOf(noCounts()), field);
    if (!isCount && (at === undefined || at === "")) return;
    const { counts, levels } = this.#of(model || undefined);
    if (isCount) counts[field] = value;
    else levels[Number(at)]?.restore(field, value);
  }
}

function noCounts(): Positives {
  return { positives: 0, modelMicros: 0, priorMicros: 0, modelTurns: 0, priorTurns: 0 };
}

/** The data from which candidates' scores are computed. */
export interface ScoredBy {
  readonly candidates: readonly Candidate[];
  /** Logits of the model, the prior or their mix, for each candidate. */
  readonly logits: Float64Array;
  /** The probability that one of them stands for. */
  readonly probabilityOf: (logit: number) => number;
  readonly ranking: CandidateOrder;
  /** The scores by which it orders, without boosts. */
  readonly scores: Float64Array;
  /** Whether these include the model's scores: then they are not shares yet. */
  readonly isModelled: boolean;
}

/**
 * The score in [0, 1] of a candidate, by its index. Shares are those by which `ranking` orders, without boosts:
 * over all candidates they add up to at most 1.
 */
export function scoreIn(
  kind: ScoreKind,
  { candidates, logits, probabilityOf, ranking, scores, isModelled }: ScoredBy,
): (c: number) => number {
  if (kind === "probability") return (c) => probabilityOf(logits[c]!);
  if (ranking === "blend") return (c) => candidates[c]!.share;
  if (ranking === "both") return (c) => candidates[c]!.share * sigmoid(logits[c]!);
  if (ranking === "auto" && !isModelled) return (c) => Math.exp(scores[c]!);
  const highest = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const sum = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
  return (c) => Math.exp(scores[c]! - highest) / sum;
}
