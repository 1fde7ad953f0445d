import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { readRecords, RecordFile, RecordFileReader } from "../../streams/backup/record_file.ts";
import type { LogRecord } from "../../streams/log/log.ts";
import { temporaryFolder } from "../scripts/command.ts";

/** What SQLite reads at once. */
const PAGE_BYTES = 4096;
const PLACE = { topic: "t", partition: 3 };

async function written(path: string, parts: readonly (readonly LogRecord[])[]): Promise<Uint8Array> {
  {
    using file = new RecordFile(path);
    for (const records of parts) file.append(records);
    file.flush();
  }
  return await Deno.readFile(path);
}

const read = (path: string) => [...readRecords(path, PLACE)];

Deno.test("readRecords() returns what was appended in parts of any size, and refuses a truncated file", async () => {
  await using folder = await temporaryFolder();
  const record: fc.Arbitrary<LogRecord> = fc.record({
    topic: fc.constant(PLACE.topic),
    partition: fc.constant(PLACE.partition),
    offset: fc.nat(),
    time: fc.maxSafeInteger(),
    key: fc.option(fc.string({ unit: "binary" })),
    headers: fc.dictionary(fc.string().filter((name) => name !== "__proto__"), fc.string(), {
      noNullPrototype: true,
    }),
    value: fc.option(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat(2 * PAGE_BYTES).map((length) => new Uint8Array(length).fill(length)),
      ),
    ),
  }, { noNullPrototype: true });
  let n = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(record, { maxLength: 4 }), { maxLength: 4 }),
      fc.nat(),
      async (parts, cut) => {
        const path = `${folder.path}/${n++}`;
        const bytes = await written(path, parts);
        const records = parts.flat();
        assert.deepEqual(read(path), records);
        await Deno.truncate(path, cut % (bytes.length - PAGE_BYTES + 1));
        assert.throws(() => read(path), SyntaxError);
        await Deno.remove(path);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("RecordFile.append() buffers at most a mebibyte or one part", async () => {
  await using folder = await temporaryFolder();
  using file = new RecordFile(`${folder.path}/file`);
  const value = new Uint8Array(300_000);
  for (let n = 1; n <= 12; n++) {
    file.append([{ ...PLACE, offset: n, time: 0, key: null, headers: {}, value }]);
    const { size } = await Deno.stat(`${folder.path}/file`);
    assert.ok(n * value.length - size <= 1 << 20, `${size} bytes after ${n} records`);
  }
});

Deno.test("readRecords() refuses a database that computes its records, or has others than a log", async () => {
  await using folder = await temporaryFolder();
  const columns = "offset INTEGER, time INTEGER, key BLOB, headers TEXT, value BLOB";
  const endless = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n)";
  const table = `CREATE TABLE records (${columns}) STRICT`;
  const databases = [
    `CREATE VIEW records AS ${endless} SELECT -1 AS offset, 0 AS time, NULL AS key, NULL AS headers, i AS value FROM n`,
    `${table}; CREATE TABLE other (a)`,
    `CREATE TABLE records (${columns})`,
    ...[
      "-1, 0, NULL, NULL",
      "NULL, 0, NULL, NULL",
      "0, NULL, NULL, NULL",
      "9007199254740993, 0, NULL, NULL",
      "0, 0, NULL, '[1]'",
      "0, 0, NULL, '{\"a\": 1}'",
      "0, 0, NULL, 'x'",
    ].map((row) => `${table}; INSERT INTO records VALUES (${row}, NULL)`),
  ];
  for (const [n, sql] of databases.entries()) {
    const path = `${folder.path}/${n}`;
    {
      using db = new DatabaseSync(path);
      db.exec(sql);
    }
    assert.throws(() => read(path), SyntaxError, sql);
    if (n < 3) assert.throws(() => new RecordFileReader(path, PLACE), SyntaxError, sql);
  }
});
