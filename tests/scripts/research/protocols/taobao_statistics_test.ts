import assert from "node:assert/strict";
import { TaobaoStatistics } from "../../../../scripts/research/protocols/taobao_statistics.ts";

const categories = new Map([["a1", "a"], ["a2", "a"], ["b1", "b"]]);
const HALF_HOUR = 30 * 60_000;

function behavior(user: string, item: string, time: number) {
  return { user, item, category: categories.get(item) ?? "", action: "view", time };
}

function assertClose(got: Float32Array, want: readonly number[]): void {
  const [rounded, wanted] = [got, want].map((numbers) => Array.from(numbers, (x) => x.toFixed(5)));
  assert.deepEqual(rounded, wanted);
}

Deno.test("TaobaoStatistics.numerics() computes each feature from the events so far", () => {
  const statistics = new TaobaoStatistics(categories);
  statistics.update(behavior("u", "a1", 0));
  statistics.update(behavior("u", "b1", HALF_HOUR));
  statistics.update(behavior("v", "a1", HALF_HOUR));
  // a1: half of its first event is left, plus the second; category a follows b never, of one event of b.
  const share = 3 / 4;
  const follows = Math.log((0 + share / 2) / 1.5) - Math.log(share);
  assertClose(statistics.numerics("u", "a1", HALF_HOUR), [
    Math.log1p(1.5),
    Math.log1p(1.5),
    1,
    1,
    0,
    1,
    Math.log1p(1800),
    Math.log1p(2),
    follows,
  ]);
  assertClose(statistics.numerics("v", "a2", HALF_HOUR), [
    0,
    Math.log1p(1.5),
    0,
    1,
    1,
    0,
    Math.log1p(0),
    Math.log1p(1),
    Math.log((0 + share / 2) / 2.5) - Math.log(share),
  ]);
});

Deno.test("TaobaoStatistics.numerics() counts a category that follows the last one", () => {
  const statistics = new TaobaoStatistics(categories);
  statistics.update(behavior("u", "a1", 0));
  statistics.update(behavior("u", "b1", 0));
  statistics.update(behavior("v", "a1", 0));
  const share = 2 / 4;
  const follows = Math.log((1 + share / 2) / 2.5) - Math.log(share);
  assertClose(statistics.numerics("v", "b1", 0).subarray(8), [follows]);
});

Deno.test("TaobaoStatistics.names has a name for every feature", () => {
  const statistics = new TaobaoStatistics(categories);
  assert.equal(statistics.numerics("u", "a1", 0).length, TaobaoStatistics.names.length);
});
