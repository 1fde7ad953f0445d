import assert from "node:assert/strict";
import { ScoredList, ScratchRows } from "../../src/scorer/scored_list.ts";
import { Catalogue } from "../../src/state/catalogue.ts";
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

Deno.test("ScoredList.row() keeps what it gave when the next list is scored, and gives no more then", () => {
  const rows = new ScratchRows(2);
  const list = scored(rows, [0.5, 1, 2]);
  const row = list.row(1);
  const { rows: all } = list.pending();
  scored(rows, [7]);
  assert.deepEqual([row.item, row.logit, row.offset, ...row.numerics], [items[1]?.index, 1, 11, 1, 1]);
  assert.deepEqual(all[1], row);
  assert.equal(all.length, 3);
  assert.throws(() => list.row(0), /scored another one since/);
});

Deno.test("ScoredList.logits are the prior's where a model has run away", () => {
  assert.deepEqual([...scored(new ScratchRows(1), [NaN, 0.5, Infinity]).logits], [10, 0.5, 12]);
});
