import assert from "node:assert/strict";
import { encodeEvent } from "../../../src/events/codec.ts";
import type { LogRecord, ReadOptions, ReadResult } from "../../../streams/log/log.ts";
import { EventReader } from "../../../streams/task/inputs/event_reader.ts";

const TOPIC = "events", PARTITION = 1, START = 1.7e12;

/** A record of `ann`'s, or one that is no event. */
function recordAt(offset: number, isEvent = true): LogRecord {
  const event = { type: "profile", user: "ann", time: START + offset, attributes: {} } as const;
  const value = isEvent ? encodeEvent(event) : null;
  return { topic: TOPIC, partition: PARTITION, offset, key: "ann", value, time: START + offset, headers: {} };
}

/** A log with records at 3, 5 and 6, and none at 4 and from 7 to 9. */
class GappedLog {
  readonly reads: number[] = [];

  read(
    topic: string,
    partition: number,
    from: number,
    { maxRecords = 9 }: ReadOptions = {},
  ): Promise<ReadResult> {
    assert.deepEqual([topic, partition], [TOPIC, PARTITION]);
    this.reads.push(from);
    const all = [recordAt(3), recordAt(5, false), recordAt(6)].filter(({ offset }) => offset >= from);
    const records = all.slice(0, maxRecords);
    return Promise.resolve({ records, next: records.length < all.length ? records.at(-1)!.offset + 1 : 10 });
  }
}

const createReader = (log: GappedLog) => new EventReader(log, TOPIC, PARTITION, { next: 3 });

Deno.test("EventReader.next is just past the last passed event, and past a gap once nothing waits", async () => {
  const log = new GappedLog();
  const reader = createReader(log);
  assert.equal(await reader.read({ maxRecords: 9 }), false);
  const passed: number[] = [];
  for (let event = reader.first; event !== undefined; event = reader.first) {
    reader.passGap();
    assert.equal(reader.next, passed.length === 0 ? 3 : passed.at(-1)! + 1);
    assert.equal(event.decoded.ok, event.record.offset !== 5);
    passed.push(event.record.offset);
    reader.pass();
  }
  assert.deepEqual(passed, [3, 5, 6]);
  assert.equal(reader.next, 7);
  reader.passGap();
  assert.equal(reader.next, 10);
  assert.throws(() => reader.pass(), RangeError);
});

Deno.test("EventReader.read() reads nothing while an event waits, and returns whether there may be more", async () => {
  const log = new GappedLog();
  const reader = createReader(log);
  assert.equal(await reader.read({ maxRecords: 2 }), true);
  reader.pass();
  assert.equal(await reader.read({ maxRecords: 2 }), true);
  assert.deepEqual([reader.records.length, reader.users], [1, []]);
  reader.pass();
  assert.equal(await reader.read({ maxRecords: 2 }), false);
  assert.deepEqual([reader.records.map(({ offset }) => offset), reader.users], [[6], ["ann"]]);
  assert.deepEqual(log.reads, [3, 6]);
});

Deno.test("EventReader.read() rejects when the log goes backwards", async () => {
  const log = { read: () => Promise.resolve({ records: [], next: 2 }) };
  const reader = new EventReader(log, TOPIC, PARTITION, { next: 3 });
  await assert.rejects(reader.read({ maxRecords: 9 }), { code: "corrupt" });
  reader.passGap();
  assert.equal(reader.next, 3);
});

Deno.test("EventReader.takeLost() returns what the log has dropped, even a single offset", async () => {
  for (const dropped of [1, 2]) {
    const read = () => Promise.resolve({ records: [recordAt(3 + dropped)], next: 4 + dropped, dropped });
    const reader = new EventReader({ read }, TOPIC, PARTITION, { next: 3 });
    await reader.read({ maxRecords: 9 });
    assert.deepEqual([reader.takeLost(), reader.next], [{ from: 3, to: 3 + dropped }, 3 + dropped]);
    assert.equal(reader.takeLost(), undefined);
  }
});
