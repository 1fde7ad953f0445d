import assert from "node:assert/strict";
import fc from "fast-check";
import type { TrainableTable } from "../../src/features/field_table.ts";
import { drawNegatives, NegativeReservoir, scatterNegatives } from "../../src/learner/auxiliary_negatives.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { makeSamples } from "./batches.ts";

const K = 3;
const HISTORIES = makeSamples(60).map(({ history }) => history);
const LONG = HISTORIES.filter(({ items }) => items.length > 2);

/** A table with a row for every key, and the gradients accumulated into it. */
function makeTable(random: () => number) {
  const rows: { readonly values: Float64Array; readonly gradient: Float64Array }[] = [];
  const byKey = new Map<string, number>();
  const table: TrainableTable = {
    width: K,
    rowOf(key) {
      const row = byKey.get(key) ?? rows.length;
      if (row === rows.length) {
        byKey.set(key, row);
        rows.push({ values: Float64Array.from({ length: K }, random), gradient: new Float64Array(K) });
      }
      return row;
    },
    addRow: (row, scale, out, offset) => {
      for (const [i, value] of rows[row]?.values.entries() ?? []) out[offset + i]! += scale * value;
    },
    accumulate: (row, scale, gradient, offset) => {
      const sum = rows[row]?.gradient;
      if (sum) { for (let i = 0; i < K; i++) sum[i]! += scale * gradient[offset + i]!; }
    },
  };
  return { table, rows };
}

function makeReservoir(seed: number): NegativeReservoir {
  const reservoir = new NegativeReservoir(100, seed);
  for (const history of HISTORIES) reservoir.update(history);
  return reservoir;
}

Deno.test("scatterNegatives() is the transpose of drawNegatives(): ⟨gradient, vectors⟩ = ⟨scattered, rows⟩", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(LONG.length - 1), (seed, at) => {
      const history = LONG[at] ?? assert.fail();
      const random = mulberry32(seed);
      const [item, category] = [makeTable(random), makeTable(random)];
      const tables = new Map([["item", item.table], ["category", category.table]]);
      const negatives = drawNegatives(history, makeReservoir(seed), tables);
      const gradient = negatives.vectors.map(() => random() - 0.5);
      scatterNegatives(negatives, gradient, tables);
      const whole = gradient.reduce((sum, g, i) => sum + g * (negatives.vectors[i] ?? NaN), 0);
      const scattered = [...item.rows, ...category.rows].reduce(
        (sum, row) =>
          sum + row.values.reduce((inner, value, i) => inner + value * (row.gradient[i] ?? NaN), 0),
        0,
      );
      assert.ok(Math.abs(whole - scattered) < 1e-5, `${whole} and ${scattered}`);
    }),
  );
});

Deno.test("drawNegatives() draws another item for each behaviour but the first, so none for a single one", () => {
  const { table } = makeTable(() => 1);
  const tables = new Map([["item", table], ["category", table]]);
  for (const history of HISTORIES) {
    const { entries, vectors } = drawNegatives(history, makeReservoir(1), tables);
    const T = history.items.length;
    assert.equal(entries.length, Math.max(0, T - 1));
    assert.equal(vectors.length, T < 2 ? 0 : T * 2 * K);
    assert.ok(vectors.subarray(0, 2 * K).every((value) => value === 0));
    for (const [n, { item }] of entries.entries()) assert.notEqual(item, history.items[n + 1]);
  }
});
