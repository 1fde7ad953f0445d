import assert from "node:assert/strict";
import { forEachPair, pairPrefixes } from "../../src/features/pairs.ts";

Deno.test("forEachPair() names each pair of a prefix with a category or a crossed field that is there", () => {
  const keys: string[] = [];
  const row = { categories: ["x", "y"], fields: ["red", null, "s"] };
  forEachPair(pairPrefixes("ann", [null, "40"]), row, [2, 1], (prefix, suffix) => keys.push(prefix + suffix));
  assert.deepEqual(keys, ["uann\0cx", "uann\0cy", "uann\0a2=s", "f1=40\0cx", "f1=40\0cy", "f1=40\0a2=s"]);
});
