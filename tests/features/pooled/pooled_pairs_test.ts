import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { PAIR_STATISTICS } from "../../../src/features/pooled/pair_statistics.ts";
import { type PooledItem, PooledPairs } from "../../../src/features/pooled/pooled_pairs.ts";
import { type Act, before, naive } from "./naive_pairs.ts";
import { atOnce } from "../../../src/values/portions.ts";

const N = PAIR_STATISTICS.length;
const categoryOf = (item: number) => `c${item % 3}`;
const itemAt = (item: number): PooledItem => ({ id: `i${item}`, categories: [categoryOf(item)] });

const act: fc.Arbitrary<Act> = fc.record({
  user: fc.constantFrom("u0", "u1", "u2"),
  item: fc.nat(7),
  // Out of order: a user's clock may go backwards.
  time: fc.integer({ min: 0, max: 5_000_000 }),
  strength: fc.constantFrom(1, 1, -1, 0.5, 2.25, 0),
});
const acts = fc.array(act, { maxLength: 40 });

/** Learns an act after the others. */
function learn(pairs: PooledPairs, past: readonly Act[], { user, item, time, strength }: Act): void {
  const context = before(past, user);
  const category = itemAt(item).categories[0] ?? null;
  const from = context.size === 0 ? undefined : itemAt(context.items[0]!).categories[0];
  const step = from === undefined || category === null ? null : [from, category] as const;
  pairs.learn({ item, time, liked: strength > 0, detail: { strength, category }, context, step });
}

function features(
  pairs: PooledPairs,
  past: readonly Act[],
  user: string,
  time: number,
  items: readonly number[],
) {
  const out = new Float32Array(N * items.length);
  const write = pairs.poolFor(before(past, user), time);
  items.forEach((item, n) => write(item, out, n * N));
  return out;
}

/** Items in order of their ids; tests have no more. */
const ORDER = Array.from({ length: 400 }, (_, item) => item).sort((a, b) => (`i${a}` < `i${b}` ? -1 : 1));

/** @param at index of each item */
function encoded(pairs: PooledPairs, at: (item: number) => number = (item) => item): Uint8Array {
  const to = new ByteWriter();
  const order = ORDER.map(at);
  const rank = new Uint32Array(400);
  order.forEach((item, place) => rank[item] = place);
  atOnce(pairs.encode(to, order, rank));
  return to.toBytes();
}

const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8];

Deno.test("PooledPairs.poolFor() equals the formulas over the whole past", () => {
  fc.assert(
    fc.property(acts, fc.constantFrom("u0", "u1", "u9"), fc.nat(6_000_000), (acts, user, time) => {
      const pairs = new PooledPairs(itemAt);
      const halfLives: number[] = [];
      acts.forEach((act, n) => {
        halfLives.push(pairs.halfLifeMs);
        learn(pairs, acts.slice(0, n), act);
      });
      const got = features(pairs, acts, user, time, ALL);
      for (const [n, candidate] of ALL.entries()) {
        const halfLife = pairs.halfLifeMs;
        const want = naive(acts, { user, time, candidate, categoryOf, halfLives, halfLife });
        for (const [f, { name }] of PAIR_STATISTICS.entries()) {
          const difference = Math.abs(got[n * N + f]! - want[name]!);
          assert.ok(
            difference < 1e-4 * (1 + Math.abs(want[name]!)),
            `${name}: ${got[n * N + f]}, not ${want[name]}`,
          );
        }
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("PooledPairs.poolFor() changes no state, and its results do not depend on later behaviours", () => {
  fc.assert(
    fc.property(acts, acts, (past, future) => {
      const [asked, quiet] = [new PooledPairs(itemAt), new PooledPairs(itemAt)];
      const given: Float32Array[] = [];
      [...past, ...future].forEach((act, n, all) => {
        const so = all.slice(0, n);
        given.push(features(asked, so, act.user, act.time, ALL));
        learn(asked, so, act);
        learn(quiet, so, act);
      });
      assert.deepEqual(encoded(asked), encoded(quiet));
      const alone = new PooledPairs(itemAt);
      past.forEach((act, n) => {
        const so = past.slice(0, n);
        assert.deepEqual(features(alone, so, act.user, act.time, ALL), given[n]);
        learn(alone, so, act);
      });
    }),
    { numRuns: 20 },
  );
});

Deno.test("PooledPairs continues bit for bit when restored at any point with other item indices", () => {
  fc.assert(
    fc.property(acts, fc.nat(40), (acts, at) => {
      const whole = new PooledPairs(itemAt);
      let restored = new PooledPairs(itemAt);
      const other = (item: number) => 399 - item;
      acts.forEach((act, n) => {
        const so = acts.slice(0, n);
        if (n === at) {
          const from = new ByteReader(encoded(restored));
          restored = new PooledPairs((index) => itemAt(other(index)));
          atOnce(restored.decode(from, (place) => other(ORDER[place]!)));
          assert.ok(from.done);
        }
        learn(whole, so, act);
        const moved = (each: Act) => n < at ? each : { ...each, item: other(each.item) };
        const context = before(so.map(moved), act.user);
        const category = categoryOf(act.item);
        const previous = before(so, act.user);
        const step = previous.size === 0 ? null : [categoryOf(previous.items[0]!), category] as const;
        const { time, strength } = act;
        restored.learn({
          item: moved(act).item,
          time,
          liked: strength > 0,
          context,
          step,
          detail: { strength, category },
        });
      });
      assert.deepEqual(encoded(restored, at < acts.length ? other : undefined), encoded(whole));
    }),
    { numRuns: 30 },
  );
});

Deno.test("PooledPairs keeps within its bytes, and evicts the same pairs after a restore", () => {
  const bytes = 40_000;
  const run = (stop: number) => {
    let pairs = new PooledPairs(itemAt, { bytes });
    const random = mulberry32(3);
    const past: Act[] = [];
    for (let n = 0; n < 3000; n++) {
      const [user, item] = [`u${n % 5}`, Math.floor(400 * random())];
      const act: Act = { user, item, time: n * 60_000, strength: random() - 0.3 };
      learn(pairs, past.slice(-250), act);
      past.push(act);
      assert.ok(pairs.bytes <= bytes, `${pairs.bytes} bytes`);
      if (n !== stop) continue;
      const from = encoded(pairs);
      pairs = new PooledPairs(itemAt, { bytes });
      atOnce(pairs.decode(new ByteReader(from), (place) => ORDER[place]!));
    }
    return encoded(pairs);
  };
  assert.deepEqual(run(2000), run(-1));
});

Deno.test("PooledPairs stays finite and bounded, whatever it is given", () => {
  const many = Array.from({ length: 5000 }, (_, n) => `kind ${n}`);
  const pairs = new PooledPairs((item) => ({ id: `${item}`, categories: many }), { bytes: 60_000 });
  const context = {
    size: 100_000,
    items: Uint32Array.from({ length: 100_000 }, (_, n) => n),
    times: new Float64Array(100_000).fill(8.64e15),
    strengths: new Float32Array(100_000).fill(-10),
  };
  for (const time of [0, 8.64e15, -8.64e15, 5]) {
    for (let item = 0; item < 300; item++) {
      const detail = { strength: 10, category: `kind ${item}` };
      pairs.learn({ item, time, liked: true, detail, context, step: ["kind 0", `kind ${item}`] });
    }
    const out = new Float32Array(N);
    const started = pairs.bytes;
    pairs.poolFor(context, time)(7, out, 0);
    assert.ok(out.every((value) => Number.isFinite(value)), `${out}`);
    assert.ok(started <= 60_000);
  }
});

Deno.test("PooledPairs features are 0 without categories or without behaviours", () => {
  const pairs = new PooledPairs((item) => ({ id: `i${item}`, categories: [] }));
  const past: Act[] = [];
  for (let n = 0; n < 60; n++) {
    const act = { user: `u${n % 3}`, item: (n * n) % 8, time: n * 1000, strength: 1 };
    const context = before(past, act.user);
    pairs.learn({ item: act.item, time: act.time, liked: true, context, step: null });
    past.push(act);
  }
  const out = features(pairs, past, "u1", 61_000, ALL);
  for (const [f, { name, needs }] of PAIR_STATISTICS.entries()) {
    const values = new Set(ALL.map((_, n) => out[n * N + f]));
    if (needs === "categories") assert.deepEqual([...values], [0], name);
  }
  assert.ok(out.some((value) => value !== 0));
  assert.ok(features(pairs, past, "nobody", 61_000, ALL).every((value) => value === 0));
});

Deno.test("PooledPairs.decode() refuses other formats and truncated bytes", () => {
  for (const bytes of [[1], [9], [2, 0]]) {
    assert.throws(
      () => atOnce(new PooledPairs(itemAt).decode(new ByteReader(Uint8Array.from(bytes)), () => 0)),
      SyntaxError,
    );
  }
});

Deno.test("PooledPairs.clone() does not change when more is learnt", () => {
  fc.assert(
    fc.property(acts, acts, (earlier, later) => {
      const pairs = new PooledPairs(itemAt, { bytes: 20_000 }), past: Act[] = [];
      const learnAll = (acts: readonly Act[]) => {
        for (const act of acts) {
          learn(pairs, past, act);
          past.push(act);
        }
      };
      learnAll(earlier);
      const bytes = encoded(pairs), clone = pairs.clone();
      learnAll(later);
      assert.deepEqual(encoded(clone), bytes);
    }),
  );
});
