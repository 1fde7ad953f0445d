/**
 * Down-sampling of negatives: all positives are learnt and a share of the negatives, with the log-odds correction
 * in training, after which the logit is unbiased (see `src/nn/losses/log_odds.ts`).
 *
 * @module
 */

import { hash32 } from "../draws/random.ts";
import type { Sample } from "../samples/sample.ts";

/**
 * The rows of a sample that are learnt: which depends on the sample's request, the item and the seed alone.
 *
 * @param rate probability in (0, 1] with which a negative is kept
 */
export function keepRows(sample: Sample, rate: number, seed: number): Sample {
  if (rate === 1) return sample;
  const rows = sample.rows.filter(({ item, label }) =>
    label === 1 || hash32(`${sample.request}\0${item}`, seed) < rate * 2 ** 32
  );
  return { ...sample, rows };
}
