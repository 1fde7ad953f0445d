import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { ItemScores } from "../../../src/retrieval/items/item_scores.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import type { Signal } from "../../../src/retrieval/signals/signal.ts";
import { Followers } from "../../../src/retrieval/sources/followers.ts";
import { atOnce } from "../../../src/values/portions.ts";

const DAY_MS = 86_400_000;
const BYTES = 1 << 20;
const byId = (a: number, b: number) => a - b;

function signal(item: number, time: number, before: readonly number[]): Signal {
  const context = contextOf(before.map((item) => ({ item, time: time - DAY_MS })));
  return { user: "u", item, time, liked: true, wanted: true, step: null, context };
}

function scoresOf(followers: Followers, before: readonly number[]): Record<number, number> {
  const scores = new ItemScores();
  followers.score(contextOf(before.map((item) => ({ item, time: 0 }))), scores);
  return Object.fromEntries([...scores.items()].map((item) => [item, scores.get(item)]));
}

function bytesOf(followers: Followers, items: number): Uint8Array {
  const order = Array.from({ length: items }, (_, item) => item);
  const to = new ByteWriter();
  atOnce(followers.encode(to, order, Uint32Array.from(order)));
  return to.toBytes();
}

function near(got: Record<number, number>, want: Record<number, number>): void {
  assert.deepEqual(Object.keys(got), Object.keys(want));
  for (const [item, score] of Object.entries(want)) {
    assert.ok(Math.abs(got[Number(item)]! - score) < 1e-6, `${item}: ${got[Number(item)]}, wanted ${score}`);
  }
}

Deno.test("Followers.score() adds up what came after the newest behaviours, nearer ones more, in this order only", () => {
  const followers = new Followers(BYTES, 1e15);
  followers.learn(signal(1, 0, []), byId);
  followers.learn(signal(2, 1, [1]), byId);
  followers.learn(signal(3, 2, [2, 1]), byId);
  near(scoresOf(followers, [1]), { 2: 1, 3: 1 / 2 });
  near(scoresOf(followers, [2]), { 3: 1 });
  near(scoresOf(followers, [3]), {});
  near(scoresOf(followers, [2, 1]), { 2: 0.7, 3: 1 + 0.7 / 2 });
  followers.learn(signal(1, 3, [1, 3]), byId); // counts half, and does not follow itself
  near(scoresOf(followers, [1]), { 2: 2 / 3, 3: 1 / 3 });
  near(scoresOf(followers, [3]), { 1: 1 / 4 });
});

Deno.test("Followers halves old counts with time, over any number of half-lives", () => {
  const followers = new Followers(BYTES, DAY_MS);
  const learn = (item: number, days: number, before: readonly number[]) =>
    followers.learn(signal(item, days * DAY_MS, before), byId);
  learn(1, 0, []);
  learn(2, 0, [1]);
  learn(1, 100, []);
  learn(3, 100, [1]);
  const { 2: old = 0, 3: young } = scoresOf(followers, [1]);
  assert.ok(old < 1e-25 && Math.abs(young! - 1) < 1e-6, `${old} ${young}`);
});

Deno.test("Followers stays within its bytes, whatever it learns, and continues the same when decoded", () => {
  const random = mulberry32(6);
  const items = 3000;
  const draw = () => Math.floor(items * random() ** 2);
  const one = new Followers(BYTES / 4, DAY_MS);
  let newest: number[] = [];
  const teach = (all: readonly Followers[], from: number, to: number) => {
    for (let n = from; n < to; n++) {
      const item = draw();
      for (const each of all) each.learn(signal(item, n * 60_000, newest), byId);
      newest = [item, ...newest].slice(0, 12);
    }
  };
  teach([one], 0, 6000);
  assert.ok(one.bytes <= BYTES / 4, `${one.bytes}`);
  const again = new Followers(BYTES / 4, DAY_MS);
  const from = new ByteReader(bytesOf(one, items));
  atOnce(again.decode(from, (rank) => rank));
  assert.ok(from.done);
  teach([one, again], 6000, 8000);
  assert.deepEqual(bytesOf(again, items), bytesOf(one, items));
});

Deno.test("Followers keeps counting when a float32 cannot hold the sum", () => {
  const large = 2 ** 24, times = 4000;
  const to = new ByteWriter().f64(0).uint(1024).uint(9);
  to.uint(2).uint(1).f64(large).uint(8).uint(2).f64(large).uint(9);
  to.uint(1).uint(1).uint(1).uint(2).f32(large);
  const followers = new Followers(BYTES, 1e15);
  atOnce(followers.decode(new ByteReader(to.toBytes()), (rank) => rank));
  for (let n = 0; n < times; n++) {
    followers.learn(signal(1, 0, []), byId);
    followers.learn(signal(2, 0, [1]), byId);
  }
  const grown = scoresOf(followers, [1])[2]! * (large + times) - large;
  assert.ok(Math.abs(grown - times) < 0.01 * times, `${grown}`);
});
