import assert from "node:assert/strict";
import fc from "fast-check";
import { Retrieval } from "../../src/scorer/retrieval.ts";
import { Catalogue } from "../../src/state/catalogue.ts";

const SCHEMA = { userFields: [], itemFields: [], contextFields: [], crosses: [] };
const OPTIONS = { maxCandidates: 6, listSizes: { popular: 3, category: 2, fresh: 3 } };

const operation = fc.record({
  item: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
  do: fc.constantFrom("list", "list", "raise", "raise", "raise", "remove"),
  categories: fc.subarray(["x", "y"]),
  hidden: fc.boolean(),
  time: fc.integer({ min: 0, max: 50 }),
});

Deno.test("Retrieval() gives what a fresh one gives from the same items whatever happened before", () => {
  fc.assert(fc.property(fc.array(operation, { size: "max", maxLength: 50 }), (operations) => {
    const catalogue = new Catalogue(SCHEMA);
    const retrieval = new Retrieval(OPTIONS);
    operations.forEach(({ item, do: what, categories, hidden, time }, n) => {
      if (what === "raise") retrieval.raise(catalogue.intern(item, time), time);
      else if (what === "list") retrieval.add(catalogue.apply({ item, time, categories, hidden }));
      else retrieval.add(catalogue.remove(item, time));
      if (n % 3 > 0) return;
      const fresh = new Retrieval(OPTIONS);
      for (const known of [...catalogue.items()].reverse()) fresh.add(known);
      const all = (of: Retrieval) => of.candidates(["x", "y"], () => true);
      assert.deepEqual(all(retrieval), all(fresh));
    });
  }));
});

Deno.test("Retrieval.candidates() takes in turn from categories, popular and new items, each item once", () => {
  const catalogue = new Catalogue(SCHEMA);
  const retrieval = new Retrieval();
  const list = (item: string, time: number, category: string, positives: number) => {
    const known = catalogue.apply({ item, time, category });
    retrieval.add(known);
    for (let n = 0; n < positives; n++) retrieval.raise(known, 100);
  };
  list("x1", 1, "x", 5);
  list("x2", 2, "x", 1);
  list("y1", 3, "y", 4);
  list("z1", 4, "z", 9);
  list("new", 9, "z", 0);
  assert.deepEqual(
    retrieval.candidates(["y", "x", "y", "none"], () => true).map(({ item, source }) => `${source} ${item}`),
    ["category y1", "category x1", "popular z1", "new new", "category x2"],
  );
  assert.deepEqual(retrieval.candidates(["x"], (id) => id !== "x1" && id !== "z1").map(({ item }) => item), [
    "new",
    "x2",
    "y1",
  ]);
  assert.deepEqual(new Retrieval().candidates(["x"], () => true), []);
});

Deno.test("Retrieval.candidates() gives at most maxCandidates", () => {
  const catalogue = new Catalogue(SCHEMA);
  const retrieval = new Retrieval({ maxCandidates: 4 });
  for (let i = 0; i < 20; i++) retrieval.add(catalogue.apply({ item: `i${i}`, time: i }));
  assert.deepEqual(retrieval.candidates([], () => true).map(({ item }) => item), [
    "i19",
    "i18",
    "i17",
    "i16",
  ]);
});

Deno.test("Retrieval() ranks recent positives above older ones when their numbers are equal", () => {
  const catalogue = new Catalogue(SCHEMA);
  const retrieval = new Retrieval({ halfLifeMs: 10 });
  for (const [item, time] of [["old", 0], ["old", 0], ["old", 0], ["recent", 20]] as const) {
    retrieval.raise(catalogue.intern(item, time), time);
  }
  assert.deepEqual(retrieval.candidates([], () => true).map(({ item }) => item), ["recent", "old"]);
});
