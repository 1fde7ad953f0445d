/**
 * The non-decreasing sequence closest to `values` in weighted squares, by pooling adjacent violators. O(n).
 *
 * @param weights above 0, of the same length
 */
export function isotonic(values: Float64Array, weights: Float64Array): Float64Array {
  const pools: { mean: number; weight: number; end: number }[] = [];
  for (let at = 0; at < values.length; at++) {
    let pool = { mean: values[at]!, weight: weights[at]!, end: at + 1 };
    for (let last = pools.at(-1); last !== undefined && last.mean > pool.mean; last = pools.at(-1)) {
      pools.pop();
      const weight = last.weight + pool.weight;
      pool = { mean: (last.mean * last.weight + pool.mean * pool.weight) / weight, weight, end: pool.end };
    }
    pools.push(pool);
  }
  const fitted = new Float64Array(values.length);
  let start = 0;
  for (const { mean, end } of pools) {
    fitted.fill(mean, start, end);
    start = end;
  }
  return fitted;
}
