import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { everyRow } from "../../streams/sqlite/every_row.ts";

Deno.test("everyRow() yields all rows, and throws where one cannot be read instead of ending as if it were the last", () => {
  using db = new DatabaseSync(":memory:");
  db.exec("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), (2), (9007199254740993), (4)");
  const rows = (sql: string, count: number, ...values: number[]) =>
    Array.from(everyRow({ statement: db.prepare(sql), values, count }), ({ a }) => a);
  assert.deepEqual(rows("SELECT a FROM t WHERE rowid < 3", 2), [1, 2]);
  assert.deepEqual(rows("SELECT a FROM t WHERE rowid < ?", 1, 2), [1]);
  assert.throws(() => rows("SELECT a FROM t", 4), /Cannot read 4 rows from SQLite: it ends after 2/);
  for (const { a } of everyRow({ statement: db.prepare("SELECT a FROM t"), count: 4 })) {
    assert.equal(a, 1);
    break;
  }
});
