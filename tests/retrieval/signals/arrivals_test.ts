import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { ARRIVALS, Arrivals, FLOOD } from "../../../src/retrieval/signals/arrivals.ts";

const START = 1_741_860_000_000, MINUTE = 60_000;

/** Wanted behaviours from `START` on, `gapMs` apart. @returns The time after the last one */
function arrive(arrivals: Arrivals, count: number, gapMs: number, from = START): number {
  for (let n = 0; n < count; n++) arrivals.learn({ time: from + n * gapMs, wanted: true });
  return from + count * gapMs;
}

Deno.test("Arrivals.perSecond() approaches the rate of the stream, and halves in ten minutes without any", () => {
  for (const gapMs of [40, 1000, 30_000]) {
    const arrivals = new Arrivals(ARRIVALS);
    const time = arrive(arrivals, 7_200_000 / gapMs, gapMs);
    const rate = arrivals.perSecond(time) * gapMs / 1000;
    assert.ok(Math.abs(rate - 1) < 0.03, `${rate} of the rate`);
    assert.ok(Math.abs(arrivals.perSecond(time + 10 * MINUTE) / arrivals.perSecond(time) - 1 / 2) < 1e-9);
  }
});

Deno.test("Arrivals.perSecond() is 0 at first, and stays low after a hundred behaviours within a minute", () => {
  const arrivals = new Arrivals(ARRIVALS);
  assert.equal(arrivals.perSecond(START), 0);
  arrivals.learn({ time: START, wanted: false });
  assert.equal(arrivals.perSecond(START), 0);
  const time = arrive(arrivals, 100, 600);
  assert.ok(arrivals.perSecond(time) < 0.12, `${arrivals.perSecond(time)}`);
});

Deno.test("Arrivals counts late behaviours at the time of the newest one", () => {
  const [late, now] = [new Arrivals(ARRIVALS), new Arrivals(ARRIVALS)];
  for (const arrivals of [late, now]) arrivals.learn({ time: START, wanted: true });
  late.learn({ time: START - 60 * MINUTE, wanted: true });
  now.learn({ time: START, wanted: true });
  assert.equal(late.perSecond(START), now.perSecond(START));
  assert.equal(late.perSecond(START - MINUTE), late.perSecond(START));
});

Deno.test("Arrivals.decode() restores the rate bit for bit", () => {
  const arrivals = new Arrivals(ARRIVALS), restored = new Arrivals(ARRIVALS);
  const time = arrive(arrivals, 37, 12_345);
  const to = new ByteWriter();
  arrivals.encode(to);
  restored.decode(new ByteReader(to.toBytes()));
  for (const each of [arrivals, restored]) arrive(each, 11, 777, time);
  assert.equal(restored.perSecond(time + MINUTE), arrivals.perSecond(time + MINUTE));
  assert.ok(arrivals.perSecond(time) > 0);
});

Deno.test("Arrivals.perSecond() reaches half the rate of a flood in ten seconds, and forgets it within a minute", () => {
  const flood = new Arrivals(FLOOD);
  const time = arrive(flood, 50_000, 0.2);
  assert.ok(Math.abs(flood.perSecond(time) / 5000 - 1 / 2) < 0.01, `${flood.perSecond(time)}`);
  assert.ok(flood.perSecond(time + MINUTE) < 40);
});
