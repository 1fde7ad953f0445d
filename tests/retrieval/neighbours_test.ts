import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { NeighbourRow } from "../../src/retrieval/neighbour_row.ts";
import { FAR, NEAR, Neighbours, type NeighboursOptions, TOGETHER } from "../../src/retrieval/neighbours.ts";
import type { Signal } from "../../src/retrieval/signal.ts";

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
    step: null,
    context: {
      items: before.map(([item]) => item),
      times: before.map(([, time]) => time),
      liked: before.map(([, , liked]) => liked ?? true),
    },
  };
}

function bytes(of: Neighbours, items: number): Uint8Array {
  const order = Array.from({ length: items }, (_, item) => item);
  const to = new ByteWriter();
  of.encode(to, order, Uint32Array.from(order));
  return to.toBytes();
}

Deno.test("NeighbourRow() holds what a Map would", () => {
  const operation = fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 9 }), fc.boolean());
  fc.assert(fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
    const row = new NeighbourRow();
    const want = new Map<number, number>();
    for (const [item, amount, prunes] of operations) {
      row.add(item, amount, 2 * amount, 0);
      want.set(item, (want.get(item) ?? 0) + amount);
      if (prunes && amount === 9) {
        row.retain((slot) => row.weight(slot, 0) > 5);
        for (const [known, sum] of want) if (sum <= 5) want.delete(known);
      }
      assert.equal(row.size, want.size);
    }
    for (let item = 0; item <= 40; item++) {
      assert.equal(row.get(item, 0), want.get(item) ?? 0);
      assert.equal(row.get(item, 1), 2 * (want.get(item) ?? 0));
    }
  }));
});

Deno.test("Neighbours.learn() counts pairs by distance and by time, in both directions", () => {
  const neighbours = new Neighbours();
  neighbours.learn(signal(1, 2 * HOUR, [[2, HOUR], [3, 2 * HOUR, false]]), byId);
  const row = neighbours.row(1)!;
  const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);
  close(row.get(2, FAR), 0.5);
  close(row.get(3, FAR), 0.93);
  close(row.get(2, NEAR), 2 ** -60);
  close(row.get(3, NEAR), 0.97);
  assert.deepEqual([row.get(2, TOGETHER), row.get(3, TOGETHER)], [1, 0]);
  assert.equal(neighbours.row(2)?.get(1, FAR), row.get(2, FAR));
  assert.deepEqual([neighbours.count(1), neighbours.count(2)], [1, 0]);
});

Deno.test("Neighbours.learn() pairs no item with itself and ignores what is too long ago", () => {
  const neighbours = new Neighbours();
  neighbours.learn(signal(1, 100 * HOUR, [[1, 100 * HOUR], [2, HOUR, false]]), byId);
  assert.equal(neighbours.row(1)?.size, 0);
  assert.equal(neighbours.row(2), undefined);
});

Deno.test("Neighbours.learn() keeps the order of weights over many half-lives", () => {
  const neighbours = new Neighbours({ halfLifeMs: HOUR });
  for (let n = 0; n < 3; n++) neighbours.learn(signal(1, 0, [[2, 0]]), byId);
  neighbours.learn(signal(1, 100 * HOUR, [[3, 100 * HOUR]]), byId);
  const unit = neighbours.unit(100 * HOUR);
  assert.ok(Number.isFinite(unit) && unit <= 2 ** 32);
  assert.equal(neighbours.row(1)!.get(3, FAR) / unit, 1);
  assert.ok(neighbours.row(1)!.get(2, FAR) / unit < 1e-20);
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
  Deno.test(`Neighbours.decode() goes on as if nothing had happened, ${JSON.stringify(options)}`, () => {
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
        second.decode(new ByteReader(bytes(first, 201)), (rank) => rank);
        for (const each of signals.slice(at)) second.learn(each, byId);
        assert.deepEqual(bytes(second, 201), bytes(whole, 201));
      }),
      { numRuns: options.bytes === undefined ? 50 : 500 },
    );
  });
}
