/**
 * The n-th largest of the first `length` numbers, n from 1, which this reorders. Quickselect, O(length) on
 * average.
 */
export function nthLargest(values: Float64Array, n: number, length: number = values.length): number {
  let low = 0;
  let high = length - 1;
  const at = n - 1;
  while (low < high) {
    const pivot = values[(low + high) >>> 1]!;
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! > pivot) i++;
      while (values[j]! < pivot) j--;
      if (i > j) break;
      const swap = values[i]!;
      values[i++] = values[j]!;
      values[j--] = swap;
    }
    if (at <= j) high = j;
    else if (at >= i) low = i;
    else break;
  }
  return values[at]!;
}
