import assert from "node:assert/strict";
import type { ItemLists } from "../../src/retrieval/items/item_lists.ts";
import { placed, sameAnywhere, TraitLifts, type Values } from "../../src/retrieval/items/trait_lifts.ts";

const counts = [4, 2, 1];
const lists = {
  popular: () => Uint32Array.from(counts.keys()),
  popularity: { count: (item: number) => counts[item]! },
} as unknown as ItemLists;
const behaviours = (...items: number[]) => ({ size: items.length, items });

/** ln((c + 1) / (m s + 1)). */
const lift = (c: number, m: number, s: number) => Math.log((c + 1) / (m * s + 1));

function assertLifts(lifts: TraitLifts, expected: readonly number[]): void {
  assert.deepEqual(
    expected.map((_, item) => lifts.of(item).toFixed(12)),
    expected.map((value) => value.toFixed(12)),
  );
}

Deno.test("TraitLifts compares a user's share of a trait with that of popular items, each split among its traits", () => {
  const values: readonly Values[] = [["red"], ["red", "blue"], ["blue"], ["green"], []];
  const lifts = new TraitLifts(lists, (item) => values[item]!, sameAnywhere);
  assert.ok(lifts.ask(behaviours(2, 2, 1, 4)));
  const [red, blue] = [lift(0.5, 3, 5 / 7), lift(2.5, 3, 2 / 7)];
  assertLifts(lifts, [red, (red + blue) / 2, blue, 0, 0]);
  assert.ok(lifts.ask(behaviours(0)));
  assertLifts(lifts, [
    lift(1, 1, 5 / 7),
    (lift(1, 1, 5 / 7) + lift(0, 1, 2 / 7)) / 2,
    lift(0, 1, 2 / 7),
    0,
    0,
  ]);
  assert.ok(!lifts.ask(behaviours(4)), "no behaviour has traits");
  assert.ok(!lifts.ask(behaviours()));
});

Deno.test("TraitLifts tells equal values of different fields apart, and follows an item that changes", () => {
  const values: Values[] = [["red", null], [null, "red"], ["red", "red"]];
  const lifts = new TraitLifts(lists, (item) => values[item]!, placed);
  assert.ok(lifts.ask(behaviours(0)));
  const [first, second] = [lift(1, 1, 4.5 / 7), lift(0, 1, 2.5 / 7)];
  assertLifts(lifts, [first, second, (first + second) / 2]);
  values[0] = [null, "red"];
  assert.ok(lifts.ask(behaviours(1)));
  const [rare, usual] = [lift(0, 1, 0.5 / 7), lift(1, 1, 6.5 / 7)];
  assertLifts(lifts, [usual, usual, (rare + usual) / 2]);
});

Deno.test("TraitLifts forgets traits once there are too many, and then renumbers those that are still in use", () => {
  const values: Values[] = [["red"], ["blue"], ["brand"]];
  let named = 0;
  const nameOf = (value: string) => {
    if (value === "red") named++;
    return value;
  };
  const lifts = new TraitLifts(lists, (item) => values[item]!, nameOf);
  for (let change = 0; change < 100_000; change++) {
    values[2] = [`brand ${change}`];
    lifts.ask(behaviours(0, 2));
  }
  assert.equal(named, 2);
  assertLifts(lifts, [lift(1, 2, 4 / 7), lift(0, 2, 2 / 7), lift(1, 2, 1 / 7)]);
});
