import assert from "node:assert/strict";
import { GentleLog } from "../../streams/generations/gentle_log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";

Deno.test("GentleLog leaves others their share of the thread, by the clock, and no more than it is told to", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: "events", partitions: 1, cleanup: "delete" }]);
  let now = 0;
  const rests: number[] = [];
  const gentle = new GentleLog(log, {
    share: 0.25,
    clock: () => now,
    signal: new AbortController().signal,
    rest: async (ms) => {
      rests.push(ms);
      await Promise.resolve();
      now += ms;
    },
  });
  const work = async (ms: number) => {
    now += ms;
    await gentle.log.read("events", 0, 0);
  };
  for (const ms of [10, 40, 5000]) await work(ms);
  assert.deepEqual(rests, [30, 120, 2000], "three times as long, but for what is no work");
  assert.equal(gentle.restedMs, 2150);
  await Promise.all([work(10), gentle.log.read("events", 0, 0)]);
  assert.deepEqual(rests.slice(3), [30], "reads at a time rest once for the same work");
  assert.equal(gentle.restedMs, 2180);
  gentle.share = 1;
  await work(10);
  gentle.end();
  await work(10);
  assert.equal(rests.length, 4);
});
