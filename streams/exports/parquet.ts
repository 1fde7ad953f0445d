/** Lines of exported records as a Parquet file, a group of rows at a time. */

import { type ColumnKind, type Columns, isOfKind } from "./columns.ts";

/** Approximate size of a group, rows and characters; memory holds one and its encoded form. */
const GROUP = { rows: 50_000, length: 8 << 20 };
/** The column for all fields without one. */
const MORE = "more";

const TYPES = {
  text: "STRING",
  time: "TIMESTAMP",
  whole: "INT64",
  number: "DOUBLE",
  json: "JSON",
} as const satisfies Record<ColumnKind, string>;

type Row = Readonly<Record<string, unknown>>;

/** Joins lines into a file. The library is loaded on first use. */
export async function* parquetOf(lines: AsyncIterable<string>, columns: Columns): AsyncGenerator<Uint8Array> {
  const { ByteWriter, ParquetWriter, schemaFromColumnData } = await import("hyparquet-writer");
  const all = { ...columns, [MORE]: "json" } as const;
  const columnData = (rows: readonly Row[]) =>
    Object.entries<ColumnKind>(all).map(([name, kind]) => ({
      name,
      type: TYPES[kind],
      data: rows.map((row) => cellOf(row[name], kind)),
      nullable: true,
    }));
  const to = new ByteWriter();
  const writer = new ParquetWriter({
    writer: to,
    schema: schemaFromColumnData({ columnData: columnData([]) }),
  });
  const take = () => {
    const bytes = to.getBytes().slice();
    to.index = 0;
    return bytes;
  };
  let rows: Row[] = [];
  let length = 0;
  const group = () => {
    writer.write({ columnData: columnData(rows), rowGroupSize: rows.length });
    [rows, length] = [[], 0];
    return take();
  };
  for await (const line of lines) {
    rows.push(rowOf(JSON.parse(line), columns));
    length += line.length;
    if (rows.length >= GROUP.rows || length >= GROUP.length) yield group();
  }
  if (rows.length > 0) yield group();
  writer.finish();
  yield take();
}

/** A record as a row: fields that fit no column are in {@linkcode MORE}. */
function rowOf(record: Row, columns: Columns): Row {
  const row: Record<string, unknown> = {};
  const more: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) {
    const kind = columns[name];
    (kind !== undefined && isOfKind(value, kind) ? row : more)[name] = value;
  }
  return Object.keys(more).length === 0 ? row : { ...row, [MORE]: more };
}

function cellOf(value: unknown, kind: ColumnKind): unknown {
  if (value === undefined) return null;
  if (kind === "time") return new Date(Number(value));
  return kind === "whole" ? BigInt(Number(value)) : value;
}
