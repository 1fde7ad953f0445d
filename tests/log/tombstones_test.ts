import assert from "node:assert/strict";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SqliteLog } from "../../streams/log/sqlite_log.ts";
import { all, record, texts } from "../contracts/log_contract.ts";

const KEPT = 16;

const logs: readonly (readonly [string, (folder: string) => Promise<Log>])[] = [
  ["MemoryLog", () => Promise.resolve(new MemoryLog({ tombstones: KEPT }))],
  ["SqliteLog", (folder) => SqliteLog.open(`${folder}/log.db`, { tombstones: KEPT })],
];

for (const [name, open] of logs) {
  Deno.test(`${name} keeps the newest tombstones, every live key, and no other record`, async () => {
    const folder = await Deno.makeTempDir();
    {
      await using log = await open(folder);
      await log.createTopics([{ name: "state", partitions: 1, cleanup: "compact" }]);
      await log.append([{ ...record("state", 0, "alive"), key: "live" }]);
      for (let i = 0; i < 300; i++) {
        await log.append([record("state", 0, `${i}`), {
          ...record("state", 0, ""),
          key: `${i}`,
          value: null,
        }]);
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
    }
    await Deno.remove(folder, { recursive: true });
  });
}
