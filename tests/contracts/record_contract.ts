/**
 * What every {@linkcode Log} does with topics and records: create, append, read, trim.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { LogRecord, NewRecord } from "../../streams/log/log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { all, hasCode, type LogSuite, record, texts } from "./log_suite.ts";

/** Registers the tests of topics and records. */
export function recordContract(suite: LogSuite): void {
  suite.test("createTopics() creates what is missing and keeps what is there", async (log, topic) => {
    const spec = { name: topic, partitions: 3, cleanup: "delete" } as const;
    await log.createTopics([spec]);
    await log.append([record(topic, 0, "kept")]);
    await log.createTopics([spec, { name: `${topic}.other`, partitions: 1, cleanup: "compact" }]);
    const topics = await log.topics();
    assert.deepEqual(topics.get(topic), spec);
    assert.equal(topics.get(`${topic}.other`)?.cleanup, "compact");
    assert.deepEqual([...(await log.topics(`${topic}.`)).keys()], [`${topic}.other`]);
    assert.equal((await log.topics(`${topic}.none`)).size, 0);
    assert.deepEqual(texts(await all(log, topic, 0)), ["kept"]);
  });

  suite.test(
    "createTopics() refuses another spec of a topic, and creates none of the others",
    async (log, topic) => {
      await log.createTopics([{ name: topic, partitions: 3, cleanup: "delete" }]);
      const fresh = { name: `${topic}.fresh`, partitions: 1, cleanup: "delete" } as const;
      for (
        const odd of [{ partitions: 2, cleanup: "delete" }, { partitions: 3, cleanup: "compact" }] as const
      ) {
        await assert.rejects(log.createTopics([fresh, { name: topic, ...odd }]), hasCode("topic-mismatch"));
      }
      assert.equal((await log.topics()).has(fresh.name), false);
      for (const wrong of ["", "a b", "x".repeat(250), ".."]) {
        await assert.rejects(log.createTopics([{ ...fresh, name: wrong }]), RangeError);
      }
      await assert.rejects(log.createTopics([{ ...fresh, partitions: 0 }]), RangeError);
    },
  );

  suite.test("append() keeps the order of each partition and returns rising offsets", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    const first = await log.append([0, 1, 0, 1, 0].map((p, i) => record(topic, p, `${i}`)));
    const second = await log.append([record(topic, 0, "5"), record(topic, 1, "6")]);
    assert.deepEqual(texts(await all(log, topic, 0)), ["0", "2", "4", "5"]);
    assert.deepEqual(texts(await all(log, topic, 1)), ["1", "3", "6"]);
    const zero = await all(log, topic, 0);
    assert.deepEqual(zero.map(({ offset }) => offset), [first[0], first[2], first[4], second[0]]);
    assert.ok(zero.every(({ offset }, i) => i === 0 || offset > (zero[i - 1]?.offset ?? Infinity)));
  });

  suite.test("append() loses nothing when calls overlap", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    await Promise.all(["a", "b", "c", "d"].map((text) => log.append([record(topic, 0, text)])));
    assert.deepEqual(texts(await all(log, topic, 0)).sort(), ["a", "b", "c", "d"]);
  });

  suite.test("append() places a record by its key when no partition is given", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 5, cleanup: "delete" }]);
    const keys = ["ann", "bob", "žofie", "😀", ""];
    const value = new Uint8Array([1]);
    await log.append([...keys, null].map((key) => ({ topic, key, value, time: 1 })));
    for (let partition = 0; partition < 5; partition++) {
      const expected: (string | null)[] = keys.filter((key) => partitionOf(key, 5) === partition);
      if (partition === 0) expected.push(null);
      assert.deepEqual((await all(log, topic, partition)).map(({ key }) => key), expected);
    }
  });

  suite.test("append() refuses a bad record, and appends none of its batch", async (log, topic) => {
    const compact = `${topic}.compact`;
    await log.createTopics([
      { name: topic, partitions: 2, cleanup: "delete" },
      { name: compact, partitions: 1, cleanup: "compact" },
    ]);
    const good = record(topic, 0, "good");
    const bad: readonly (readonly [NewRecord, (error: unknown) => boolean])[] = [
      [{ ...good, topic: `${topic}.none` }, hasCode("unknown-topic")],
      [{ ...good, partition: 2 }, hasCode("unknown-partition")],
      [{ ...good, partition: -1 }, hasCode("unknown-partition")],
      [{ ...good, partition: 0.5 }, hasCode("unknown-partition")],
      [{ ...good, topic: compact, key: null }, (error) => error instanceof TypeError],
      [{ ...good, key: "\ud800" }, (error) => error instanceof TypeError],
      [{ ...good, headers: { a: "\udc00" } }, (error) => error instanceof TypeError],
      [{ ...good, time: 1.5 }, (error) => error instanceof RangeError],
      [{ ...good, time: -1 }, (error) => error instanceof RangeError],
      [{ ...good, time: NaN }, (error) => error instanceof RangeError],
    ];
    for (const [wrong, expected] of bad) await assert.rejects(log.append([good, wrong]), expected);
    assert.deepEqual(await all(log, topic, 0), []);
  });

  suite.test(
    "append() accepts any key, value, headers and time, and read() returns them",
    async (log, topic) => {
      await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
      const text = fc.string({ unit: "binary", maxLength: 20 });
      const records = fc.array(
        fc.record({
          topic: fc.constant(topic),
          partition: fc.nat({ max: 1 }),
          key: fc.option(fc.oneof(text, fc.constantFrom("\0", "a\0b", "1", "-0"))),
          value: fc.option(fc.uint8Array({ maxLength: 100 })),
          time: fc.nat({ max: 1_700_000_000_000 }),
          headers: fc.dictionary(fc.oneof(text, fc.constant("__proto__")), text, { maxKeys: 3 }),
        }),
        { minLength: 1, maxLength: 12 },
      );
      await fc.assert(
        fc.asyncProperty(records, async (batch) => {
          const ends = await Promise.all([0, 1].map((p) => log.bounds(topic, p)));
          const offsets = await log.append(batch);
          const expected = batch.map((r, i) => ({
            ...r,
            headers: { ...r.headers },
            offset: offsets[i] ?? NaN,
          }));
          for (const p of [0, 1]) {
            const read = await all(log, topic, p, ends[p]?.end ?? 0);
            assert.deepEqual(read.map(plain), expected.filter(({ partition }) => partition === p).map(plain));
          }
        }),
        { numRuns: suite.runs },
      );
    },
  );

  suite.test("append() has copied the bytes by the time it resolves", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const value = new Uint8Array([1, 2, 3]);
    await log.append([{ topic, key: "a", value, time: 0 }]);
    value.fill(9);
    assert.deepEqual((await all(log, topic, 0))[0]?.value, new Uint8Array([1, 2, 3]));
  });

  suite.test("read() returns the same records in any chunks", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    await log.append(Array.from({ length: 300 }, (_, i) => record(topic, 0, `${i}`.padStart(i % 50, "-"))));
    const whole = await all(log, topic, 0);
    const limits = fc.array(
      fc.record({ maxRecords: fc.integer({ min: 1, max: 200 }), maxBytes: fc.nat(5000) }),
      {
        minLength: 1,
      },
    );
    await fc.assert(
      fc.asyncProperty(limits, async (cycle) => {
        const { end } = await log.bounds(topic, 0);
        const seen: LogRecord[] = [];
        for (let next = 0, i = 0; next < end; i++) {
          const { maxRecords, maxBytes } = cycle[i % cycle.length] ?? { maxRecords: 1, maxBytes: 1 };
          const result = await log.read(topic, 0, next, { maxRecords, maxBytes });
          const sizes = result.records.map(({ value }) => value?.length ?? 0);
          assert.ok(sizes.length <= maxRecords);
          assert.ok(sizes.slice(0, -1).reduce((sum, size) => sum + size, 0) <= maxBytes);
          assert.ok(result.next > next, "makes progress");
          seen.push(...result.records);
          next = result.next;
        }
        assert.deepEqual(seen, whole);
      }),
      { numRuns: Math.ceil(suite.runs / 5) },
    );
  });

  suite.test("read() begins at the first record at or after a position", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const offsets = await log.append(["a", "b", "c"].map((text) => record(topic, 0, text)));
    for (const [i, offset] of offsets.entries()) {
      assert.deepEqual(texts(await all(log, topic, 0, offset)), ["a", "b", "c"].slice(i));
      assert.deepEqual(texts(await all(log, topic, 0, offset + 1)), ["a", "b", "c"].slice(i + 1));
    }
    assert.deepEqual(texts(await all(log, topic, 0, -5)), ["a", "b", "c"]);
  });

  suite.test("read() returns nothing at the end, and refuses a position beyond it", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    assert.deepEqual(await log.read(topic, 0, 0), { records: [], next: 0 });
    await log.append([record(topic, 0, "a")]);
    const { end } = await log.bounds(topic, 0);
    assert.deepEqual(await log.read(topic, 0, end), { records: [], next: end });
    assert.deepEqual(await log.read(topic, 0, end, { waitMs: 1 }), { records: [], next: end });
    await assert.rejects(log.read(topic, 0, end + 1000), hasCode("beyond-end"));
    await assert.rejects(log.read(topic, 0, 0.5), RangeError);
  });

  suite.test("read() wakes up from waiting when a record arrives in its partition", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    const reading = log.read(topic, 1, 0, { waitMs: 60_000 });
    await log.append([record(topic, 0, "elsewhere")]);
    await log.append([record(topic, 1, "here")]);
    assert.deepEqual(texts((await reading).records), ["here"]);

    const { end } = await log.bounds(topic, 1);
    const again = log.read(topic, 1, end, { waitMs: 60_000 });
    await using writer = await log.writer(`${topic}.writer`);
    await writer.commit({ records: [record(topic, 1, "committed")], group: "g", offsets: [] });
    assert.deepEqual(texts((await again).records), ["committed"]);
  });

  suite.test("read() rejects with the reason of its signal", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const reason = new Error("enough");
    const controller = new AbortController();
    const reading = log.read(topic, 0, 0, { waitMs: 60_000, signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(reading, (error) => error === reason);
    await assert.rejects(log.read(topic, 0, 0, { signal: controller.signal }), (error) => error === reason);
  });

  suite.test("read(), bounds(), committed() and trim() refuse what does not exist", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    const calls = (name: string, partition: number) => [
      log.read(name, partition, 0),
      log.bounds(name, partition),
      log.committed("group", name, partition),
      log.trim(name, partition, 0),
    ];
    for (const call of calls(`${topic}.none`, 0)) await assert.rejects(call, hasCode("unknown-topic"));
    for (const call of calls(topic, 2)) await assert.rejects(call, hasCode("unknown-partition"));
  });

  suite.test("trim() drops the records below an offset and reuses no offset", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    const offsets = await log.append(Array.from({ length: 200 }, (_, i) => record(topic, 0, `${i}`)));
    await log.append([record(topic, 1, "other")]);
    const at = offsets[150] ?? NaN;
    await log.trim(topic, 0, at);
    await log.trim(topic, 0, offsets[10] ?? NaN);
    assert.equal((await log.bounds(topic, 0)).start, at);
    assert.equal(texts(await all(log, topic, 0))[0], "150");
    assert.equal((await all(log, topic, 0)).length, 50);
    assert.deepEqual(texts(await all(log, topic, 1)), ["other"]);

    const { end } = await log.bounds(topic, 0);
    await log.trim(topic, 0, end);
    assert.deepEqual(await log.bounds(topic, 0), { start: end, end });
    assert.deepEqual(await all(log, topic, 0), []);
    const [next] = await log.append([record(topic, 0, "new")]);
    assert.ok(next !== undefined && next >= end);
    await assert.rejects(log.trim(topic, 0, end + 1000), RangeError);
  });

  suite.test(
    "read() tells how many offsets the log had dropped before they were read",
    async (log, topic) => {
      await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
      const offsets = await log.append(Array.from({ length: 60 }, (_, i) => record(topic, 0, `${i}`)));
      const [first, tenth, fiftieth] = [offsets[0]!, offsets[10]!, offsets[50]!];
      const held = await log.read(topic, 0, first, { maxRecords: 10 });
      assert.equal(held.dropped, undefined);
      await log.trim(topic, 0, fiftieth);
      // A reader may have read ahead what was dropped: then it does not miss it.
      const seen: string[] = [];
      let missing = 0;
      for (let next = held.next, end = offsets.at(-1)! + 1; next < end;) {
        const { records, dropped = 0, next: behind } = await log.read(topic, 0, next, { maxRecords: 7 });
        assert.ok(dropped === 0 || (records[0]?.offset ?? behind) >= next + dropped);
        seen.push(...texts(records));
        missing += dropped;
        next = behind;
      }
      assert.equal(missing, fiftieth - tenth - (seen.length - 10));
      assert.deepEqual(texts(await all(log, topic, 0)), seen.slice(-10));
      assert.equal((await log.read(topic, 0, first, { maxRecords: 1 })).dropped, fiftieth - first);
      assert.equal((await log.read(topic, 0, fiftieth, { maxRecords: 1 })).dropped, undefined);

      const { end } = await log.bounds(topic, 0);
      await log.trim(topic, 0, end);
      assert.deepEqual(await log.read(topic, 0, fiftieth + 3), {
        records: [],
        next: end,
        dropped: end - fiftieth - 3,
      });
      assert.deepEqual(await log.read(topic, 0, end), { records: [], next: end });
    },
  );

  suite.test(
    "identify() gives each topic an id of its own, and its number of partitions",
    async (log, topic) => {
      assert.equal(await log.identify(topic), null);
      await log.createTopics([
        { name: topic, partitions: 3, cleanup: "delete" },
        { name: `${topic}.other`, partitions: 1, cleanup: "compact" },
      ]);
      const [one, other] = [await log.identify(topic), await log.identify(`${topic}.other`)];
      assert.deepEqual([one?.partitions, other?.partitions], [3, 1]);
      assert.ok(one?.id && other?.id && one.id !== other.id);
      assert.deepEqual(await log.identify(topic), one);
    },
  );

  suite.test("trim() refuses a compact topic", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "compact" }]);
    await log.append([record(topic, 0, "a")]);
    await assert.rejects(log.trim(topic, 0, 1), hasCode("topic-mismatch"));
  });
}

function plain({ key, value, time, headers, partition, offset }: Omit<LogRecord, "topic">): unknown {
  return [key, value && [...value], time, Object.entries(headers).sort(), partition, offset];
}
