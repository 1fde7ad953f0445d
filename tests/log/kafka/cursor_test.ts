import assert from "node:assert/strict";
import fc from "fast-check";
import { Cursor } from "../../../streams/log/kafka/reading/cursor.ts";
import type { LogRecord } from "../../../streams/log/log.ts";

Deno.test("Cursor gives the same records in any steps, over holes, arrivals and returns", () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 40 }) }) },
    { weight: 2, arbitrary: fc.record({ arrive: fc.nat(30), hole: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ back: fc.nat(60) }) },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const cursor = new Cursor("t", 0, 100);
    const whole: LogRecord[] = [];
    let next = 100;
    let end = 100;
    for (const step of steps) {
      if ("arrive" in step) {
        const arrived = Array.from({ length: step.arrive }, (_, i) => record(end + i));
        whole.push(...arrived);
        end += step.arrive + step.hole;
        cursor.accept([...arrived], end, end);
      } else if ("back" in step) {
        const to = Math.max(100, next - step.back);
        if (!cursor.holds(to)) continue;
        next = to;
      } else {
        cursor.seek(next);
        const expected = whole.filter(({ offset }) => offset >= next).slice(0, step.take);
        const result = cursor.take(step.take, Infinity);
        assert.deepEqual(result.records, expected);
        const last = expected.at(-1);
        const isLast = last === undefined || last === whole.at(-1);
        assert.equal(result.next, isLast ? end : last.offset + 1);
        next = result.next;
      }
      cursor.seek(next);
      assert.equal(cursor.isEmpty, whole.every(({ offset }) => offset < next));
      assert.equal(cursor.position, end);
    }
  }));
});

Deno.test("Cursor forgets what was read long ago, and holds no more bytes than it says", () => {
  const cursor = new Cursor("t", 0, 0);
  const size = 10_000;
  for (let end = 0; end < 100_000;) {
    const arrived = Array.from({ length: 1000 }, (_, i) => record(end + i, 200));
    end += arrived.length;
    cursor.accept(arrived, end, end);
    cursor.seek(end - arrived.length);
    assert.equal(cursor.bytesAhead, 1000 * 300);
    assert.equal(cursor.take(size, Infinity).records.length, 1000);
    assert.equal(cursor.bytesAhead, 0);
    assert.ok(cursor.bytes <= 600_000, `${cursor.bytes}`);
    assert.equal(cursor.holds(end - 500), true);
    if (end > 10_000) assert.equal(cursor.holds(0), false);
  }
});

Deno.test("Cursor.take() stops at the record that reaches the limit of bytes", () => {
  const cursor = new Cursor("t", 0, 0);
  cursor.accept([record(0, 10), record(1, 10), record(2, 10)], 5, 5);
  assert.deepEqual(cursor.take(10, 11).records.map(({ offset }) => offset), [0, 1]);
  assert.deepEqual(cursor.take(10, 1), { records: [record(2, 10)], next: 5 });
});

Deno.test("Cursor.take() returns at least one record, however few bytes are wanted", () => {
  const cursor = new Cursor("t", 0, 0);
  cursor.accept([record(0, 10), record(1, 10)], 2, 2);
  assert.deepEqual(cursor.take(5, 0), { records: [record(0, 10)], next: 1 });
  assert.deepEqual(cursor.take(0, 0).records, []);
});

Deno.test("Cursor.listen() tells when records come, or when the broker has more, until unlisten()", () => {
  for (const [records, stableEnd, calls] of [[[record(0)], 1, 1], [[], 9, 1], [[], 1, 0]] as const) {
    const cursor = new Cursor("t", 0, 0);
    let [told, others] = [0, 0];
    const other = () => others++;
    cursor.listen(() => told++);
    cursor.listen(other);
    cursor.unlisten(other);
    cursor.accept([...records], 1, stableEnd);
    assert.deepEqual([told, others], [calls, 0]);
  }
});

function record(offset: number, bytes = 0): LogRecord {
  const value = new Uint8Array(bytes);
  return { topic: "t", partition: 0, offset, key: null, value, time: 0, headers: {} };
}
