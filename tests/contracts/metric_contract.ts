/**
 * What every streaming metric holds: order and split of the rows do not matter, nor does a stop in between.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Metric, MetricClass } from "../../src/metrics/metric.ts";

/** A judged prediction. */
export type Row = readonly [label: number, prediction: number];

/** Rows with many ties, both ends included. */
export const anyRows: fc.Arbitrary<Row[]> = fc.array(
  fc.tuple(
    fc.constantFrom(0, 1),
    fc.oneof(fc.nat(8).map((n) => n / 8), fc.double({ min: 0, max: 1, noNaN: true })),
  ),
  { maxLength: 60 },
);

/** Registers the suite. */
export function metricContract<Figure, State>(name: string, metric: MetricClass<Figure, State>): void {
  const over = (...parts: Row[][]): Metric<Figure, State> => {
    const made = new metric();
    for (const row of parts.flat()) made.update(...row);
    return made;
  };
  const same = (got: Metric<Figure, State>, want: Metric<Figure, State>) => {
    assert.deepEqual(got.toJSON(), want.toJSON());
    assert.deepEqual(got.get(), want.get());
    assert.equal(got.rows, want.rows);
  };

  Deno.test(`${name}.merge() is associative and equals one metric over all rows`, () => {
    fc.assert(fc.property(anyRows, anyRows, anyRows, (a, b, c) => {
      const left = over(a);
      left.merge(over(b));
      left.merge(over(c));
      const tail = over(b);
      tail.merge(over(c));
      const right = over(a);
      right.merge(tail);
      same(left, right);
      same(left, over(a, b, c));
    }));
  });

  Deno.test(`${name}.get() is the same when the rows come in another order`, () => {
    fc.assert(fc.property(anyRows, (rows) => same(over(rows.toReversed()), over(rows))));
  });

  Deno.test(`${name}.from() goes on as the metric whose JSON it takes`, () => {
    fc.assert(fc.property(anyRows, anyRows, (before, after) => {
      const resumed = metric.from(JSON.parse(JSON.stringify(over(before))) as State);
      for (const row of after) resumed.update(...row);
      same(resumed, over(before, after));
    }));
  });

  Deno.test(`${name}.reset() leaves a metric as new`, () => {
    fc.assert(fc.property(anyRows, (rows) => {
      const used = over(rows);
      used.reset();
      same(used, new metric());
    }));
  });
}
