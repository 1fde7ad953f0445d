import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { Trends } from "../../../src/retrieval/items/trends.ts";
import { atOnce } from "../../../src/values/portions.ts";

const HOUR = 3_600_000;
const START = 1_741_860_000_000;
const trends = (halfLifeMs = 24 * HOUR) => new Trends(halfLifeMs, (a, b) => a - b);
const near = (a: number, b: number) => Math.abs(a - b) <= 5;

function written(of: Trends): ByteReader {
  const to = new ByteWriter();
  atOnce(of.encode(to, [0, 1, 2], Uint32Array.of(0, 1, 2)));
  return new ByteReader(to.toBytes());
}

Deno.test("Trends.age() lies between the ages of the newest and the oldest behaviour, and is 0 without any", () => {
  const times = fc.array(fc.nat(1000 * HOUR), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(times, fc.constantFrom(HOUR, 24 * HOUR, 240 * HOUR), (times, halfLife) => {
    const some = trends(halfLife);
    for (const time of times) some.learn(1, START + time);
    const now = START + 2000 * HOUR;
    const age = some.age(1, now);
    const [newest, oldest] = [now - START - Math.max(...times), now - START - Math.min(...times)];
    assert.ok(age > newest - 5 && age < oldest + 5, `${age} of ${newest} to ${oldest}`);
    assert.equal(some.age(0, now), 0);
    assert.equal(some.age(1, START - 1), 0, "what is later has no age yet");
  }));
});

Deno.test("Trends.age() outlasts the count that it belongs to", () => {
  const quick = trends(1000);
  quick.learn(1, START);
  const now = START + 10_000 * HOUR;
  quick.counts.moveTo(now);
  assert.equal(quick.counts.count(1), 0);
  assert.ok(near(quick.age(1, now), 10_000 * HOUR));
});

Deno.test("Trends.decode() restores counts and ages, also with another half-life", () => {
  const first = trends();
  for (const [item, hours] of [[0, 1], [1, 2], [1, 5], [2, 30]] as const) {
    first.learn(item, START + hours * HOUR);
  }
  const again = trends();
  atOnce(again.decode(written(first), (place) => place));
  const now = START + 40 * HOUR;
  for (const item of [0, 1, 2]) {
    assert.equal(again.counts.score(item), first.counts.score(item));
    assert.equal(again.age(item, now), first.age(item, now));
  }
  assert.deepEqual(again.list(), first.list());
  const slow = trends(100 * HOUR);
  atOnce(slow.decode(written(first), (place) => place));
  for (const item of [0, 1, 2]) assert.ok(near(slow.age(item, now), first.age(item, now)));
  slow.counts.moveTo(now);
  assert.ok(Math.abs(slow.counts.count(0) - 2 ** (-39 / 100)) < 1e-6);
});
