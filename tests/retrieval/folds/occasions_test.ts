import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { OCCASION_KINDS, Occasions } from "../../../src/retrieval/folds/occasions.ts";
import { Pace } from "../../../src/retrieval/items/pace.ts";
import { type Before, contextOf } from "../../../src/retrieval/signals/context.ts";
import { atOnce } from "../../../src/values/portions.ts";

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const START = Math.floor(1_741_860_000_000 / DAY) * DAY;
const [HOURS, PAUSES, STAGES] = ["usual hour", "usual pause", "usual stage"].map((name) => {
  return OCCASION_KINDS.indexOf(name);
}) as [number, number, number];

/** A behaviour of a user, after those in `before`. */
const signal = (item: number, time: number, before: readonly Before[] = [], wanted = true) => ({
  user: "u",
  item,
  time,
  liked: true,
  wanted,
  step: null,
  context: contextOf(before),
});

/** The lift of items on an occasion; 0 for those without one. */
function lifts(of: Occasions, kind: number, time: number, before: readonly Before[] = [], items = [0, 1, 2]) {
  const all = items.map(() => 0);
  of.lifts(kind, { time, context: contextOf(before) }, { items, count: items.length }, (place, lift) => {
    all[place] = lift;
  });
  return all;
}

/** Learns one item in the morning and another in the evening of each of some days. */
function days(of: Occasions, from: number, to: number, morning = 0, evening = 1): Occasions {
  for (let day = from; day < to; day++) {
    of.learn(signal(morning, START + day * DAY + 8 * HOUR));
    of.learn(signal(evening, START + day * DAY + 20 * HOUR));
  }
  return of;
}

Deno.test("Occasions.lifts() is ln((c_o + 5 s_o)/((c + 5) s_o)), and 0 where nothing is known", () => {
  const occasions = new Occasions(new Pace(), Infinity);
  assert.deepEqual(lifts(occasions, HOURS, START), [0, 0, 0]);
  days(occasions, 0, 10);
  const share = (10 + 1 / 2) / (20 + 4);
  const [own, other, none] = lifts(occasions, HOURS, START + 10 * DAY + 7 * HOUR) as [number, number, number];
  assert.ok(Math.abs(own - Math.log((10 / share + 5) / 15)) < 1e-6, `${own}`);
  assert.ok(Math.abs(other - Math.log(5 / 15)) < 1e-6, `${other}`);
  assert.equal(none, 0);
});

Deno.test("Occasions tells hours, pauses and stages apart", () => {
  const occasions = new Occasions();
  const before = (size: number, gap: number, time: number) =>
    Array.from({ length: size }, (_, x) => ({ item: 5 + x, time: time - gap - x * MINUTE }));
  for (let n = 0; n < 20; n++) {
    const time = START + n * DAY;
    occasions.learn(signal(0, time, []));
    occasions.learn(signal(1, time, before(3, 10_000, time)));
    occasions.learn(signal(2, time, before(30, 5 * HOUR, time)));
  }
  const best = (kind: number, size: number, gap: number) => {
    const time = START + 30 * DAY, all = lifts(occasions, kind, time, before(size, gap, time));
    return all.indexOf(Math.max(...all));
  };
  assert.deepEqual([best(STAGES, 0, 0), best(STAGES, 4, 0), best(STAGES, 20, 0)], [0, 1, 2]);
  assert.deepEqual([best(PAUSES, 0, 0), best(PAUSES, 9, 20_000), best(PAUSES, 9, 6 * HOUR)], [0, 1, 2]);
  const [a, b, c] = lifts(occasions, HOURS, START) as [number, number, number];
  assert.ok(a > 0 && a < 0.1 && a === b && b === c, "all of them were at midnight");
});

Deno.test("Occasions.learn() ignores behaviours that are not wanted, and counts repeats less", () => {
  const morning = START + 8 * HOUR, evening = START + 20 * HOUR;
  const once = new Occasions(), often = new Occasions(), aside = new Occasions();
  for (const occasions of [once, often, aside]) days(occasions, 0, 10);
  for (let n = 0; n < 100; n++) aside.learn(signal(0, evening, [], false));
  const own: Before[] = [];
  for (let n = 0; n < 100; n++) {
    often.learn(signal(0, evening + n, own.slice(0, 40)));
    own.unshift({ item: 0, time: evening + n });
  }
  for (let n = 0; n < 6; n++) once.learn(signal(0, evening));
  assert.deepEqual(lifts(aside, HOURS, morning), lifts(days(new Occasions(), 0, 10), HOURS, morning));
  assert.ok(
    lifts(often, HOURS, morning)[0]! > lifts(once, HOURS, morning)[0]!,
    "100 repeats count less than six users",
  );
});

Deno.test("Occasions.lifts() is the same however long ago the stream began", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.constantFrom(HOUR, DAY, 90 * DAY), (weeks, half) => {
      const old = new Occasions(new Pace(), half), young = days(new Occasions(new Pace(), half), 0, 20);
      const ago = START - 7 * weeks * DAY;
      // An item that nobody came back to.
      old.learn(signal(9, ago + 8 * HOUR));
      old.learn(signal(9, ago + 20 * HOUR));
      days(old, 0, 20);
      for (const hour of [1, 7, 19]) {
        const [own, others] = [old, young].map((of) => lifts(of, HOURS, START + 20 * DAY + hour * HOUR));
        for (const [item, lift] of own!.entries()) {
          assert.ok(Number.isFinite(lift) && Math.abs(lift - others![item]!) < 0.3, `${own} ${others}`);
        }
      }
    }),
  );
});

Deno.test("Occasions follows users whose habits have changed, after any number of half-lives", () => {
  for (const halfLives of [4, 40, 400]) {
    const occasions = days(new Occasions(new Pace(), 90 * DAY / halfLives), 0, 60);
    days(occasions, 60, 200, 1, 0);
    const [morning, evening] = [7, 19].map((hour) =>
      lifts(occasions, HOURS, START + 200 * DAY + hour * HOUR)
    );
    assert.ok(
      morning![1]! > morning![0]! && evening![0]! > evening![1]!,
      `${halfLives}: ${morning} ${evening}`,
    );
  }
});

Deno.test("Occasions.lifts() is finite at any time", () => {
  const occasions = days(new Occasions(new Pace(), HOUR), 0, 30);
  for (const time of [0, START / 2, START, START * 1.1, START * 100]) {
    for (const kind of [HOURS, PAUSES, STAGES]) {
      const all = lifts(occasions, kind, time, [{ item: 1, time: START }]);
      assert.ok(all.every((lift) => Number.isFinite(lift) && Math.abs(lift) < 10), `${time}: ${all}`);
    }
  }
});

function bytesOf(of: Occasions, items: readonly number[]): Uint8Array {
  const to = new ByteWriter(), rank = new Uint32Array(Math.max(...items) + 1);
  items.forEach((item, place) => rank[item] = place);
  atOnce(of.encode(to, items, rank));
  return to.toBytes();
}

Deno.test("Occasions.encode() writes only counts above 0; decode() reads format 1, which has all, as the same", () => {
  const first = days(new Occasions(), 0, 30);
  for (let n = 0; n < 9; n++) first.learn(signal(2, START + n * HOUR, [{ item: 0, time: START - n * DAY }]));
  const bytes = bytesOf(first, [0, 1, 2]);
  const sparse = new ByteReader(bytes), dense = new ByteWriter();
  dense.f64(sparse.f64()).f64(sparse.f64()).uint(sparse.uint());
  let zeros = 0;
  for (let n = 0; n < 3; n++) {
    dense.uint(sparse.uint());
    const which = sparse.uint(), all = new Float32Array(25);
    for (let column = 0; column < 25; column++) {
      if ((which >> column & 1) === 0) zeros++;
      else assert.notEqual(all[column] = sparse.f32(), 0);
    }
    dense.f32s(all);
  }
  const sums = sparse.f64s(25);
  assert.ok(sparse.done);
  const old = dense.f64s(sums).toBytes();
  assert.equal(bytes.length, old.length - 4 * zeros + 3 * 4, "the bits of an item take 4 bytes");
  const again = new Occasions();
  atOnce(again.decode(new ByteReader(old), (place) => place, 1));
  assert.deepEqual(bytesOf(again, [0, 1, 2]), bytes);
});

Deno.test("Occasions.decode() continues as if never interrupted, whatever indices items have then", () => {
  const first = days(new Occasions(), 0, 30, 0, 300);
  const again = new Occasions();
  atOnce(again.decode(new ByteReader(bytesOf(first, [0, 300])), (place) => 1 - place, 2));
  const time = START + 31 * DAY + 8 * HOUR;
  assert.deepEqual(lifts(again, HOURS, time, [], [1, 0]), lifts(first, HOURS, time, [], [0, 300]));
  first.learn(signal(0, time));
  again.learn(signal(1, time));
  assert.deepEqual(lifts(again, HOURS, time, [], [1, 0]), lifts(first, HOURS, time, [], [0, 300]));
});

Deno.test("Occasions.clone() does not change with what the original learns later", () => {
  const occasions = days(new Occasions(new Pace(), DAY), 0, 20);
  const bytes = bytesOf(occasions, [0, 1]), clone = occasions.clone();
  days(occasions, 20, 60);
  assert.notDeepEqual(bytesOf(occasions, [0, 1]), bytes);
  assert.deepEqual(bytesOf(clone, [0, 1]), bytes);
});

/** Starts of days, months and years, leap days or not, and any times between. */
const TIMES = fc.oneof(
  fc.record({
    year: fc.integer({ min: 1990, max: 2099 }),
    day: fc.constantFrom([0, 1], [1, 29], [2, 1], [2, 29], [9, 25], [11, 31]),
    hour: fc.integer({ min: 0, max: 23 }),
    ms: fc.constantFrom(-1, 0, 1),
  }).map(({ year, day: [month, day], hour, ms }) => Date.UTC(year, month!, day, hour) + ms),
  fc.integer({ min: 631_152_000_000, max: 4_102_444_799_999 }),
);

Deno.test("Occasions.lifts() is above 0 in the same three hours of UTC on any date, even if clocks go back", () => {
  const part = (time: number) => Math.floor(new Date(time).getUTCHours() / 3);
  fc.assert(
    fc.property(TIMES, TIMES, fc.constantFrom(-HOUR, -1, 0, 1, HOUR), (taken, asked, gap) => {
      const before = (time: number) => [{ item: 1, time: time - gap }];
      const occasions = new Occasions(new Pace(), Infinity);
      occasions.learn(signal(0, taken, before(taken)));
      const [hour] = lifts(occasions, HOURS, asked, before(asked)) as [number];
      assert.ok(part(taken) === part(asked) ? hour > 0 : hour < 0, `${hour}`);
      const [same] = lifts(occasions, PAUSES, asked, before(asked)) as [number];
      const [other] = lifts(occasions, PAUSES, asked, before(asked - DAY)) as [number];
      assert.ok(same > 0 && other < 0, `${same} ${other}`);
    }),
  );
});
