import assert from "node:assert/strict";
import fc from "fast-check";
import { HistogramAuc } from "../../src/metrics/histogram_auc.ts";
import {
  accuracy,
  calibration,
  constantLogLoss,
  logLoss,
  normalizedEntropy,
} from "../../src/metrics/probability.ts";
import { auc } from "../../src/metrics/ranking.ts";
import { RunningMean, RunningProbability } from "../../src/metrics/running.ts";
import { SlidingWindow } from "../../src/metrics/sliding_window.ts";
import { anyRows, metricContract } from "../contracts/metric_contract.ts";

metricContract("HistogramAuc", HistogramAuc);
metricContract("RunningProbability", RunningProbability);

Deno.test("HistogramAuc.get() is within half the share of pairs of one bin of the exact AUC", () => {
  fc.assert(fc.property(anyRows, (rows) => {
    const metric = new HistogramAuc(10);
    for (const row of rows) metric.update(...row);
    const [labels, scores] = [rows.map(([y]) => y), rows.map(([, p]) => p)];
    const exact = auc(labels, scores), got = metric.get();
    if (exact === null || got === null) {
      assert.equal(got, exact);
      return;
    }
    const { positives, negatives } = metric.toJSON();
    const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
    const shared = positives.reduce((pairs, p, bin) => pairs + p * (negatives[bin] ?? 0), 0);
    assert.ok(Math.abs(got - exact) <= shared / (sum(positives) * sum(negatives)) / 2 + 1e-12);
  }));
});

Deno.test("HistogramAuc() refuses bins when they are none, and to merge another number of them", () => {
  assert.throws(() => new HistogramAuc(0), RangeError);
  assert.throws(() => new HistogramAuc(10).merge(new HistogramAuc(20)), RangeError);
});

Deno.test("RunningProbability.get() equals the exact figures to its rounding", () => {
  fc.assert(fc.property(anyRows, (rows) => {
    const metric = new RunningProbability();
    for (const row of rows) metric.update(...row);
    const [labels, p] = [rows.map(([y]) => y), rows.map(([, p]) => p)];
    const got = metric.get();
    const close = (a: number | null, b: number | null) =>
      assert.ok(a === b || Math.abs((a ?? NaN) - (b ?? NaN)) < 1e-5, `${a} ${b}`);
    close(got.logLoss, logLoss(labels, p));
    close(got.constantLogLoss, constantLogLoss(labels));
    close(got.normalizedEntropy, normalizedEntropy(labels, p));
    close(got.calibration, calibration(labels, p));
    assert.equal(got.accuracy, accuracy(labels, p));
  }));
});

Deno.test("RunningMean.merge() is associative up to rounding", () => {
  const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }));
  const over = (list: readonly number[]) => {
    const mean = new RunningMean();
    for (const value of list) mean.update(value);
    return mean;
  };
  fc.assert(fc.property(values, values, values, (a, b, c) => {
    const left = over(a);
    left.merge(over(b));
    left.merge(over(c));
    const tail = over(b);
    tail.merge(over(c));
    const right = over(a);
    right.merge(tail);
    assert.equal(left.count, a.length + b.length + c.length);
    assert.ok(left.get() === right.get() || Math.abs((left.get() ?? 0) - (right.get() ?? 0)) < 1e-6);
  }));
  const mean = over([1, 2]);
  mean.reset();
  assert.equal(mean.get(), null);
});

// Buckets of 10 ms, three of them:
//
//     0        10        20        30        40        50
//     |---0----|----1----|----2----|----3----|----4----|
//                        [ window after a row at 42    ]
const OPTIONS = { length: 30, buckets: 3 };

/** Counts the rows of a window by recomputing it from all of them. */
function expected(times: readonly number[]): { kept: number; tooOld: number } {
  let newest = -Infinity, tooOld = 0;
  const kept: number[] = [];
  for (const time of times) {
    const bucket = Math.floor(time / 10);
    if (bucket <= newest - 3) tooOld++;
    else kept.push(bucket);
    newest = Math.max(newest, bucket);
  }
  return { kept: kept.filter((bucket) => bucket > newest - 3).length, tooOld };
}

const times = fc.array(fc.nat(120), { maxLength: 50 });

function windowOver(list: readonly number[]) {
  const window = new SlidingWindow(RunningProbability, OPTIONS);
  for (const time of list) window.update(time % 2, 0.5, time);
  return window;
}

Deno.test("SlidingWindow.update() keeps exactly the newest buckets when rows come in any order", () => {
  fc.assert(fc.property(times, (list) => {
    const window = windowOver(list);
    const { kept, tooOld } = expected(list);
    assert.equal(window.merged().rows, kept);
    assert.equal(window.tooOld, tooOld);
  }));
});

Deno.test("SlidingWindow.get() is the same when rows within the window come out of order", () => {
  fc.assert(fc.property(fc.array(fc.nat(29)), (list) => {
    assert.deepEqual(windowOver(list.toReversed()).get(), windowOver(list).get());
  }));
});

Deno.test("SlidingWindow.merge() is associative", () => {
  fc.assert(fc.property(times, times, times, (a, b, c) => {
    const left = windowOver(a);
    left.merge(windowOver(b));
    left.merge(windowOver(c));
    const tail = windowOver(b);
    tail.merge(windowOver(c));
    const right = windowOver(a);
    right.merge(tail);
    assert.deepEqual(left.toJSON(), right.toJSON());
  }));
});

Deno.test("SlidingWindow.from() goes on as the window whose JSON it takes", () => {
  fc.assert(fc.property(times, times, (before, after) => {
    const window = windowOver(before);
    const state = JSON.parse(JSON.stringify(window));
    const resumed = SlidingWindow.from(state, RunningProbability, OPTIONS);
    for (const each of [window, resumed]) for (const time of after) each.update(time % 2, 0.5, time);
    assert.deepEqual(resumed.toJSON(), window.toJSON());
  }));
});

Deno.test("SlidingWindow.update() counts rows when no position is given", () => {
  const window = new SlidingWindow(HistogramAuc, { length: 4, buckets: 2 });
  const sizes = [0, 1, 2, 3, 4, 5, 6].map((i) => {
    window.update(i % 2, 0.5);
    return window.merged().rows;
  });
  assert.deepEqual(sizes, [1, 2, 3, 4, 3, 4, 3]);
  window.reset();
  assert.equal(window.get(), null);
});

Deno.test("SlidingWindow() refuses a length or a number of buckets when it is not above 0", () => {
  for (
    const options of [{ length: 0 }, { length: NaN }, { length: 1, buckets: 0 }, { length: 1, buckets: 1.5 }]
  ) {
    assert.throws(() => new SlidingWindow(HistogramAuc, options), RangeError);
  }
});
