/** Metrics that are read when Prometheus scrapes, as tables of names, helps and values. */

import { Counter, Gauge, type Registry } from "prom-client";

export type Labels = Readonly<Record<string, string>>;

/** Metrics with the same labels, whose values come from the same objects. */
export interface MetricFamily<Scrape, From> {
  /** Names of the labels. @default {none} */
  readonly labels?: readonly string[];
  /** The objects that values are read from, each with its labels. */
  readonly read: (scrape: Scrape) => Iterable<readonly [labels: Labels, from: From]>;
  /** By name, which ends in `_total` for a counter: its help, and its current value; `null` = none. */
  readonly metrics: Readonly<Record<string, readonly [help: string, valueOf: (from: From) => number | null]>>;
}

/** Adds metrics to a registry. @returns what replaces the values of the last scrape */
export type Register<Scrape> = (registry: Registry) => (scrape: Scrape) => void;

/** Makes the metrics of a table. */
export function family<Scrape, From>(
  { labels = [], read, metrics }: MetricFamily<Scrape, From>,
): Register<Scrape> {
  return (registry) => {
    const columns = Object.entries(metrics).map(([name, [help, valueOf]]) => {
      const options = { name, help, labelNames: [...labels], registers: [registry] };
      return { metric: name.endsWith("_total") ? new Counter(options) : new Gauge(options), valueOf };
    });
    return (scrape) => {
      const rows = [...read(scrape)];
      for (const column of columns) replaceValues(column, labels, rows);
    };
  };
}

function replaceValues<From>(
  { metric, valueOf }: { readonly metric: Counter | Gauge; readonly valueOf: (from: From) => number | null },
  labels: readonly string[],
  rows: readonly (readonly [Labels, From])[],
): void {
  if (labels.length === 0) metric.remove(); // `reset()` would leave 0
  else metric.reset();
  for (const [own, from] of rows) {
    const value = valueOf(from);
    if (value !== null) metric.inc(own, value);
  }
}
