import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { readDictionary } from "../../src/codec/dictionary.ts";
import { ListDictionary } from "../../src/codec/list_dictionary.ts";
import { type PendingRow, PendingRows, type RowOutcome } from "../../src/users/pending/pending_rows.ts";
import { readRows, writeRows } from "../../src/users/pending/pending_rows_codec.ts";

const WIDTH = 3;
const lists = fc.array(fc.constantFrom("a", "b"), { maxLength: 2 });
const double = fc.double({ noNaN: true, noDefaultInfinity: true });
const anyRow: fc.Arbitrary<PendingRow> = fc.record({
  item: fc.nat(300),
  categories: lists,
  fields: lists,
  numerics: fc.float32Array({ minLength: WIDTH, maxLength: WIDTH, noNaN: true }),
  offset: fc.constantFrom(-1.5, 0, -0, 0.1),
  logit: double,
  label: fc.constantFrom(0 as const, 1 as const, null),
  closed: fc.boolean(),
  position: fc.nat(200),
  propensity: fc.constantFrom(1, 0.25),
  oracle: fc.constantFrom(NaN, 0.5),
}).chain((row) =>
  fc.record({
    late: fc.constant(true),
    reward: fc.constantFrom(2.5, -1),
    team: fc.constantFrom(0 as const, 1 as const),
  }, { requiredKeys: [] }).map((optional) => ({ ...row, ...optional }))
);
const outcomes = fc.array(fc.record({
  row: fc.nat(5),
  outcome: fc.record({
    label: fc.constantFrom(0 as const, 1 as const),
    explicit: fc.boolean(),
    reward: fc.constantFrom(0, 3),
  }),
}));

/** What an outcome makes of a row. */
function answered(row: PendingRow, { label, explicit, reward = 0 }: RowOutcome): PendingRow {
  const sum = (row.reward ?? 0) + reward;
  const { reward: _before, ...rest } = row;
  return {
    ...rest,
    label: label === 1 ? 1 : row.label ?? 0,
    closed: row.closed || explicit,
    ...(sum === 0 ? {} : { reward: sum }),
  };
}

Deno.test("PendingRows gives what was put in and what outcomes make of it, and its codec the same", () => {
  fc.assert(fc.property(fc.array(anyRow, { maxLength: 6 }), outcomes, (given, events) => {
    const rows = PendingRows.of(given);
    const want = given.slice();
    for (const { row, outcome } of events) {
      if (row >= want.length) continue;
      want[row] = answered(want[row]!, outcome);
      rows.answer(row, outcome);
    }
    assert.deepEqual([...rows], want);
    assert.equal(rows.length, want.length);
    for (const { item } of want) assert.equal(rows.find(item), want.findIndex((row) => row.item === item));
    assert.equal(rows.find(999), -1);

    const words = new ListDictionary();
    const [head, body] = [new ByteWriter(), new ByteWriter()];
    writeRows(body, rows, { lists: words, numberOf: (index) => index });
    words.encode(head);
    const reader = new ByteReader(body.toBytes());
    const read = readRows(reader, {
      format: 11,
      itemAt: (at) => at,
      lists: readDictionary(new ByteReader(head.toBytes()), (list) => JSON.parse(list) as readonly string[]),
    });
    assert.deepEqual([...read], want);
    assert.ok(reader.done);
  }));
});

Deno.test("PendingRows.clickLate() marks a row once, and add() refuses a row of another width", () => {
  const features = { categories: [], fields: [], numerics: new Float32Array(WIDTH), offset: 0 };
  const rows = new PendingRows(2, WIDTH);
  assert.equal(rows.add(features, 7, 0.5), 0);
  rows.draft(0, 1);
  for (const _ of [1, 2]) rows.clickLate(0);
  assert.deepEqual([rows.isLate(0), rows.label(0), rows.team(0), rows.propensity(0)], [true, null, 1, 1]);
  const other = { ...features, numerics: new Float32Array(2) };
  assert.throws(() => rows.add(other, 8, 0), /2 numeric features to those of 3/);
});
