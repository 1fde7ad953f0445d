import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { readDictionary } from "../../src/codec/dictionary.ts";
import { ListDictionary } from "../../src/codec/list_dictionary.ts";
import { type ItemFeatures, type RowOutcome, Rows } from "../../src/samples/rows.ts";
import { readRows, writeRows } from "../../src/users/pending/pending_rows_codec.ts";

const WIDTH = 3;
const lists = fc.array(fc.constantFrom("a", "b"), { maxLength: 2 });
const fields = fc.array(fc.constantFrom("a", "b", null), { maxLength: 2 });
const double = fc.double({ noNaN: true, noDefaultInfinity: true });

/** The values of a row. */
interface Given {
  readonly item: ItemFeatures;
  readonly numerics: Float32Array;
  readonly offset: number;
  readonly logit: number;
  readonly label: 0 | 1 | null;
  readonly closed: boolean;
  readonly late: boolean;
  readonly position: number;
  readonly propensity: number;
  readonly oracle: number;
  readonly reward: number;
  readonly team: 0 | 1 | undefined;
}

const anyRow: fc.Arbitrary<Given> = fc.record({
  item: fc.record({ index: fc.nat(300), id: fc.constant("i"), categories: lists, fields }, {
    noNullPrototype: true,
  }),
  numerics: fc.float32Array({ minLength: WIDTH, maxLength: WIDTH, noNaN: true }),
  offset: fc.constantFrom(-1.5, 0, -0, 0.1),
  logit: double,
  label: fc.constantFrom(0 as const, 1 as const, null),
  closed: fc.boolean(),
  late: fc.boolean(),
  position: fc.nat(200),
  propensity: fc.constantFrom(1, 0.25),
  oracle: fc.constantFrom(NaN, 0.5),
  reward: fc.constantFrom(0, 2.5, -1),
  team: fc.constantFrom(0 as const, 1 as const, undefined),
}, { noNullPrototype: true });
const outcomes = fc.array(fc.record({
  row: fc.nat(5),
  outcome: fc.record({
    label: fc.constantFrom(0 as const, 1 as const),
    explicit: fc.boolean(),
    reward: fc.constantFrom(0, 3),
  }),
}));

function rowsOf(given: readonly Given[]): Rows {
  const rows = new Rows(given.length, WIDTH);
  for (const { item, numerics, offset, logit, ...value } of given) {
    const row = rows.add(item, offset, logit);
    rows.numerics.set(numerics, row * WIDTH);
    rows.place(row, value.position, value.propensity);
    rows.setOracle(row, value.oracle);
    if (value.label !== null) rows.answer(row, { label: value.label, explicit: false });
    if (value.closed) rows.close(row);
    if (value.late) rows.clickLate(row);
    rows.setReward(row, value.reward);
    if (value.team !== undefined) rows.draft(row, value.team);
  }
  return rows;
}

/** Everything in the rows. */
function saidBy(rows: Rows): Given[] {
  return rows.map(({ numerics, offset, position, propensity, oracle, reward, team, label }, row) => ({
    item: rows.items[row]!,
    numerics,
    offset,
    position,
    propensity,
    oracle,
    reward,
    team,
    logit: rows.logit(row),
    label: rows.isOpen(row) ? null : label,
    closed: rows.isClosed(row),
    late: rows.isLate(row),
  }));
}

/** A row changed by an outcome. */
function answered(row: Given, { label, explicit, reward = 0 }: RowOutcome): Given {
  return {
    ...row,
    label: label === 1 ? 1 : row.label ?? 0,
    closed: row.closed || explicit,
    reward: row.reward + reward,
  };
}

Deno.test("Rows return what was added, changed by its outcomes, also after encoding and decoding", () => {
  fc.assert(fc.property(fc.array(anyRow, { maxLength: 6 }), outcomes, (given, events) => {
    const rows = rowsOf(given);
    const want = given.slice();
    for (const { row, outcome } of events) {
      if (row >= want.length) continue;
      want[row] = answered(want[row]!, outcome);
      rows.answer(row, outcome);
    }
    assert.deepEqual(saidBy(rows), want);
    for (const { item } of want) {
      assert.equal(rows.find(item.index), want.findIndex((row) => row.item.index === item.index));
    }
    assert.equal(rows.find(999), -1);
    const backwards = [...want.keys()].reverse();
    assert.deepEqual(saidBy(rows.pick(backwards)), backwards.map((row) => want[row]));

    const words = new ListDictionary();
    const [head, body] = [new ByteWriter(), new ByteWriter()];
    writeRows(body, rows, { lists: words, numberOf: (index) => index });
    words.encode(head);
    const reader = new ByteReader(body.toBytes());
    const read = readRows(reader, {
      itemAt: (index, categories, fields) => ({ index, id: "i", categories, fields }),
      lists: readDictionary(new ByteReader(head.toBytes()), (list) => JSON.parse(list) as readonly string[]),
    });
    assert.deepEqual(saidBy(read), want);
    assert.ok(reader.done);
  }));
});

Deno.test("Rows without outcomes are open, have no position, and can be marked as clicked late", () => {
  const rows = new Rows(1, 0);
  assert.equal(rows.add({ index: 7, id: "i", categories: [], fields: [] }, 0, 0.5), 0);
  rows.draft(0, 1);
  for (const _ of [1, 2]) rows.clickLate(0);
  assert.deepEqual([rows.isLate(0), rows.isOpen(0), rows.label(0), rows.team(0)], [true, true, 0, 1]);
  assert.deepEqual([rows.position(0), rows.propensity(0), rows.prediction(0)], [
    -1,
    1,
    1 / (1 + Math.exp(-0.5)),
  ]);
});

Deno.test("Rows.clear() makes room for longer lists", () => {
  const rows = new Rows(0, 2);
  for (const length of [3, 1, 50]) {
    rows.clear(length);
    for (let row = 0; row < length; row++) {
      rows.numerics.fill(row, 2 * row, 2 * row + 2);
      rows.add({ index: row, id: `i${row}`, categories: [], fields: [] }, row, 0);
    }
    assert.deepEqual(
      rows.map(({ item, numerics: [x, y], offset }) => [item, x, y, offset]),
      Array.from({ length }, (_, row) => [`i${row}`, row, row, row]),
    );
  }
});

Deno.test("Rows.of() refuses rows of different widths, and Rows.at() a row that does not exist", () => {
  assert.throws(
    () =>
      Rows.of([{ item: "a", numerics: new Float32Array(3) }, { item: "b", numerics: new Float32Array(2) }]),
    /2 numeric features to those of 3/,
  );
  assert.throws(() => Rows.of([{ item: "a" }]).at(1), /Cannot read row 1: there are 1/);
});
