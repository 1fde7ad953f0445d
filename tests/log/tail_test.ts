import assert from "node:assert/strict";
import fc from "fast-check";
import type { NewRecord } from "../../streams/log/log.ts";
import { Tail } from "../../streams/log/sqlite/tail.ts";

const LIMITS = { maxRecords: 3, maxBytes: 500_000 };

const record = (value: Uint8Array): NewRecord => ({ topic: "t", key: "k", value, time: 7 });

Deno.test("Tail.read() gives the records from an offset on as they were pushed, or nothing once some are gone", () => {
  const pushes = fc.array(
    fc.record({ ms: fc.nat(150), sizes: fc.array(fc.constantFrom(0, 9, 400_000), { maxLength: 4 }) }),
    { maxLength: 12 },
  );
  fc.assert(fc.property(pushes, (all) => {
    let now = 1000;
    let end = 0;
    const lengths: number[] = [];
    const tail = new Tail("t", 2, () => now);
    for (const { ms, sizes } of all) {
      now += ms;
      const first = end;
      lengths.push(...sizes);
      tail.push(sizes.map((size) => record(new Uint8Array(size).fill(end++))), first);
      for (let from = 0; from <= end; from++) {
        const read = tail.read(from, LIMITS);
        if (read === undefined) continue;
        assert.equal(read.next, from + read.records.length);
        read.records.forEach(({ offset, value, partition }, n) => {
          assert.deepEqual([offset, partition], [from + n, 2]);
          // Values lie one after the other in one buffer: their ends show whether one was cut in the wrong place.
          const [length, byte] = [lengths[offset]!, offset % 256];
          assert.equal(value!.length, length);
          assert.ok(length === 0 || (value![0] === byte && value![length - 1] === byte));
        });
        if (from < end) assert.ok(read.records.length > 0);
      }
      const isTooLarge = sizes.reduce<number>((sum, size) => sum + size, 0) > 1 << 20;
      if (sizes.length > 0 && !isTooLarge) {
        assert.ok(tail.read(end - 1, LIMITS), "the newest is always there");
      }
    }
  }));
});

Deno.test("Tail keeps what came within the last 100 ms, and nothing that is older than 200 ms", () => {
  let now = 0;
  let end = 0;
  const tail = new Tail("t", 0, () => now);
  const push = () => tail.push([record(new Uint8Array(1))], end++);
  for (now = 0; now < 1000; now += 10) {
    push();
    const oldest = Array.from({ length: end }, (_, n) => n).findIndex((n) =>
      tail.read(n, LIMITS) !== undefined
    );
    const age = 10 * (end - 1 - oldest);
    assert.ok(age < 200 && (now < 100 || age >= 90), `${age} ms at ${now}`);
  }
});
