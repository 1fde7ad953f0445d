import assert from "node:assert/strict";
import { PairLists } from "../../../src/retrieval/head/pair_lists.ts";
import { PROPERTIES } from "../../../src/retrieval/properties.ts";
import { SOURCES } from "../../../src/retrieval/sources/registry.ts";

const parts = { neighbours: undefined as never, lists: undefined as never };

Deno.test("PairLists have one value of each name, and refuse two", () => {
  const features = [...SOURCES, ...PROPERTIES].map(({ name }) => name);
  const { candidates } = new PairLists(parts, features).names;
  assert.equal(new Set(candidates).size, features.length + 2);
  assert.throws(() => new PairLists(parts, ["popular", "pause"]), {
    name: "RangeError",
    message: "Cannot make pair lists: pause names two values",
  });
});
