import assert from "node:assert/strict";
import { SourcePartition } from "../../streams/feeders/source_partition.ts";
import { type Log, LogError } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { LosingLog } from "../log/losing_log.ts";
import { listen } from "../log/warnings.ts";

Deno.test("SourcePartition.fill() logs a failed read once while it holds records, and throws when it holds none", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }]);
  const record = { topic: "clicks", partition: 0, key: "k", value: null, time: 0 };
  await log.append([record, record]);
  let failure: Error | undefined;
  const failing = new Proxy(log, {
    get(inner, name: keyof MemoryLog) {
      const value = inner[name];
      if (name !== "read") return typeof value === "function" ? value.bind(inner) : value;
      return (...args: Parameters<MemoryLog["read"]>) =>
        failure === undefined ? inner.read(...args) : Promise.reject(failure);
    },
  });
  await using heard = await listen();
  const partition = new SourcePartition({
    log: failing,
    topic: "clicks",
    partition: 0,
    from: { next: 0 },
    waitMs: 0,
    maxBytes: 1 << 20,
    now: () => 0,
    clock: () => 0,
    headOf: (record, read) => ({ record, read, time: record.offset, cameAt: 0 }),
    stuck: { since: new Map(), name: "clicks/0" },
  });
  await partition.fill();
  assert.equal(partition.head?.record.offset, 0);
  failure = new LogError("unreachable", "the broker is away");
  for (let n = 0; n < 3; n++) await partition.fill();
  assert.deepEqual(heard.messages, [
    "cannot read clicks/0 beyond 2 records, before 2: the broker is away",
  ]);
  for (let n = 0; n < 2; n++) partition.take();
  await assert.rejects(partition.fill(), /the broker is away/);
  failure = undefined;
  await log.append([record]);
  await partition.fill();
  failure = new LogError("unreachable", "the broker is away");
  await partition.fill();
  assert.equal(heard.messages.length, 2, "it has failed again");
});

Deno.test("SourcePartition.fill() gives the records before one whose registry does not answer, also after it was passed", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }]);
  const record = { topic: "clicks", partition: 0, key: "k", value: null, time: 0 };
  await log.append([record, record, record]);
  let now = 0, decodable = 0;
  const partition = new SourcePartition({
    log,
    topic: "clicks",
    partition: 0,
    from: { next: 0 },
    waitMs: 0,
    maxBytes: 1 << 20,
    now: () => now,
    clock: () => now,
    headOf: (record, read) =>
      record.offset < decodable
        ? Promise.resolve({ record, read, time: record.offset, cameAt: 0 })
        : Promise.reject(new LogError("unreachable", "the registry is away")),
    stuck: { since: new Map(), name: "clicks/0" },
  });
  await assert.rejects(partition.fill(), /the registry is away/);
  now += 60_000;
  await partition.fill();
  assert.equal(partition.passedFor, "the registry is away");
  decodable = 2;
  now += 5000;
  await partition.fill();
  for (let turn = 0; turn < 20 && partition.head === undefined; turn++) await Promise.resolve();
  assert.deepEqual([partition.head?.record.offset, partition.passedFor], [0, undefined]);
});

Deno.test("SourcePartition.epoch is that of the record before the position, not of the next one", async () => {
  const log = new LosingLog();
  log.append("a", "b");
  log.lose(2); // nothing: it only begins an epoch
  log.append("c", "d");
  log.lose(4);
  log.append("e");
  const open = (from: { readonly next: number; readonly epoch?: number }) =>
    new SourcePartition({
      log: log as unknown as Log,
      topic: "clicks",
      partition: 0,
      from,
      waitMs: 0,
      maxBytes: 1 << 20,
      now: () => 0,
      clock: () => 0,
      headOf: (record, read) => ({ record, read, time: record.offset, cameAt: 0 }),
      stuck: { since: new Map(), name: "clicks/0" },
    });
  const positions = async (partition: ReturnType<typeof open>) => {
    const found = [[partition.next, partition.epoch]];
    await partition.fill();
    do {
      found.push([partition.next, partition.epoch]);
      partition.take();
    } while (partition.head !== undefined);
    return [...found, [partition.next, partition.epoch]];
  };
  const [first, ...others] = [[0, undefined], [1, 0], [2, 0], [3, 1], [4, 1], [5, 2]];
  assert.deepEqual(await positions(open({ next: 0 })), [first, first, ...others]);
  const last = [[4, 1], [4, 1], [5, 2]];
  assert.deepEqual(await positions(open({ next: 4, epoch: 1 })), last);
});
