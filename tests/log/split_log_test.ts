import assert from "node:assert/strict";
import fc from "fast-check";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { splitLog } from "../../streams/log/split_log.ts";

const EVENTS = "events", STATE = "state";

async function split(log: Log, partitions: number, into: number): Promise<Log> {
  await log.createTopics([
    { name: EVENTS, partitions, cleanup: "delete" },
    { name: STATE, partitions: into, cleanup: "compact" },
  ]);
  const isSplit = (topic: string) => topic === EVENTS;
  return splitLog(log, {
    partitions,
    into,
    isSplit,
    shared: STATE,
    isForAll: ({ headers }) => "all" in headers,
  });
}

function record(key: string | null, headers = {}) {
  return { topic: EVENTS, key, value: new Uint8Array(1), time: 0, headers };
}

Deno.test("splitLog() puts each record into the part of its key, at its offset, once", async () => {
  const keys = fc.array(fc.string({ minLength: 1, maxLength: 4 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      keys,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 2, max: 4 }),
      async (keys, m, k) => {
        await using log = new MemoryLog();
        const parts = await split(log, m, m * k);
        if (keys.length > 0) await parts.append(keys.map((key) => record(key)));
        const seen = new Set<string>();
        for (let part = 0; part < m * k; part++) {
          for await (const { key, offset, partition } of readAll(parts, EVENTS, part)) {
            assert.equal(part, partitionOf(key!, m * k));
            assert.equal(partition, part);
            assert.ok(!seen.has(`${part % m}/${offset}`));
            seen.add(`${part % m}/${offset}`);
          }
          const few: number[] = [];
          for (let from = 0;;) {
            const { records, next } = await parts.read(EVENTS, part, from, { maxRecords: 2 });
            assert.ok(records.length <= 2);
            few.push(...records.map(({ offset }) => offset));
            if (next === from) break;
            from = next;
          }
          const whole = await Array.fromAsync(readAll(parts, EVENTS, part), ({ offset }) => offset);
          assert.deepEqual(few, whole);
        }
        assert.equal(seen.size, keys.length);
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("splitLog() gives records without a key to the first part, and those for all to every part", async () => {
  await using log = new MemoryLog();
  const parts = await split(log, 1, 3);
  await parts.append([record(null), record("a", { all: "" })]);
  const found = await Promise.all([0, 1, 2].map(async (part) => {
    return (await Array.fromAsync(readAll(parts, EVENTS, part))).map(({ offset }) => offset);
  }));
  assert.deepEqual(found, [[0, 1], [1], [1]]);
});

Deno.test("splitLog() keeps a position for each part, and commits outputs to the partitions that exist", async () => {
  await using log = new MemoryLog();
  const parts = await split(log, 2, 6);
  assert.equal((await parts.identify(EVENTS))?.partitions, 6);
  assert.equal((await log.identify(EVENTS))?.partitions, 2);
  await using writer = await parts.writer("w");
  const records = [{ ...record("x"), partition: 5 }];
  await writer.commit({ records, group: "g", offsets: [{ topic: EVENTS, partition: 5, offset: 7 }] });
  assert.equal((await log.bounds(EVENTS, 1)).end, 1);
  assert.equal(await parts.committed("g", EVENTS, 5), 7);
  assert.equal(await parts.committed("g", EVENTS, 1), null);
});

Deno.test("splitLog() trims what all parts of a partition have trimmed", async () => {
  await using log = new MemoryLog();
  const parts = await split(log, 1, 2);
  await parts.append([..."abcdef"].map((key) => record(key)));
  await parts.trim(EVENTS, 0, 4);
  assert.equal((await log.bounds(EVENTS, 0)).start, 0);
  await parts.trim(EVENTS, 1, 2);
  assert.equal((await log.bounds(EVENTS, 0)).start, 2);
});

Deno.test("splitLog() waits for a record of its own part, no longer than told", async () => {
  await using log = new MemoryLog();
  const parts = await split(log, 1, 2);
  const [own = "", other = ""] = [0, 1].map((part) =>
    [..."abcdefgh"].find((key) => partitionOf(key, 2) === part)
  );
  const reading = parts.read(EVENTS, 0, 0, { waitMs: 60_000 });
  await log.append([record(other)]);
  await log.append([record(own)]);
  assert.deepEqual((await reading).records.map(({ offset }) => offset), [1]);
  assert.deepEqual(await parts.read(EVENTS, 0, 2, { waitMs: 1 }), { records: [], next: 2 });
});

Deno.test("splitLog() rejects a number of parts that is no multiple, and suggests some that are", async () => {
  await using log = new MemoryLog();
  await assert.rejects(
    split(log, 2, 5),
    /5 tasks share 2 partitions of events: use a multiple, such as 4 or 6/,
  );
});
