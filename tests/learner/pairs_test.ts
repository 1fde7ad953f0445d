import assert from "node:assert/strict";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { fieldSpecs } from "../../src/features/fields.ts";
import { EmbeddingTable } from "../../src/embeddings/table.ts";
import { userPrefix } from "../../src/features/pairs.ts";
import { RowAdagrad } from "../../src/nn/optimisers/adagrad.ts";

Deno.test("fieldSpecs() has a table of pairs only when the schema has pairs", () => {
  const names = (pairs: boolean) => fieldSpecs({ ...DEFAULT_SCHEMA, pairs }, 4).map(({ name }) => name);
  assert.ok(names(true).includes("first:pair"));
  assert.ok(!names(false).includes("first:pair"));
});

Deno.test("EmbeddingTable.removePrefix() removes one user's pairs, not those of a user with a longer name", () => {
  const table = new EmbeddingTable({ name: "pair", width: 1, seed: 0 });
  for (const user of ["u1", "u12"]) for (const c of ["a", "b"]) table.use(`${userPrefix(user)}c${c}`, 0);
  table.removePrefix(userPrefix("u1"));
  assert.equal(table.lookup(`${userPrefix("u1")}ca`), 1);
  assert.ok(table.lookup(`${userPrefix("u12")}ca`) > 1);
});

Deno.test("RowAdagrad.step() with exponent 1 divides by the accumulator", () => {
  const rows = { values: Float32Array.of(0), accumulators: Float32Array.of(4) };
  const rule = new RowAdagrad(1, { learningRate: 1, initialAccumulator: 4, exponent: 1 });
  rule.step(rows, 0, Float32Array.of(-1));
  assert.ok(Math.abs(rows.values[0]! - 1 / 5) < 1e-6);
  assert.throws(() => new RowAdagrad(1, { exponent: 2 }), RangeError);
});
