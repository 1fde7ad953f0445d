/**
 * The histogram of the weights of an off-policy evaluation, for a terminal.
 *
 * @module
 */

const WIDTH = 40;

/**
 * A bar per bin that is not empty, labelled with the bin's lowest weight; the last bin has no upper end.
 *
 * @param counts lists by weight: 0, below 1/64, then by powers of 2 (`Overlap.histogram`)
 */
export function weightBars(counts: readonly number[]): string[] {
  const most = Math.max(...counts);
  return counts.flatMap((count, at) =>
    count === 0 ? [] : [
      `${nameOf(at, counts.length).padStart(6)} ${
        "█".repeat(Math.max(1, Math.round(WIDTH * count / most)))
      } ${count}`,
    ]
  );
}

function nameOf(at: number, bins: number): string {
  if (at === 0) return "0";
  if (at === 1) return "<1/64";
  const power = at < 8 ? `1/${2 ** (8 - at)}` : `${2 ** (at - 8)}`;
  return at === bins - 1 ? `≥${power}` : power;
}
