/**
 * What the scores of an answer mean: probabilities once as many positives come as they say, until then shares.
 *
 * @module
 */

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

/** Logarithm of how many times as many positives may be said as come, or as few. */
const TOLERANCE = Math.log(1.2);
/** Standard errors of the number of positives that came; three, as people differ and all is judged at every row. */
const ERRORS = 3;

/** What was said of shown items that one model predicted, and what came. */
export interface Said {
  /** Positives that came. */
  positives: number;
  /** Positives that the model said, in millionths. */
  modelMicros: number;
  /** Positives that the prior said, in millionths. */
  priorMicros: number;
  /** How often the model was found to be right, or to be no more; right now, if odd. */
  modelTurns: number;
  /** The same of the prior. */
  priorTurns: number;
}

/** Counts the outcome of a row, and what the model and the prior, as probabilities, had said of it. */
export function judge(
  said: Said,
  label: number,
  { model, prior }: { readonly model: number; readonly prior: number },
): void {
  said.positives += label;
  said.modelMicros += Math.round(1e6 * model);
  said.priorMicros += Math.round(1e6 * prior);
  said.modelTurns += turnOf(said.modelMicros, said.modelTurns, said.positives);
  said.priorTurns += turnOf(said.priorMicros, said.priorTurns, said.positives);
}

/** 1 when a judgement changes: it takes {@linkcode ERRORS} to be right within the tolerance, and as many to be outside. */
function turnOf(micros: number, turns: number, came: number): number {
  if (came === 0) return 0;
  const [off, error] = [Math.abs(Math.log(micros / 1e6 / came)), ERRORS / Math.sqrt(came)];
  const isTurn = turns % 2 === 0 ? off + error <= TOLERANCE : off - error > TOLERANCE;
  return isTurn ? 1 : 0;
}

/** Whether a task knows enough outcomes for rates. */
export function knowsRates({ overall }: FeatureStatistics): boolean {
  return overall.outcomes >= RATED_OUTCOMES;
}

/** What a model's scores mean now, by what the prior and it have said of shown items. */
export function scoreKindOf({ modelTurns, priorTurns }: Readonly<Said>, modelShare: number): ScoreKind {
  const isRight = (modelShare === 0 || modelTurns % 2 === 1) && (modelShare === 1 || priorTurns % 2 === 1);
  return isRight ? "probability" : "share";
}

/** Shares of the model in the logits that may score. */
const SHARES = [0, 0.5, 1] as const;

/** What one model has said of its lists, and what came. */
class Judged {
  readonly said: Said = nothingSaid();
  /** The same by level, for each of {@linkcode SHARES}. */
  readonly levels: readonly Levels[] = SHARES.map(() => new Levels());
}

/** What the models of a task have said, each of its own lists, and what came. Memory: one entry per model that has made lists. */
export class SaidByModel {
  /** By model; that of the deployment is `undefined`. */
  readonly #judged = new Map<string | undefined, Judged>();

  /**
   * Judges what a model and the prior had said of a list, by its outcomes.
   *
   * @param unplaced a logit of the model without the weight of a position, as scores are
   */
  judge(model: string | undefined, rows: Rows, unplaced: (logit: number, position: number) => number): void {
    const { said, levels } = this.#of(model);
    for (let row = 0; row < rows.length; row++) {
      const prior = rows.numerics[row * rows.width + PRIOR_NUMERIC]!;
      const label = rows.label(row);
      judge(said, label, { model: rows.prediction(row), prior: sigmoid(prior) });
      const logit = unplaced(rows.logit(row), rows.position(row));
      for (const [at, share] of SHARES.entries()) levels[at]!.learn(prior + share * (logit - prior), label);
    }
  }

  #of(model: string | undefined): Judged {
    const known = this.#judged.get(model);
    if (known !== undefined) return known;
    const judged = new Judged();
    this.#judged.set(model, judged);
    return judged;
  }

  /** What the scores of a model mean now, see {@linkcode scoreKindOf}. */
  kindOf(model: string | undefined, modelShare: number): ScoreKind {
    return scoreKindOf(this.#judged.get(model)?.said ?? nothingSaid(), modelShare);
  }

  /** The probability that a logit by which a model scores stands for, as what it said by level came. */
  probabilityOf(model: string | undefined, modelShare: number): (logit: number) => number {
    const levels = this.#judged.get(model)?.levels[SHARES.findIndex((share) => share === modelShare)];
    return levels === undefined ? sigmoid : (logit) => sigmoid(levels.correct(logit));
  }

  /** Forgets models of variants that are not needed any more. */
  keep(isNeeded: (model: string) => boolean): void {
    for (const model of this.#judged.keys()) {
      if (model !== undefined && !isNeeded(model)) this.#judged.delete(model);
    }
  }

  /** Everything as named numbers. */
  *counters(): Generator<readonly [name: string, value: number]> {
    for (const [model = "", { said, levels }] of this.#judged) {
      for (const name of keysOf(said)) yield [`${name}/${model}`, said[name]];
      for (const [at, each] of levels.entries()) {
        for (const [name, value] of each.counters()) yield [`${at}${name}/${model}`, value];
      }
    }
  }

  /** Restores one of {@linkcode SaidByModel.counters}; ignores other names. */
  restore(name: string, value: number): void {
    const [, at, field = "", model] = /^(\d?)(\w+)\/(.*)$/s.exec(name) ?? [];
    const isSaid = at === "" && isOneOf(keysOf(nothingSaid()), field);
    if (!isSaid && (at === undefined || at === "")) return;
    const { said, levels } = this.#of(model || undefined);
    if (isSaid) said[field] = value;
    else levels[Number(at)]?.restore(field, value);
  }
}

function nothingSaid(): Said {
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
