import assert from "node:assert/strict";
import { encodeRejection, rejectionOf } from "../../src/events/rejection.ts";
import { lookAtRejected } from "../../streams/feeders/newest_rejected.ts";
import { feederId } from "../../streams/feeders/feeder.ts";
import { countRejected, readRejected, replayName } from "../../streams/feeders/rejected_records.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();
const TIME = 1_700_000_000_000;
const PARTITIONS = 3;

/** A topic with `count` rejections of `size` bytes on each partition, in order of time. */
async function filled(count: number, size: number): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  const bytes = new Uint8Array(size).fill(120);
  const [unmapped, notJson] = (["unmapped", "not-json"] as const).map((code) =>
    encodeRejection(rejectionOf(
      { topic: "clicks", partition: 0, offset: 7, source: "clicks" },
      { ok: false, code, reason: "no rule" },
      bytes,
    ))
  );
  for (let n = 0; n < count; n++) {
    await log.append(Array.from({ length: PARTITIONS }, (_, partition) => ({
      topic: topics.rejected,
      partition,
      key: `${n}`,
      time: TIME + n,
      value: n % 3 === 0 ? notJson! : unmapped!,
    })));
  }
  return log;
}

/** The log, and how much was read from it. */
function counted(log: Log) {
  const read = { records: 0, bytes: 0 };
  const counting: Log = new Proxy(log, {
    get(inner, name: keyof Log) {
      if (name !== "read") return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
      return async (...args: Parameters<Log["read"]>) => {
        const result = await inner.read(...args);
        if (args[0] !== topics.rejected) return result;
        for (const { value } of result.records) {
          read.records++;
          read.bytes += value?.length ?? 0;
        }
        return result;
      };
    },
  });
  return { log: counting, read };
}

Deno.test("lookAtRejected() finds the same reasons as reading everything when its limits suffice", async () => {
  await using log = await filled(100, 200);
  for (const filter of [{}, { code: "not-json" }, { from: "clicks" }, { source: "others" }]) {
    const look = await lookAtRejected(log, topics, filter, { records: 300, bytes: 1e6 });
    const plain = (reasons: readonly object[]) => reasons.map((one) => ({ ...one, newest: null }));
    assert.deepEqual(plain(look.reasons), plain(await countRejected(readRejected(log, topics, filter))));
    assert.equal(look.isAll, true);
    const times = look.records.map(({ time }) => time);
    assert.deepEqual(times, times.toSorted((a, b) => b - a));
    for (const { code, newest } of look.reasons) {
      assert.deepEqual(newest, look.records.find(({ rejection }) => rejection.code === code));
    }
  }
});

Deno.test("lookAtRejected() reads no more than its limits of records and bytes, newest first", async () => {
  for (
    const [count, size, limits] of [
      [900, 50, { records: 600, bytes: 1e9 }],
      [120, 40_000, { records: 600, bytes: 600_000 }],
    ] as const
  ) {
    const { log, read } = counted(await filled(count, size));
    const { records, isAll } = await lookAtRejected(log, topics, {}, limits);
    assert.equal(isAll, false);
    assert.ok(read.records <= limits.records, `${read.records} records`);
    assert.ok(read.bytes <= limits.bytes + PARTITIONS * 16 * 54_000, `${read.bytes} bytes`);
    assert.equal(records.length, read.records);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      assert.equal(records.find((one) => one.partition === partition)?.time, TIME + count - 1);
    }
  }
});

Deno.test("lookAtRejected() leaves out replayed rejections", async () => {
  await using log = await filled(10, 50);
  const value = new TextEncoder().encode(JSON.stringify({ next: [4, 0, 10] }));
  await log.append([{
    topic: topics.positions,
    key: feederId(topics, replayName("clicks")),
    value,
    time: TIME,
  }]);
  const { records } = await lookAtRejected(log, topics, {}, { records: 1000, bytes: 1e6 });
  const left = (partition: number) => records.filter((one) => one.partition === partition).length;
  assert.deepEqual([0, 1, 2].map(left), [6, 10, 0]);
});
