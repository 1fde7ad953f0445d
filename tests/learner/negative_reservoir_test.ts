import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { SampleHistory } from "../../src/samples/sample.ts";
import { NegativeReservoir } from "../../src/learner/auxiliary_negatives.ts";

const EMPTY: SampleHistory = {
  items: [],
  categories: [],
  actions: [],
  times: new Float64Array(),
  strengths: new Float32Array(),
};

function take(reservoir: NegativeReservoir, ...items: string[]): NegativeReservoir {
  for (const item of items) {
    reservoir.update({ ...EMPTY, items: ["older", item], categories: [[], [`c${item}`]] });
  }
  return reservoir;
}

function draws(reservoir: NegativeReservoir, n: number, positive = ""): string[] {
  return Array.from({ length: n }, () => reservoir.draw(positive).item);
}

Deno.test("NegativeReservoir.draw() never returns the positive, whatever is in the reservoir", () => {
  fc.assert(fc.property(fc.array(fc.constantFrom("a", "b", "c")), fc.nat(), (items, seed) => {
    const reservoir = take(new NegativeReservoir(5, seed), ...items);
    for (const item of draws(reservoir, 20, "a")) assert.ok(item !== "a" && [...items, ""].includes(item));
  }));
});

Deno.test("NegativeReservoir.draw() returns the padding entry when there is no negative", () => {
  assert.deepEqual(new NegativeReservoir(5, 1).draw("a"), { item: "", categories: [] });
  assert.deepEqual(take(new NegativeReservoir(5, 1), "a", "a").draw("a"), { item: "", categories: [] });
});

Deno.test("NegativeReservoir.draw() returns items in proportion to how often they were added", () => {
  const reservoir = take(new NegativeReservoir(10, 3), "a", "b", "b", "b");
  const count = draws(reservoir, 4000).filter((item) => item === "b").length;
  // Four standard deviations of a binomial count around 3000.
  assert.ok(Math.abs(count - 3000) < 4 * Math.sqrt(4000 * 0.75 * 0.25), `${count}`);
});

Deno.test("NegativeReservoir.update() keeps the newest items when full, and ignores an empty history", () => {
  const reservoir = take(new NegativeReservoir(2, 1), "a", "b", "c");
  reservoir.update(EMPTY);
  assert.deepEqual(new Set(draws(reservoir, 50)), new Set(["b", "c"]));
  assert.deepEqual(reservoir.draw("b"), { item: "c", categories: ["cc"] });
});

Deno.test("NegativeReservoir.decode() continues the same draws", () => {
  fc.assert(fc.property(fc.array(fc.string()), fc.array(fc.string()), fc.nat(9), (before, after, drawn) => {
    const whole = take(new NegativeReservoir(4, 9), ...before);
    draws(whole, drawn);
    const writer = new ByteWriter();
    whole.encode(writer);
    const restored = new NegativeReservoir(4, 9);
    restored.decode(new ByteReader(writer.toBytes()));
    assert.deepEqual(draws(take(restored, ...after), 10), draws(take(whole, ...after), 10));
  }));
});
