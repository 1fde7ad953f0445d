import assert from "node:assert/strict";
import { ScoredList, ScratchRows } from "../../src/scorer/scored_list.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";

const catalogue = new Catalogue(DEFAULT_SCHEMA);
const items = ["a", "b", "c"].map((id) => catalogue.intern(id, 0));
const head = {
  ...{ request: "r", shown: false, time: 0, deadline: 1, sequence: 0, version: 1, newUser: true },
  ...{ userFields: [], contextFields: [] },
  history: {
    ...{ items: [], categories: [], actions: [] },
    ...{ times: new Float64Array(0), strengths: new Float32Array(0) },
  },
};

/** A list of the first items, with features that say whose they are. */
function scored(rows: ScratchRows, logits: readonly number[]): ScoredList {
  rows.take(logits.length).forEach((row, place) => {
    row.numerics.fill(place);
    row.offset = 10 + place;
  });
  return new ScoredList(head, items.slice(0, logits.length), rows, Float32Array.from(logits));
}

Deno.test("ScoredList.addRow() copies what is remembered of an item, and no more when the next list is scored", () => {
  const scratch = new ScratchRows(2);
  const list = scored(scratch, [0.5, 1, 2]);
  const rows = list.room(1);
  assert.equal(list.addRow(rows, 1, 3), 0);
  const { rows: all } = list.pending();
  scored(scratch, [7]);
  const features = {
    item: items[1]!.index,
    categories: [],
    fields: [],
    numerics: Float32Array.of(1, 1),
    offset: 11,
  };
  const open = { ...features, label: null, closed: false, oracle: NaN };
  assert.deepEqual([...rows], [{ ...open, logit: 3, position: 0, propensity: 1 }]);
  assert.deepEqual(all.at(1), { ...open, logit: 1, position: 0, propensity: 1 });
  assert.equal(all.length, 3);
  assert.throws(() => list.addRow(rows, 0, 0), /scored another one since/);
});

Deno.test("ScoredList.logits are the prior's where a model has run away", () => {
  assert.deepEqual([...scored(new ScratchRows(1), [NaN, 0.5, Infinity]).logits], [10, 0.5, 12]);
});
