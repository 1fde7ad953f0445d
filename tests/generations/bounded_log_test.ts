import assert from "node:assert/strict";
import { boundedLog } from "../../streams/generations/build/bounded_log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";

Deno.test("boundedLog() cuts a read at an end that moves meanwhile, and never moves `next` backwards", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: "events", partitions: 1, cleanup: "delete" }]);
  const record = { topic: "events", partition: 0, key: "ann", value: null, time: 1 };
  await log.append([record, record, record, record, record]);
  for (const [end, offsets, next] of [[0, [], 2], [2, [], 2], [4, [2, 3], 4], [9, [2, 3, 4], 5]] as const) {
    const until = [Infinity];
    const closing = layered(log, {
      read: async (...args) => {
        const result = await log.read(...args);
        until[0] = end;
        return result;
      },
    });
    const result = await boundedLog(closing, "events", until).read("events", 0, 2);
    assert.deepEqual(
      [result.records.map(({ offset }) => offset), result.next],
      [offsets, next],
      `end ${end}`,
    );
  }
});
