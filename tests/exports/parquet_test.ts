/** Parquet files contain the same as the lines; another library than the one that writes reads them back. */

import assert from "node:assert/strict";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { COLUMNS, type Columns } from "../../streams/exports/columns.ts";
import { CONTENTS } from "../../streams/exports/contents.ts";
import { parquetOf } from "../../streams/exports/parquet.ts";

/** The file of some records. */
async function fileOf(records: readonly unknown[], columns: Columns): Promise<ArrayBuffer> {
  const lines = (async function* () {
    for (const record of records) yield JSON.stringify(record);
  })();
  return await new Blob(await Array.fromAsync(parquetOf(lines, columns)) as BlobPart[]).arrayBuffer();
}

/** The records of a file: columns that have a value, and what is in `more`. */
async function recordsOf(file: ArrayBuffer): Promise<Record<string, unknown>[]> {
  const rows = await parquetReadObjects({ file });
  return rows.map(({ more, ...row }) => {
    const filled = Object.entries(row).filter(([, value]) => value !== null && value !== undefined);
    const plain = filled.map(([name, value]) => [
      name,
      value instanceof Date ? value.getTime() : typeof value === "bigint" ? Number(value) : value,
    ]);
    return { ...Object.fromEntries(plain), ...more };
  });
}

const TIME = Date.UTC(2026, 0, 1);
const EVENTS = [
  { type: "interaction", user: "ünïcødé \u{1F600}", time: TIME, item: "i1", action: "click", value: 0.1 },
  {
    type: "request",
    user: "u2",
    time: TIME + 1,
    request: "r1",
    count: 3,
    filter: { where: [] },
    context: { hour: 7 },
  },
  {
    type: "impression",
    user: "u2",
    time: TIME + 2,
    request: "r1",
    items: ["i1", "i2"],
    propensities: [0.25, 1],
  },
  { type: "forget", user: "u2", time: TIME + 3 },
];

Deno.test("parquetOf() keeps every record, whatever its fields", async () => {
  assert.deepEqual(Object.keys(COLUMNS), Object.keys(CONTENTS));
  const file = await fileOf(EVENTS, COLUMNS.events);
  assert.deepEqual(await recordsOf(file), EVENTS);
  const odd = [{ time: 0.5, user: null, count: "three", items: [], new: { deep: [1, null] } }, {}, {
    time: 9e15,
  }];
  assert.deepEqual(await recordsOf(await fileOf(odd, COLUMNS.events)), odd, "values that fit no column");
});

Deno.test("parquetOf() writes columns with standard types, and files without rows", async () => {
  const { schema, num_rows: rows } = parquetMetadata(await fileOf(EVENTS, COLUMNS.events));
  const types = Object.fromEntries(
    schema.slice(1).map(({ name, type, converted_type: of }) => [name, of ?? type]),
  );
  assert.equal(rows, 4n);
  assert.equal(types["time"], "TIMESTAMP_MILLIS");
  assert.equal(types["user"], "UTF8");
  assert.equal(types["value"], "DOUBLE");
  assert.equal(types["count"], "INT64");
  assert.equal(types["more"], "JSON");
  for (const columns of Object.values(COLUMNS)) {
    const none = await fileOf([], columns);
    assert.equal(parquetMetadata(none).num_rows, 0n);
  }
});

Deno.test("parquetOf() writes rows in several groups", async () => {
  const text = "x".repeat(1 << 20);
  const records = Array.from({ length: 20 }, (_, n) => ({ user: `u${n}`, time: n, action: `${n}${text}` }));
  const file = await fileOf(records, COLUMNS.events);
  assert.equal(parquetMetadata(file).row_groups.length, 3);
  assert.deepEqual(await recordsOf(file), records);
});
