/**
 * Down-sampling of negatives: all positives and a share of the negatives are learnt, with the log-odds correction
 * in training, which leaves the logit unbiased (see `src/nn/losses/log_odds.ts`).
 *
 * @module
 */

import { hash32 } from "../draws/random.ts";
import type { Sample } from "../samples/sample.ts";

/**
 * The rows of a sample that are learnt, a function of its request, the items and the seed alone.
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
