import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { SqliteReader } from "../../streams/log/sqlite/sqlite_reader.ts";
import { hasCode } from "../contracts/log_suite.ts";
import { temporaryFolder } from "../scripts/command.ts";

Deno.test("SqliteReader reads what the owner of the log reads, and what it writes meanwhile", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/log.sqlite`;
  await using log = await SqliteLog.open(path);
  await log.createTopics([
    { name: "clicks", partitions: 2, cleanup: "delete" },
    { name: "users", partitions: 1, cleanup: "compact" },
  ]);
  const append = async (n: number) => {
    await using writer = await log.writer("w");
    await writer.commit({
      records: [
        {
          topic: "clicks",
          partition: 1,
          key: "ann",
          value: new Uint8Array([n]),
          time: n,
          headers: { a: `${n}` },
        },
        { topic: "users", key: `u${n % 3}`, value: n % 3 === 0 ? null : new Uint8Array([n]), time: n },
      ],
      group: "g",
      offsets: [{ topic: "clicks", partition: 1, offset: n }],
    });
  };
  for (let n = 0; n < 8; n++) await append(n);
  await using reader = new SqliteReader(path);
  for (
    const change of [
      async () => {},
      () => append(9),
      () => log.trim("clicks", 1, 4),
      () => log.erase("clicks", 1, [6]),
    ]
  ) {
    await change();
    assert.deepEqual(await reader.topics(), await log.topics());
    for (const topic of ["clicks", "users", "none"]) {
      assert.deepEqual(await reader.identify(topic), await log.identify(topic));
    }
    for (const [topic, partition] of [["clicks", 0], ["clicks", 1], ["users", 0]] as const) {
      const { end } = await log.bounds(topic, partition);
      assert.deepEqual(await reader.bounds(topic, partition), await log.bounds(topic, partition));
      assert.equal(await reader.committed("g", topic, partition), await log.committed("g", topic, partition));
      for (let from = 0; from <= end; from++) {
        for (const options of [{}, { maxRecords: 2 }, { maxBytes: 1 }]) {
          assert.deepEqual(
            await reader.read(topic, partition, from, options),
            await log.read(topic, partition, from, options),
          );
        }
      }
      await assert.rejects(reader.read(topic, partition, end + 1), hasCode("beyond-end"));
    }
    for (const key of ["u0", "u1", "none"]) {
      assert.deepEqual(await reader.latest("users", 0, key), await log.latest("users", 0, key));
    }
  }
  await assert.rejects(reader.bounds("none", 0), /Cannot find topic none/);
  await assert.rejects(reader.bounds("clicks", 2), /Cannot find partition 2 of clicks/);
});

Deno.test("SqliteReader throws for what is missing or no log, and creates nothing", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  assert.throws(() => new SqliteReader(at("none")), Deno.errors.NotFound);
  await assert.rejects(Deno.stat(at("none")), Deno.errors.NotFound);
  const db = new DatabaseSync(at("other"));
  db.exec("CREATE TABLE t (a)");
  db.close();
  assert.throws(() => new SqliteReader(at("other")), /it is another program's SQLite file/);
  await Deno.writeTextFile(at("text"), "no database".repeat(99));
  assert.throws(() => new SqliteReader(at("text")), /Cannot use .*text as a log/);
});
