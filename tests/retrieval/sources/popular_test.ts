import assert from "node:assert/strict";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { Catalogue } from "../../../src/items/catalogue.ts";
import { ItemLists } from "../../../src/retrieval/items/item_lists.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { settle } from "../../../src/options/option.ts";
import { SOURCE_OPTIONS, sourceParts } from "../../../src/retrieval/sources/parts.ts";
import { THIS_HOUR } from "../../../src/retrieval/sources/popular.ts";

const HOUR_MS = 3_600_000;

Deno.test("THIS_HOUR proposes what was wanted, halved every hour, and not what was only read", () => {
  const catalogue = new Catalogue(DEFAULT_SCHEMA);
  const lists = new ItemLists(catalogue, {});
  const parts = sourceParts(catalogue, lists, settle(SOURCE_OPTIONS, { trendHalfLifeMs: 24 * HOUR_MS }));
  const source = THIS_HOUR.create(parts);
  const [old, young, read] = ["old", "young", "read"].map((id) => catalogue.intern(id, 0).index);
  const learn = (item: number, time: number, wanted: boolean, times: number) => {
    for (let n = 0; n < times; n++) {
      source.learn!({ user: `u${n}`, item, time, liked: true, wanted, step: null, context: contextOf([]) });
    }
  };
  learn(old!, 0, true, 10);
  learn(read!, 4 * HOUR_MS, false, 50);
  learn(young!, 4 * HOUR_MS, true, 2);
  source.ask!({ user: null, context: contextOf([]), time: 4 * HOUR_MS, allowed: () => true });
  assert.deepEqual(source.propose(10, () => true), [young, old]);
  const scores = new Float64Array(3);
  assert.ok(Math.abs(source.score([old!, young!, read!], scores) - 2) < 1e-9);
  assert.ok(Math.abs(scores[0]! - 10 / 16) < 1e-9 && scores[2] === 0, `${scores}`);
});
