import { learnerSettings } from "../../src/learner/learner_options.ts";
import assert from "node:assert/strict";
import { UNKNOWN_ROW } from "../../src/embeddings/rows.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { TrainedTables } from "../../src/learner/trained_tables.ts";

Deno.test("TrainedTables() names the option and its smallest valid value when the tables do not fit", () => {
  const make = (tableBytes: number) =>
    new TrainedTables(
      learnerSettings({ schema: DEFAULT_SCHEMA, embeddingWidth: 16, admitAfter: 2, tableBytes }),
    );
  let least = NaN;
  assert.throws(() => make(1000), (error) => {
    assert.ok(error instanceof RangeError);
    assert.match(error.message, /learner\.tableBytes: current value is 1000, the least .* is \d+$/);
    least = Number(/\d+$/.exec(error.message));
    return true;
  });
  make(least);
  assert.throws(() => make(least - 1), /learner\.tableBytes/);
});

Deno.test("TrainedTables admits items after admitItemsAfter uses, and everything else after admitAfter", () => {
  const uses = (options: object) => {
    const tables = new TrainedTables(
      learnerSettings({ schema: DEFAULT_SCHEMA, embeddingWidth: 2, ...options }),
    );
    return Object.fromEntries(["item", "first:item", "category", "first:user"].map((name) => {
      const table = tables.gather.get(name)!;
      let count = 1;
      while (table.rowOf("x") === UNKNOWN_ROW) count++;
      return [name, count];
    }));
  };
  const all = (items: number, others: number) => {
    return { item: items, "first:item": items, category: others, "first:user": others };
  };
  assert.deepEqual(uses({}), all(1, 1));
  assert.deepEqual(uses({ admitAfter: 2 }), all(2, 2));
  assert.deepEqual(uses({ admitItemsAfter: 3 }), all(3, 1));
  assert.deepEqual(uses({ admitAfter: 2, admitItemsAfter: 1 }), all(1, 2));
});
