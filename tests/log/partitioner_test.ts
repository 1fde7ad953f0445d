import assert from "node:assert/strict";
import { murmur2, partitionOf } from "../../streams/log/partitioner.ts";

// From UtilsTest.testMurmur2 of Apache Kafka.
const KNOWN: readonly (readonly [string, number])[] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

Deno.test("murmur2() equals Kafka's", () => {
  for (const [text, hash] of KNOWN) assert.equal(murmur2(new TextEncoder().encode(text)), hash, text);
});

Deno.test("partitionOf() is the hash without its sign, modulo the number of partitions", () => {
  for (const [text, hash] of KNOWN) {
    for (const n of [1, 2, 7, 64]) {
      assert.equal(partitionOf(text, n), (hash & 0x7fffffff) % n, `${text} of ${n}`);
    }
  }
});

Deno.test("partitionOf() accepts keys of any length and script", () => {
  for (const key of ["", "ž", "😀", "x".repeat(341), "x".repeat(342), "日".repeat(2000)]) {
    const hash = murmur2(new TextEncoder().encode(key));
    assert.equal(partitionOf(key, 1000), (hash & 0x7fffffff) % 1000, key.slice(0, 10));
  }
});

Deno.test("partitionOf() throws for an invalid number of partitions", () => {
  for (const n of [0, -1, 1.5, NaN, Infinity]) assert.throws(() => partitionOf("a", n), RangeError);
});
