import type { Picker } from "../../src/assignment/interleaving.ts";

/** Draws with these weights from what is left. */
export function weightedPicker<T>(weights: ReadonlyMap<T, number>, random: () => number): Picker<T> {
  const left = (above: ReadonlySet<T>) => [...weights].filter(([item]) => !above.has(item));
  const sum = (entries: readonly [T, number][]) => entries.reduce((total, [, weight]) => total + weight, 0);
  return {
    left: (above) => left(above).length,
    draw(above) {
      const entries = left(above);
      let point = random() * sum(entries);
      return (entries.find(([, weight]) => (point -= weight) < 0) ?? entries.at(-1))?.[0];
    },
    probability: (item, above) =>
      above.has(item) || !weights.has(item) ? 0 : weights.get(item)! / sum(left(above)),
  };
}
