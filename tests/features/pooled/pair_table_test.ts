import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import {
  COUNT,
  MIN_TABLE_BYTES,
  pairKey,
  PairTable,
  WEIGHT,
} from "../../../src/features/pooled/pair_table.ts";
import { atOnce } from "../../../src/values/portions.ts";

/** Keys of one bucket of the smallest table. */
const KEYS = Array.from({ length: 9 }, (_, n) => 8 * (n + 1));

function count(table: PairTable, key: number, times: number): void {
  for (let n = 0; n < times; n++) table.numbers[table.add(key) + COUNT]! += 1;
}

Deno.test("pairKey() is symmetric, and never 0", () => {
  for (let a = 0; a < 50; a++) {
    for (let b = 0; b < 50; b++) {
      assert.equal(pairKey(a, b), pairKey(b, a));
      assert.ok(pairKey(a, b) > 0);
    }
  }
});

Deno.test("PairTable keeps all pairs within its budget", () => {
  const table = new PairTable(1 << 22);
  for (let n = 1; n <= 2000; n++) {
    const at = table.add(pairKey(n, n + 1));
    table.numbers[at + WEIGHT] = n;
  }
  assert.equal(table.size, 2000);
  for (let n = 1; n <= 2000; n++) {
    const at = table.find(pairKey(n, n + 1));
    assert.equal(table.numbers[at + WEIGHT], n);
  }
  assert.equal(table.find(pairKey(5000, 5001)), -1);
});

Deno.test("PairTable evicts the rarest pair of a full bucket, and ages the others", () => {
  const table = new PairTable(MIN_TABLE_BYTES);
  KEYS.slice(0, 8).forEach((key, n) => count(table, key, n === 2 || n === 5 ? 1 : 4));
  count(table, KEYS[8]!, 1);
  const counts = KEYS.map((key) => table.find(key) < 0 ? null : table.numbers[table.find(key) + COUNT]);
  assert.deepEqual(counts, [3.75, 3.75, null, 3.75, 3.75, 0.9375, 3.75, 3.75, 1]);
  assert.equal(table.bytes, MIN_TABLE_BYTES);
});

Deno.test("PairTable.decode() restores what encode() wrote, and refuses misplaced entries and impossible sizes", () => {
  const table = new PairTable(1 << 16);
  for (let n = 1; n <= 300; n++) count(table, pairKey(n, 2 * n), n % 5);
  const to = new ByteWriter();
  atOnce(table.encode(to));
  const other = new PairTable(1 << 16);
  atOnce(other.decode(new ByteReader(to.toBytes())));
  const again = new ByteWriter();
  atOnce(other.encode(again));
  assert.deepEqual(again.toBytes(), to.toBytes());
  const wrong = new ByteWriter().uint(64).uint(1).uint(4).uint(7).f32s(new Float32Array(7));
  assert.throws(() => atOnce(new PairTable(0).decode(new ByteReader(wrong.toBytes()))), /wrong bucket/);
  assert.throws(
    () => atOnce(new PairTable(0).decode(new ByteReader(new ByteWriter().uint(65).toBytes()))),
    /entries is 65/,
  );
});
