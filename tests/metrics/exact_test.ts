import assert from "node:assert/strict";
import fc from "fast-check";
import {
  accuracy,
  calibration,
  constantLogLoss,
  logLoss,
  normalizedEntropy,
} from "../../src/metrics/probability.ts";
import { ProgressiveRows } from "../../src/metrics/progressive_rows.ts";
import { auc, gauc, prAuc } from "../../src/metrics/ranking.ts";
import { goldenTest } from "../golden_vectors.ts";

interface MetricsCase {
  readonly inputs: { readonly user: number[]; readonly y: number[]; readonly p: number[] };
  readonly outputs: { readonly metrics: Record<string, number | null> };
}

/** AUC by its definition: every pair of a positive and a negative. */
function naiveAuc(labels: readonly number[], scores: readonly number[]): number | null {
  let won = 0, pairs = 0;
  labels.forEach((positive, i) =>
    labels.forEach((negative, j) => {
      if (positive !== 1 || negative !== 0) return;
      const [a, b] = [scores[i] ?? NaN, scores[j] ?? NaN];
      won += a > b ? 1 : a === b ? 0.5 : 0;
      pairs++;
    })
  );
  return pairs === 0 ? null : won / pairs;
}

function assertFigure(got: number | null, want: number | null | undefined, what: string): void {
  assert.ok(want !== undefined, `${what} is not in the vectors`);
  if (got === null || want === null) assert.equal(got, want, what);
  else assert.ok(Math.abs(got - want) <= 1e-8, `${what}: got ${got}, want ${want}`);
}

for (const name of ["metrics", "oneLabel"]) {
  goldenTest<MetricsCase>(`metrics equal the golden case ${name}`, "losses.json", ({ [name]: golden }) => {
    assert.ok(golden);
    const { user, y, p } = golden.inputs;
    const want = golden.outputs.metrics;
    assertFigure(auc(y, p), want.auc, "auc");
    assertFigure(gauc(user, y, p), want.gauc, "gauc");
    assertFigure(logLoss(y, p), want.logLoss, "logLoss");
    assertFigure(normalizedEntropy(y, p), want.ne, "ne");
    assertFigure(calibration(y, p), want.calibration, "calibration");
    if (name === "metrics") assertFigure(constantLogLoss(y), want.naiveLogLoss, "naiveLogLoss");
    const bins = p.map((one) => Math.min(9, Math.floor(10 * one)));
    if (name === "metrics") assertFigure(auc(y, bins), want.aucOfTenBins, "aucOfTenBins");
  }, {
    // With a single label there are no pairs, whoever the users are.
    claims: (path) => path.startsWith(`cases.${name}.`) && !path.endsWith("oneLabel.inputs.user"),
  });
}

const rows = fc.array(
  fc.record({
    user: fc.nat(4),
    label: fc.constantFrom(0, 1),
    // Few distinct values: ties everywhere.
    prediction: fc.oneof(fc.nat(6).map((n) => n / 6), fc.double({ min: 0, max: 1, noNaN: true })),
    newUser: fc.boolean(),
  }),
  { maxLength: 60 },
);

Deno.test("auc() equals the naive count of pairs when scores tie", () => {
  fc.assert(fc.property(rows, (list) => {
    const [y, p] = [list.map((row) => row.label), list.map((row) => row.prediction)];
    const got = auc(y, p), want = naiveAuc(y, p);
    if (got === null || want === null) assert.equal(got, want);
    else assert.ok(Math.abs(got - want) < 1e-12);
  }));
});

Deno.test("gauc() equals the weighted mean of the naive AUC of each user", () => {
  fc.assert(fc.property(rows, (list) => {
    let total = 0, weight = 0;
    for (let user = 0; user < 5; user++) {
      const mine = list.filter((row) => row.user === user);
      const area = naiveAuc(mine.map((row) => row.label), mine.map((row) => row.prediction));
      if (area === null) continue;
      total += mine.length * area;
      weight += mine.length;
    }
    const got = gauc(list.map((r) => r.user), list.map((r) => r.label), list.map((r) => r.prediction));
    if (got === null) assert.equal(weight, 0);
    else assert.ok(Math.abs(got - total / weight) < 1e-12);
  }));
});

Deno.test("auc() does not depend on the order or scale of scores, and mirrors when labels are flipped", () => {
  fc.assert(fc.property(rows, (list) => {
    const [y, p] = [list.map((row) => row.label), list.map((row) => row.prediction)];
    const area = auc(y, p);
    assert.equal(auc(y.toReversed(), p.toReversed()), area);
    assert.equal(auc(y, p.map((x) => 8 * x)), area);
    const mirrored = auc(y.map((label) => 1 - label), p);
    assert.ok(area === mirrored || Math.abs(1 - (area ?? 0) - (mirrored ?? 0)) < 1e-12);
  }));
});

Deno.test("prAuc() does not depend on the order of tied rows, and is the rate of positives when all are tied", () => {
  assert.equal(prAuc([1, 0], [0.5, 0.5]), 0.5);
  assert.equal(prAuc([0, 1], [0.5, 0.5]), 0.5);
  assert.equal(prAuc([0, 1, 1, 0], [0.5, 0.9, 0.5, 0.1]), (1 + 2 / 3) / 2);
  assert.equal(prAuc([0, 0], [0.5, 0.4]), null);
  assert.equal(prAuc([1, 0], [-Infinity, -Infinity]), 0.5);
});

Deno.test("metrics are null when there are no rows", () => {
  for (const metric of [auc, prAuc, logLoss, normalizedEntropy, calibration, accuracy]) {
    assert.equal(metric([], []), null, metric.name);
  }
  assert.equal(gauc([], [], []), null);
  assert.equal(constantLogLoss([]), null);
});

Deno.test("accuracy() is the share of rows on the right side of 0.5, which counts as positive", () => {
  assert.equal(accuracy([1, 0, 1, 0], [0.5, 0.49, 0.2, 0.9]), 0.5);
  assert.equal(accuracy([0], [0.5]), 0);
});

Deno.test("logLoss() is finite when a certain prediction is wrong", () => {
  assert.ok(Math.abs((logLoss([1, 0], [0, 1]) ?? 0) + Math.log(1e-7)) < 1e-8);
});

Deno.test("auc() and gauc() refuse arrays of different lengths and scores that are NaN", () => {
  assert.throws(() => auc([1], [0.5, 0.4]), RangeError);
  assert.throws(() => auc([1, 0], [0.5, NaN]), RangeError);
  assert.throws(() => gauc([0], [1, 0], [0.5, 0.4]), RangeError);
});

Deno.test("ProgressiveRows.report() equals the metrics of the rows in any range and segment", () => {
  const range = fc.tuple(
    fc.nat(60),
    fc.nat(60),
    fc.constantFrom("all" as const, "new" as const, "returning" as const),
  );
  fc.assert(fc.property(rows, range, (list, [a, b, segment]) => {
    const stored = new ProgressiveRows();
    for (const row of list) stored.update({ ...row, oracle: row.prediction / 2 });
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    const mine = list.slice(from, to).filter((row) =>
      segment === "all" || row.newUser === (segment === "new")
    );
    const [y, p] = [mine.map((row) => row.label), mine.map((row) => row.prediction)];
    const { oracleAuc, oracleLogLoss, ...report } = stored.report(from, to, segment);
    assert.deepEqual(report, {
      rows: mine.length,
      auc: auc(y, p),
      gauc: gauc(mine.map((row) => row.user), y, p),
      logLoss: logLoss(y, p),
      normalizedEntropy: normalizedEntropy(y, p),
      calibration: calibration(y, p),
      prAuc: prAuc(y, p),
      accuracy: accuracy(y, p),
      constantLogLoss: constantLogLoss(y),
    });
    assert.equal(oracleAuc ?? null, auc(y, p.map((x) => x / 2)));
    assert.equal(oracleLogLoss ?? null, logLoss(y, p.map((x) => x / 2)));
  }));
});

Deno.test("ProgressiveRows.report() has the oracle's figures only when all rows of the range have them", () => {
  const stored = new ProgressiveRows();
  for (let i = 0; i < 3000; i++) {
    const row = { user: 0, label: i % 2, prediction: 0.5, newUser: false };
    stored.update(i < 10 ? row : { ...row, oracle: 0.5 });
  }
  assert.equal("oracleAuc" in stored.report(), false);
  assert.equal(stored.report(10).oracleAuc, 0.5);
});

Deno.test("ProgressiveRows.decode() goes on like the encoded rows, byte for byte", () => {
  fc.assert(fc.property(rows, rows, fc.boolean(), (before, after, oracle) => {
    const stored = new ProgressiveRows(), resumed = new ProgressiveRows();
    const add = (to: ProgressiveRows, list: typeof before) => {
      for (const row of list) to.update(oracle ? { ...row, oracle: 0.25 } : row);
    };
    add(stored, before);
    resumed.decode(stored.encode());
    add(stored, after);
    add(resumed, after);
    assert.deepEqual(resumed.report(), stored.report());
    assert.deepEqual(resumed.encode(), stored.encode());
  }));
});

Deno.test("ProgressiveRows.decode() changes nothing when the bytes are truncated or inconsistent", () => {
  const stored = new ProgressiveRows();
  for (let i = 0; i < 3; i++) {
    stored.update({ user: i, label: i % 2, prediction: 0.5, oracle: 0.5, newUser: true });
  }
  const bytes = stored.encode();
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => stored.decode(bytes.subarray(0, length)), SyntaxError);
  }
  const brokenOracles = bytes.slice(0, -1);
  brokenOracles[bytes.lastIndexOf(3 * 8)] = 3 * 8 - 1;
  assert.throws(() => stored.decode(brokenOracles), SyntaxError);
  assert.deepEqual(stored.encode(), bytes);
});

Deno.test("ProgressiveRows.update() refuses a row with an impossible prediction or label", () => {
  const stored = new ProgressiveRows();
  const row = { user: 0, label: 1, prediction: 0.5, newUser: false };
  for (const bad of [{ prediction: NaN }, { prediction: 1.1 }, { prediction: -0.1 }, { label: 2 }]) {
    assert.throws(() => stored.update({ ...row, ...bad }), RangeError);
  }
  assert.equal(stored.length, 0);
});
