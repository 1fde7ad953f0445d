import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import {
  FAR,
  NEAR,
  Neighbours,
  type NeighboursOptions,
  TOGETHER,
} from "../../../src/retrieval/folds/neighbours.ts";
import type { Signal } from "../../../src/retrieval/signals/signal.ts";
import { atOnce } from "../../../src/values/portions.ts";

const HOUR = 3_600_000;
const byId = (a: number, b: number) => a - b;

function signal(
  item: number,
  time: number,
  before: readonly (readonly [number, number, boolean?])[],
  liked = true,
): Signal {
  return {
    user: "u",
    item,
    time,
    liked,
    wanted: true,
    step: null,
    context: contextOf(before.map(([item, time, liked = true]) => ({ item, time, liked }))),
  };
}

function bytes(of: Neighbours, items: number): Uint8Array {
  const order = Array.from({ length: items }, (_, item) => item);
  const to = new ByteWriter();
  atOnce(of.encode(to, order, Uint32Array.from(order)));
  return to.toBytes();
}

Deno.test("Neighbours.learn() counts pairs by distance and by time, in both directions", () => {
  const neighbours = new Neighbours();
  neighbours.learn(signal(1, 2 * HOUR, [[2, HOUR], [3, 2 * HOUR, false]]), byId);
  const { rows } = neighbours;
  const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);
  close(rows.get(1, 2, FAR), 0.5);
  close(rows.get(1, 3, FAR), 0.93);
  close(rows.get(1, 2, NEAR), 2 ** -60);
  close(rows.get(1, 3, NEAR), 0.97);
  assert.deepEqual([rows.get(1, 2, TOGETHER), rows.get(1, 3, TOGETHER)], [1, 0]);
  assert.equal(rows.get(2, 1, FAR), rows.get(1, 2, FAR));
  assert.deepEqual([neighbours.count(1), neighbours.count(2)], [1, 0]);
});

Deno.test("Neighbours.learn() pairs no item with itself, and ignores what was too long ago", () => {
  const neighbours = new Neighbours();
  neighbours.learn(signal(1, 100 * HOUR, [[1, 100 * HOUR], [2, HOUR, false]]), byId);
  assert.equal(neighbours.rows.size(1), 0);
  assert.ok(!neighbours.rows.has(2));
});

Deno.test("Neighbours.learn() keeps the order of weights over many half-lives", () => {
  const neighbours = new Neighbours({ halfLifeMs: HOUR });
  for (let n = 0; n < 3; n++) neighbours.learn(signal(1, 0, [[2, 0]]), byId);
  neighbours.learn(signal(1, 100 * HOUR, [[3, 100 * HOUR]]), byId);
  const unit = neighbours.unit(100 * HOUR);
  assert.ok(Number.isFinite(unit) && unit <= 2 ** 32);
  assert.equal(neighbours.rows.get(1, 3, FAR) / unit, 1);
  assert.ok(neighbours.rows.get(1, 2, FAR) / unit < 1e-20);
});

const story = fc.array(
  fc.record({
    item: fc.nat(200),
    gap: fc.nat(10 * 60_000),
    liked: fc.boolean(),
    before: fc.array(fc.tuple(fc.nat(200), fc.nat(HOUR)), { maxLength: 6 }),
  }),
  { minLength: 1, maxLength: 80 },
);
const TIGHT: NeighboursOptions = { bytes: 12_000, limit: 16, halfLifeMs: 60_000 };

for (const options of [{}, TIGHT]) {
  Deno.test(`Neighbours.decode() continues as if never interrupted, ${JSON.stringify(options)}`, () => {
    fc.assert(
      fc.property(story, fc.nat(), (story, cut) => {
        let time = 0;
        const signals = story.map(({ item, gap, liked, before }) => {
          time += gap;
          return signal(item, time, before.map(([other, ago]) => [other, time - ago]), liked);
        });
        const whole = new Neighbours(options);
        for (const each of signals) {
          whole.learn(each, byId);
          if (options.bytes !== undefined) assert.ok(whole.bytes <= options.bytes, `${whole.bytes} bytes`);
        }
        const first = new Neighbours(options);
        const at = cut % signals.length;
        for (const each of signals.slice(0, at)) first.learn(each, byId);
        const second = new Neighbours(options);
        atOnce(second.decode(new ByteReader(bytes(first, 201)), (rank) => rank));
        for (const each of signals.slice(at)) second.learn(each, byId);
        assert.deepEqual(bytes(second, 201), bytes(whole, 201));
      }),
      { numRuns: options.bytes === undefined ? 50 : 500 },
    );
  });
}

Deno.test("Neighbours.learn() counts far pairs of a common item as often as those of a rare one, on average", () => {
  const neighbours = new Neighbours({ halfLifeMs: 1e15 });
  const before = Array.from({ length: 40 }, (_, x) => [x + 1, 0] as const);
  for (let n = 0; n < 6000; n++) neighbours.learn(signal(0, 0, before), byId);
  for (let x = 0; x < 40; x++) {
    for (const [item, other] of [[0, x + 1], [x + 1, 0]] as const) {
      const mean = neighbours.rows.get(item, other, FAR) / 6000;
      assert.ok(Math.abs(mean / 0.93 ** x - 1) < 0.01, `${x} behaviours ago: ${mean}`);
      assert.ok(Math.abs(neighbours.rows.get(item, other, TOGETHER) / 6000 - 1) < 0.01);
    }
  }
});

Deno.test("Neighbours keeps counting when a float32 cannot hold the sum", () => {
  const large = 2 ** 24, times = 4000;
  const to = new ByteWriter().f64(0).uint(4096).uint(9).uint(2);
  for (const [item, other] of [[1, 2], [2, 1]] as const) {
    to.uint(item).f64(large).f64(large).uint(item).uint(1).uint(other).f32(large).f32(large).f32(large);
  }
  const neighbours = new Neighbours({ halfLifeMs: 1e15 });
  atOnce(neighbours.decode(new ByteReader(to.toBytes()), (rank) => rank));
  for (let n = 0; n < times; n++) neighbours.learn(signal(1, HOUR, [[2, HOUR]]), byId);
  assert.ok(Math.abs(neighbours.count(1) - large - times) < 1e-3);
  for (const which of [FAR, NEAR, TOGETHER]) {
    for (const [item, other] of [[1, 2], [2, 1]] as const) {
      const grown = neighbours.rows.get(item, other, which) - large;
      assert.ok(Math.abs(grown - times) < 0.01 * times, `${grown} of ${which}`);
    }
  }
});
