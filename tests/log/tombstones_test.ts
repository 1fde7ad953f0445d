import assert from "node:assert/strict";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { all, record, texts } from "../contracts/log_suite.ts";

const KEPT = 16;

const logs: readonly (readonly [string, (folder: string) => Promise<Log>])[] = [
  ["MemoryLog", () => Promise.resolve(new MemoryLog({ tombstones: KEPT }))],
  ["SqliteLog", (folder) => SqliteLog.open(`${folder}/log.db`, { tombstones: KEPT })],
];

for (const [name, open] of logs) {
  const test = (title: string, body: (log: Log) => Promise<void>) =>
    Deno.test(`${name}.append() ${title}`, async () => {
      const folder = await Deno.makeTempDir();
      {
        await using log = await open(folder);
        await log.createTopics([{ name: "state", partitions: 1, cleanup: "compact" }]);
        await body(log);
      }
      await Deno.remove(folder, { recursive: true });
    });

  test("keeps the newest tombstones, every live key, and no other record", async (log) => {
    await log.append([{ ...record("state", 0, "alive"), key: "live" }]);
    for (let i = 0; i < 300; i++) {
      await log.append([record("state", 0, `${i}`), tombstone(`${i}`)]);
    }
    const records = await all(log, "state", 0);
    assert.deepEqual(texts(records.filter(({ value }) => value !== null)), ["alive"]);
    const buried = records.filter(({ value }) => value === null).map(({ key }) => Number(key));
    assert.ok(buried.length >= KEPT && buried.length <= KEPT * 1.25, `${buried.length} are left`);
    assert.deepEqual(buried, Array.from({ length: buried.length }, (_, i) => 300 - buried.length + i));

    const [offset] = await log.append([{ ...record("state", 0, "back"), key: "299" }]);
    assert.equal(offset, 601);
    const back = (await all(log, "state", 0)).filter(({ key }) => key === "299");
    assert.deepEqual(texts(back), ["back"]);
  });

  test("keeps keys that come back after their tombstone, however many follow", async (log) => {
    for (let i = 0; i < 300; i++) {
      await log.append([tombstone(`${i % 100}`), record("state", 0, `${i % 100}`)]);
      const live = (await all(log, "state", 0)).filter(({ value }) => value !== null);
      assert.equal(live.length, Math.min(i + 1, 100));
    }
  });
}

function tombstone(key: string): NewRecord {
  return { ...record("state", 0, ""), key, value: null };
}
