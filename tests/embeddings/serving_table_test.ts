import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeDelta, writtenKeys } from "../../src/embeddings/delta.ts";
import { ServingTable } from "../../src/embeddings/serving_table.ts";
import { EmbeddingTable } from "../../src/embeddings/table.ts";
import { rowOf, tableContract } from "../contracts/table_contract.ts";

tableContract("ServingTable", (keys) => {
  const trained = new EmbeddingTable({ name: "item", width: 3, seed: 1 });
  for (const key of keys) trained.use(key, 0);
  const served = new ServingTable("item", 3);
  served.applyDelta(trained.encodeDelta());
  return served;
});

Deno.test("ServingTable.applyDelta() changes nothing when the delta is truncated or of another table", () => {
  const trained = new EmbeddingTable({ name: "item", width: 2, seed: 1 });
  const served = new ServingTable("item", 2);
  trained.use("a", 0);
  served.applyDelta(trained.encodeDelta());
  const before = rowOf(served, served.lookup("a"));
  trained.use("b", 0);
  const delta = trained.encodeDelta();
  for (let length = 0; length < delta.length; length++) {
    assert.throws(() => served.applyDelta(delta.subarray(0, length)), SyntaxError);
  }
  const other = new EmbeddingTable({ name: "user", width: 2, seed: 1 });
  assert.throws(() => served.applyDelta(other.encodeDelta()), RangeError);
  assert.deepEqual(rowOf(served, served.lookup("a")), before);
  assert.equal(served.lookup("b"), 1);
  assert.equal(served.lookupOnce("b"), 1);
  assert.equal(served.lookupOnce("a"), served.lookup("a"));
});

const key = fc.constantFrom("a", "b", "c", "d", "e", "f");
const delta = fc.record({
  full: fc.boolean(),
  removed: fc.uniqueArray(key, { maxLength: 3 }),
  keys: fc.uniqueArray(key, { maxLength: 5 }),
});

Deno.test("ServingTable.stage() equals a naive table in any portions, and shows nothing of a delta before its commit", () => {
  fc.assert(
    fc.property(fc.array(delta, { maxLength: 8 }), fc.integer({ min: 1, max: 3 }), (deltas, portion) => {
      const served = new ServingTable("item", 1);
      let naive = new Map<string, number>();
      let unknown = 0;
      const check = () => {
        for (const one of ["a", "b", "c", "d", "e", "f", "g"]) {
          assert.deepEqual(rowOf(served, served.lookup(one)), [naive.get(one) ?? unknown], one);
        }
        assert.equal(served.size, naive.size);
      };
      deltas.forEach(({ full, removed, keys }, n) => {
        const values = Float32Array.from({ length: keys.length + 1 }, (_, at) => 100 * (n + 1) + at);
        const staged = served.stage(
          encodeDelta({
            name: "item",
            width: 1,
            full,
            values,
            removed: writtenKeys(full ? [] : removed),
            keys: writtenKeys(keys),
          }),
        );
        check();
        while (!staged.find(portion)) check();
        check();
        staged.commit();
        if (full) naive = new Map();
        else for (const one of removed) naive.delete(one);
        unknown = values[0] ?? NaN;
        keys.forEach((one, at) => naive.set(one, values[at + 1] ?? NaN));
        check();
        assert.throws(() => staged.commit(), /1 others were applied since/);
      });
    }),
  );
});

Deno.test("StagedDelta.commit() throws before all rows are found", () => {
  const values = Float32Array.of(0, 1, 2);
  const bytes = encodeDelta({
    name: "item",
    width: 1,
    full: false,
    values,
    removed: writtenKeys([]),
    keys: writtenKeys(["a", "b"]),
  });
  const staged = new ServingTable("item", 1).stage(bytes);
  staged.find(1);
  assert.throws(() => staged.commit(), /1 of 2 rows are found/);
});
