import assert from "node:assert/strict";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { Catalogue } from "../../../src/items/catalogue.ts";
import { settle } from "../../../src/options/option.ts";
import { PairLists } from "../../../src/retrieval/head/pair_lists.ts";
import { ItemLists } from "../../../src/retrieval/items/item_lists.ts";
import { PROPERTIES } from "../../../src/retrieval/properties.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { SOURCE_OPTIONS, sourceParts } from "../../../src/retrieval/sources/parts.ts";
import { SOURCES } from "../../../src/retrieval/sources/registry.ts";

const START = 1_741_860_000_000;
const parts = { neighbours: undefined as never, lists: undefined as never };

Deno.test("PairLists has one value per name, and throws when a name has two", () => {
  const features = [...SOURCES, ...PROPERTIES].map(({ name }) => name);
  const { candidates } = new PairLists(parts, features).names;
  assert.equal(new Set(candidates).size, features.length + 2);
  assert.throws(() => new PairLists(parts, ["popular", "pause"]), {
    name: "RangeError",
    message: "Cannot make pair lists: pause names two values",
  });
});

Deno.test("PairLists.make() leaves out features that the head does not read", () => {
  const lists = new ItemLists(new Catalogue(DEFAULT_SCHEMA), {});
  const lone = sourceParts(new Catalogue(DEFAULT_SCHEMA), lists, settle(SOURCE_OPTIONS, {}));
  const some = new PairLists(lone, ["a", "b", "c"], ["b"]);
  assert.deepEqual(some.names.candidates, ["a", "c", "behaviours", "pause"]);
  const request = { user: null, context: contextOf([]), time: START, allowed: () => true };
  const values = Float64Array.of(1, 2, 3, 4, 5, 6);
  const scores = Float64Array.of(0, 2);
  const ranked = { places: [1, 0], items: [7, 8], values, scores, middle: 1.5 };
  const { candidates, K, scores: centred } = some.make(request, ranked);
  assert.deepEqual([...candidates], [4, 6, 0, 0, 1, 3, 0, 0]);
  assert.deepEqual([...centred], [0.5, -1.5]);
  assert.equal(K, 2);
});
