/**
 * The band of served predictions, out of which they are not trusted.
 *
 * Hard rows must not look like a bad model, so the log loss of a row's frozen prediction p is compared with its
 * expectation in two ways. Its excess is the loss above that of the causal prior that the model starts from. Its
 * surprise is the loss above the entropy of p, which is the loss that p expects of itself (Spiegelhalter, Statistics in
 * Medicine 5, 1986): if outcomes are learnt at once, prior and model fail together, and only the surprise shows it.
 * With H the entropy of the label rate, the newest window is out of band when
 *
 *     (mean excess − mean excess of the reference) / H > margin          normalised entropy got worse, or
 *     (mean surprise − mean surprise of the reference) / H > margin      it misjudges its own loss, or
 *     Σ p / Σ y outside [1/2, 2], and further than the reference          calibration
 *
 * each by more than `confidence` standard errors. The predictions imply the variance of each figure up to a factor, the
 * dispersion: the variance of batch means, weighted by users, divided by the implied one, and at least 1. The variance
 * of batch means is multiplied by (1 + ρ)/(1 − ρ) for their lag-one autocorrelation ρ. More standard errors are
 * required where figures are skewed, as when positives are rare. The newest quarter of the window and the newest batch
 * are tested as well (after ADWIN: Bifet & Gavaldà, SDM 2007). If users arrive one after another, a batch has few of
 * them, and one unusual user sets it apart from all earlier batches; so the newest batch must be out of band even
 * without the user who contributes most, compared with reference batches without theirs. A batch is judged before it is
 * published, so that even the first batch of a gross fault is never served: a learner adapts to wrong labels within a
 * few batches, and then looks sound for as long as they last.
 */

import { entropy } from "../../metrics/probability.ts";
import { type Block, chanceOf, column, type Figure, meanOfBlocks, RATE, WHOLE } from "./guard_block.ts";
import { correlatedVariance, type Series, skewness, total } from "./series.ts";

/** Fewest values to estimate a variance from. */
const MIN_BLOCKS = 8;

/** Why predictions are out of band. */
export type Breakage = "entropy" | "surprise" | "calibration";

/** Why blocks are out of band of earlier ones; `null` if they are not, or there is too little data to tell. */
export function breakageOf(
  blocks: readonly Block[],
  earlier: readonly Block[],
  { margin, confidence, fields }: {
    readonly margin: number;
    readonly confidence: number;
    readonly fields: typeof WHOLE;
  },
): Breakage | null {
  const reference = earlier.length < MIN_BLOCKS ? [] : earlier;
  const slack = margin * entropy(meanOfBlocks([reference, blocks], RATE, WHOLE.users));
  const windowOf = (part: readonly Block[], name: Figure): Window => ({
    ...column(part, fields[name], fields.users),
    chance: chanceOf(part, name, fields),
  });
  /** Whether a figure is above that of the reference, or above a floor if that is larger. */
  const above = (name: Figure, allowed: number, floor = -Infinity) => {
    const mean = (part: readonly Block[]) => meanOfBlocks([part], fields[name], fields.users);
    const more = mean(blocks) - (Math.max(floor, mean(reference)) + allowed);
    // Tested first because it is usually false, and the rest takes longer.
    return more > 0 && isBeyondChance(more, windowOf(blocks, name), windowOf(reference, name), confidence);
  };
  // Without a reference the model must beat the prior and be calibrated.
  if (above("excess", slack)) return "entropy";
  if (above("surprise", slack)) return "surprise";
  // If calibration was out of band all along, going back would not help.
  return above("over", 0, 0) || above("under", 0, 0) ? "calibration" : null;
}

/** A figure of a window's batches. */
interface Window extends Series {
  /** Variance and skewness of its mean that the predictions imply. */
  readonly chance: { readonly variance: number; readonly skewness: number };
}

/**
 * Whether the mean of `now` exceeds a bound by `more` than chance explains: by the quantile of a distribution with its
 * skewness that corresponds to `confidence` standard errors of a normal one (Cornish and Fisher, 1938, first term).
 * With rare positives a batch has none, one or two, and nine standard errors mean no more than five normal ones.
 */
function isBeyondChance(more: number, now: Window, then: Window, confidence: number): boolean {
  const [batches, others] = [now.values.length, then.values.length];
  if (batches === 0 || batches < MIN_BLOCKS && others === 0) return false;
  const dispersion = Math.max(1, dispersionOf(now), dispersionOf(then));
  const error = Math.sqrt(dispersion * (now.chance.variance + then.chance.variance));
  const skew = Math.max(0, skewness(then) / Math.sqrt(batches), now.chance.skewness);
  const errors = confidence + Math.max(0, confidence ** 2 - 1) * skew / 6;
  return more > errors * error;
}

/** Variance of a window's mean, divided by that which the predictions imply; 0 for too few batches. */
function dispersionOf(window: Window): number {
  if (window.values.length < MIN_BLOCKS || window.chance.variance === 0) return 0;
  return correlatedVariance(window) / total(window) / window.chance.variance;
}
