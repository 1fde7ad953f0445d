/**
 * Down-sampling of negatives: all positives and a share of the negatives are learnt, with the log-odds correction
 * in training, which leaves the logit unbiased (see `src/nn/losses/log_odds.ts`).
 */

import { hash32 } from "../draws/random.ts";
import type { Sample } from "../samples/sample.ts";

/**
 * The rows of a sample to learn: a function of its request, its items and the seed alone.
 *
 * @param rate probability in (0, 1] with which a negative is kept
 */
export function keepRows(sample: Sample, rate: number, seed: number): Sample {
  if (rate === 1) return sample;
  const { request, rows } = sample;
  const kept: number[] = [];
  for (let row = 0; row < rows.length; row++) {
    const isKept = rows.label(row) === 1 ||
      hash32(`${request}\0${rows.items[row]!.id}`, seed) < rate * 2 ** 32;
    if (isKept) kept.push(row);
  }
  return { ...sample, rows: rows.pick(kept) };
}
