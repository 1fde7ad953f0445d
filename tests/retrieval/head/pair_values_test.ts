import assert from "node:assert/strict";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { Catalogue } from "../../../src/items/catalogue.ts";
import { ItemLists } from "../../../src/retrieval/items/item_lists.ts";
import { PAIR_VALUES } from "../../../src/retrieval/head/pair_values.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { FAR, NEAR, Neighbours, TOGETHER } from "../../../src/retrieval/folds/neighbours.ts";

Deno.test("PAIR_VALUES has the counts of pairs in the rows, whether it scans a row or looks items up", () => {
  const neighbours = new Neighbours();
  const before = Array.from({ length: 8 }, (_, x) => ({ item: 0, time: 1000 - x }));
  // Item 0 is met with 40 others, item 1 with 5.
  for (let item = 2; item < 42; item++) {
    const past = item < 7 ? [...before, { item: 1, time: 990, liked: item % 2 === 0 }] : before;
    neighbours.learn({
      user: "u",
      item,
      time: 1000,
      liked: true,
      wanted: true,
      step: null,
      context: contextOf(past),
    }, (
      a,
      b,
    ) => a - b);
  }
  const { rows } = neighbours;
  assert.deepEqual([rows.size(0), rows.size(1)], [40, 5]);
  const fill = PAIR_VALUES[0]!.create({ neighbours, lists: undefined as never });
  const context = contextOf([{ item: 0, time: 1000 }, { item: 1, time: 990 }]);
  for (const K of [3, 40, 60]) {
    const items = Uint32Array.from({ length: K }, (_, i) => 2 + i);
    const values = new Float32Array(2 * K * 3);
    fill({ context, H: 2, items, time: 1000 }, { values, column: 0, columns: 3 });
    for (let pair = 0; pair < 2 * K; pair++) {
      const [behaviour, item] = [pair % 2, items[pair >> 1]!];
      for (const which of [FAR, NEAR, TOGETHER]) {
        const want = Math.log1p(rows.get(behaviour, item, which) / neighbours.unit(1000));
        assert.ok(Math.abs(values[3 * pair + which]! - want) < 1e-6, `${K} ${behaviour} ${item} ${which}`);
      }
    }
  }
});

Deno.test("PAIR_VALUES has a cosine of categories that counts duplicates once, and is 0 without any", () => {
  const named = [["a", "b"], [], ["b", "c", "b"], ["c"], ["d", "a", "b", "e"]];
  const catalogue = new Catalogue(DEFAULT_SCHEMA);
  const lists = new ItemLists(catalogue);
  for (const [n, categories] of named.entries()) {
    const item = catalogue.intern(`${n}`, 0);
    item.describe(categories, item.fields);
    lists.add(item);
  }
  const fill = PAIR_VALUES[1]!.create({ neighbours: undefined as never, lists });
  const context = contextOf(named.map((_, item) => ({ item, time: 0 })));
  const items = Uint32Array.from(named.keys());
  for (let n = 0; n < 2; n++) {
    const values = new Float32Array(25);
    fill({ context, H: 5, items, time: 0 }, { values, column: 0, columns: 1 });
    const want = named.flatMap((own) =>
      named.map((theirs) => {
        const common = new Set(own).intersection(new Set(theirs)).size;
        return Math.fround(common / (Math.sqrt(own.length || 1) * Math.sqrt(theirs.length || 1)));
      })
    );
    assert.deepEqual([...values], want);
  }
});
