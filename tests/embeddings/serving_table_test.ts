import assert from "node:assert/strict";
import { ServingTable } from "../../src/embeddings/serving_table.ts";
import { EmbeddingTable } from "../../src/embeddings/table.ts";
import { rowOf, tableContract } from "../contracts/table_contract.ts";

tableContract("ServingTable", (keys) => {
  const trained = new EmbeddingTable({ name: "item", width: 3, seed: 1 });
  for (const key of keys) trained.sight(key, 0);
  const served = new ServingTable("item", 3);
  served.applyDelta(trained.encodeDelta());
  return served;
});

Deno.test("ServingTable.applyDelta() changes nothing when the delta is cut or of another table", () => {
  const trained = new EmbeddingTable({ name: "item", width: 2, seed: 1 });
  const served = new ServingTable("item", 2);
  trained.sight("a", 0);
  served.applyDelta(trained.encodeDelta());
  const before = rowOf(served, served.lookup("a"));
  trained.sight("b", 0);
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
