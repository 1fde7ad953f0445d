import assert from "node:assert/strict";
import { GentleLog } from "../../streams/generations/online/gentle_log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";

Deno.test("GentleLog gives way to others for as long as they want the thread, up to their share", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: "events", partitions: 1, cleanup: "delete" }]);
  let now = 0, wantedMs = 0, isLate = false;
  const gentle = new GentleLog(log, {
    share: 0.25,
    isLate: () => isLate,
    maxRecords: 1000,
    clock: () => now,
    signal: new AbortController().signal,
    giveWay: async () => {
      await Promise.resolve();
      const ms = Math.min(10, wantedMs);
      now += ms;
      wantedMs -= ms;
      return wantedMs > 0;
    },
  });
  /** How long it rests after some work. */
  const restOf = async (workMs: number, wantMs: number, rest: () => Promise<unknown>) => {
    const before = gentle.restedMs;
    now += workMs;
    wantedMs = wantMs;
    await rest();
    return gentle.restedMs - before;
  };
  const read = async () => await gentle.log.read("events", 0, 0);
  for (const rest of [read, () => gentle.rest()]) {
    assert.equal(await restOf(100, 0, rest), 0, "nobody waits");
    assert.equal(await restOf(100, 70, rest), 70, "until they have what they want");
    assert.equal(
      await restOf(100, Infinity, rest),
      300,
      "three times as long as the work when they want more",
    );
    assert.equal(await restOf(5000, Infinity, rest), 2000, "two seconds at most");
    isLate = true;
    assert.equal(await restOf(100, Infinity, rest), 900, "a tenth is left when they are late");
    isLate = false;
    const both = () => Promise.all([rest(), rest()]);
    assert.equal(await restOf(100, Infinity, both), 310, "two at a time rest for the same work");
  }
  gentle.share = 1;
  assert.equal(await restOf(100, Infinity, read), 10, "they have a turn in any case");
  gentle.end();
  assert.equal(await restOf(100, Infinity, read), 0);
});

Deno.test("GentleLog caps the records of each read", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: "events", partitions: 1, cleanup: "delete" }]);
  await log.append(Array.from({ length: 9 }, () => ({ topic: "events", key: "ann", value: null, time: 1 })));
  const { signal } = new AbortController();
  const giveWay = () => Promise.resolve(false);
  const gentle = new GentleLog(log, {
    share: 1,
    isLate: () => false,
    maxRecords: 5,
    clock: () => 0,
    signal,
    giveWay,
  });
  for (const [options, length] of [[{}, 5], [{ maxRecords: 7 }, 5], [{ maxRecords: 3 }, 3]] as const) {
    assert.equal((await gentle.log.read("events", 0, 0, options)).records.length, length);
  }
});
