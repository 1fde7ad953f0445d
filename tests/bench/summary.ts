/**
 * What several runs have in common.
 *
 * @module
 */

/** Their mean and its standard error, in words. */
export function summary(values: readonly number[], digits: number): string {
  const n = values.length;
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const error = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, n - 1) / n);
  return `${mean.toFixed(digits)} ± ${error.toFixed(digits)}`;
}
