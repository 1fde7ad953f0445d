import assert from "node:assert/strict";
import fc from "fast-check";
import { readRecords, RecordFile } from "../../streams/backup/record_file.ts";
import type { LogRecord } from "../../streams/log/log.ts";
import { temporaryFolder } from "../scripts/command.ts";

const PLACE = { topic: "t", partition: 3 };

async function written(path: string, parts: readonly (readonly LogRecord[])[]): Promise<Uint8Array> {
  {
    await using file = await RecordFile.create(path);
    for (const records of parts) await file.append(records);
    await file.flush();
  }
  return await Deno.readFile(path);
}

const read = (path: string) => Array.fromAsync(readRecords(path, PLACE));

Deno.test("readRecords() gives what was appended, in parts of any size, and refuses a file that ends within a record", async () => {
  await using folder = await temporaryFolder();
  const record: fc.Arbitrary<LogRecord> = fc.record({
    topic: fc.constant(PLACE.topic),
    partition: fc.constant(PLACE.partition),
    offset: fc.nat(),
    time: fc.double({ noNaN: true }),
    key: fc.option(fc.string()),
    headers: fc.dictionary(fc.string().filter((name) => name !== "__proto__"), fc.string(), {
      noNullPrototype: true,
    }),
    // A part of them are about as large as what is written or read at once, or larger.
    value: fc.option(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: (1 << 20) - 80, max: (1 << 20) + 9 }).map((length) =>
          new Uint8Array(length).fill(length)
        ),
        fc.integer({ min: 200_000, max: 900_000 }).map((length) => new Uint8Array(length).fill(length)),
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
        assert.deepEqual(await read(path), records);
        await Deno.truncate(path, cut % bytes.length);
        const some = await read(path).catch((error) => {
          assert.ok(error instanceof SyntaxError, `${error}`);
        });
        if (some !== undefined) assert.deepEqual(some, records.slice(0, some.length));
        await Deno.remove(path);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("RecordFile.append() keeps no more than a mebibyte or a part in memory", async () => {
  await using folder = await temporaryFolder();
  await using file = await RecordFile.create(`${folder.path}/file`);
  const value = new Uint8Array(300_000);
  for (let n = 1; n <= 12; n++) {
    await file.append([{ ...PLACE, offset: n, time: 0, key: null, headers: {}, value }]);
    const { size } = await Deno.stat(`${folder.path}/file`);
    assert.ok(n * value.length - size <= 1 << 20, `${size} bytes after ${n} records`);
  }
});
