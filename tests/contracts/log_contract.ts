/**
 * What every {@linkcode Log} does. Holds only what Kafka can hold too: holes between offsets are allowed, old
 * records of a key may linger, and a rebalance may revoke more than it moves.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Log,
  LogError,
  type LogErrorCode,
  type LogRecord,
  type NewRecord,
} from "../../streams/log/log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { groupContract } from "./group_contract.ts";

/** Where and how a test wants its log. */
export interface LogPlace {
  /** Names the place: unique for a test, the same when the test opens it again. A valid topic name. */
  readonly place: string;
  /** To be called between the steps of a commit; throwing is a crash there. */
  readonly onStep?: (step: string) => void;
}

/** Opens a log. */
export type OpenLog = (place: LogPlace) => Promise<Log>;

/** What not every log can show. */
export type LogTrait =
  /** What was acknowledged is there when the place is opened again. */
  | "restart"
  /** Calls `onStep`. */
  | "steps"
  /** Drops superseded records of a compact topic at once. */
  | "prompt compaction";

/** How the contract treats an implementation. */
export interface LogContractOptions {
  /** Why it is excused from a trait. */
  readonly excused?: Readonly<Partial<Record<LogTrait, string>>>;
  /** Runs of each property. @default {50} */
  readonly runs?: number;
}

/** Registers the tests of the contract for one implementation. */
export function logContract(name: string, open: OpenLog, options: LogContractOptions = {}): void {
  const { excused = {}, runs = 50 } = options;

  const test = (title: string, body: (log: Log, topic: string) => Promise<void>) =>
    Deno.test(`${name}.${title}`, async () => {
      const place = newPlace();
      await using log = await open({ place });
      await body(log, place);
    });
  const testTrait = (trait: LogTrait, title: string, body: () => Promise<void>) => {
    const reason = excused[trait];
    Deno.test({
      name: `${name}.${title}${reason === undefined ? "" : ` (excused: ${reason})`}`,
      ignore: reason !== undefined,
      fn: body,
    });
  };

  test("createTopics() creates what is missing and keeps what is there", async (log, topic) => {
    const spec = { name: topic, partitions: 3, cleanup: "delete" } as const;
    await log.createTopics([spec]);
    await log.append([record(topic, 0, "kept")]);
    await log.createTopics([spec, { name: `${topic}.other`, partitions: 1, cleanup: "compact" }]);
    const topics = await log.topics();
    assert.deepEqual(topics.get(topic), spec);
    assert.equal(topics.get(`${topic}.other`)?.cleanup, "compact");
    assert.deepEqual(texts(await all(log, topic, 0)), ["kept"]);
  });

  test("createTopics() refuses another spec of a topic, and then creates none", async (log, topic) => {
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
  });

  test("append() keeps the order of each partition and gives rising offsets", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    const first = await log.append([0, 1, 0, 1, 0].map((p, i) => record(topic, p, `${i}`)));
    const second = await log.append([record(topic, 0, "5"), record(topic, 1, "6")]);
    assert.deepEqual(texts(await all(log, topic, 0)), ["0", "2", "4", "5"]);
    assert.deepEqual(texts(await all(log, topic, 1)), ["1", "3", "6"]);
    const zero = await all(log, topic, 0);
    assert.deepEqual(zero.map(({ offset }) => offset), [first[0], first[2], first[4], second[0]]);
    assert.ok(zero.every(({ offset }, i) => i === 0 || offset > (zero[i - 1]?.offset ?? Infinity)));
  });

  test("append() loses nothing of calls that overlap", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    await Promise.all(["a", "b", "c", "d"].map((text) => log.append([record(topic, 0, text)])));
    assert.deepEqual(texts(await all(log, topic, 0)).sort(), ["a", "b", "c", "d"]);
  });

  test("append() places a record by its key when no partition is given", async (log, topic) => {
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

  test("append() refuses a bad record, and then appends none of its batch", async (log, topic) => {
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

  test("append() takes any key, value, headers and time, and read() gives them back", async (log, topic) => {
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
      { numRuns: runs },
    );
  });

  test("append() has copied the bytes when it resolves", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const value = new Uint8Array([1, 2, 3]);
    await log.append([{ topic, key: "a", value, time: 0 }]);
    value.fill(9);
    assert.deepEqual((await all(log, topic, 0))[0]?.value, new Uint8Array([1, 2, 3]));
  });

  test("read() gives the same records in any chunks", async (log, topic) => {
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
      { numRuns: Math.ceil(runs / 5) },
    );
  });

  test("read() begins at the next record at or above a position", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const offsets = await log.append(["a", "b", "c"].map((text) => record(topic, 0, text)));
    for (const [i, offset] of offsets.entries()) {
      assert.deepEqual(texts(await all(log, topic, 0, offset)), ["a", "b", "c"].slice(i));
      assert.deepEqual(texts(await all(log, topic, 0, offset + 1)), ["a", "b", "c"].slice(i + 1));
    }
    assert.deepEqual(texts(await all(log, topic, 0, -5)), ["a", "b", "c"]);
  });

  test("read() at the end gives nothing and stays there; above it, it refuses", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    assert.deepEqual(await log.read(topic, 0, 0), { records: [], next: 0 });
    await log.append([record(topic, 0, "a")]);
    const { end } = await log.bounds(topic, 0);
    assert.deepEqual(await log.read(topic, 0, end), { records: [], next: end });
    assert.deepEqual(await log.read(topic, 0, end, { waitMs: 1 }), { records: [], next: end });
    await assert.rejects(log.read(topic, 0, end + 1000), RangeError);
  });

  test("read() that waits wakes up when a record comes to its partition", async (log, topic) => {
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

  test("read() rejects with the reason of its signal", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const reason = new Error("enough");
    const controller = new AbortController();
    const reading = log.read(topic, 0, 0, { waitMs: 60_000, signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(reading, (error) => error === reason);
    await assert.rejects(log.read(topic, 0, 0, { signal: controller.signal }), (error) => error === reason);
  });

  test("read(), bounds(), committed() and trim() refuse what does not exist", async (log, topic) => {
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

  test("trim() drops what is below and reuses no offset", async (log, topic) => {
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

  test("trim() refuses a compact topic", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "compact" }]);
    await log.append([record(topic, 0, "a")]);
    await assert.rejects(log.trim(topic, 0, 1), hasCode("topic-mismatch"));
  });

  test(
    "compaction leaves every reader, however far behind, the final value of every key",
    async (log, topic) => {
      await log.createTopics([{ name: topic, partitions: 1, cleanup: "compact" }]);
      const keys = fc.constantFrom("a", "b", "c", "d");
      const change = fc.record({ key: keys, number: fc.option(fc.nat(99)) });
      const batches = fc.array(fc.array(change, { maxLength: 20 }), { maxLength: 10 });
      const expected = new Map<string, string>();
      const behind = new Map<string, string>();
      let position = 0;
      await fc.assert(
        fc.asyncProperty(batches, fc.boolean(), async (batches, readerWakes) => {
          for (const batch of batches) {
            const records = batch.map(({ key, number }) => ({
              topic,
              key,
              value: number === null ? null : bytes(`${number}`),
              time: 0,
            }));
            await log.append(records);
            for (const appended of records) fold(expected, appended);
          }
          const fresh = new Map<string, string>();
          const kept = await all(log, topic, 0);
          for (const one of kept) fold(fresh, one);
          if (kept[0] !== undefined) assert.ok((await log.bounds(topic, 0)).start <= kept[0].offset);
          assert.deepEqual(fresh, expected);
          if (!readerWakes) return;
          for (const one of await all(log, topic, 0, position)) fold(behind, one);
          position = (await log.bounds(topic, 0)).end;
          assert.deepEqual(behind, expected);
        }),
        { numRuns: runs },
      );
    },
  );

  testTrait("prompt compaction", "append() to a compact topic drops what it supersedes", async () => {
    const topic = newPlace();
    await using log = await open({ place: topic });
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "compact" }]);
    for (let round = 0; round < 50; round++) {
      const text = `${round}`;
      await log.append(
        Array.from({ length: 100 }, (_, i) => ({ ...record(topic, 0, text), key: `${i % 20}` })),
      );
      const kept = await all(log, topic, 0);
      assert.deepEqual(kept.map(({ key }) => key), Array.from({ length: 20 }, (_, i) => `${i}`));
      assert.deepEqual(new Set(texts(kept)), new Set([text]));
      assert.equal((await log.bounds(topic, 0)).start, kept[0]?.offset);
    }
  });

  test("commit() makes records and offsets visible together", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    const group = `${topic}.group`;
    assert.equal(await log.committed(group, topic, 0), null);
    await using writer = await log.writer(`${topic}.writer`);
    await writer.commit({
      records: [record(topic, 0, "a"), record(topic, 1, "b")],
      group,
      offsets: [{ topic, partition: 0, offset: 7 }, { topic, partition: 1, offset: 0 }],
    });
    await writer.commit({ records: [], group, offsets: [{ topic, partition: 0, offset: 9 }] });
    await writer.commit({ records: [record(topic, 0, "c")], group, offsets: [] });
    assert.deepEqual(texts(await all(log, topic, 0)), ["a", "c"]);
    assert.deepEqual(texts(await all(log, topic, 1)), ["b"]);
    assert.equal(await log.committed(group, topic, 0), 9);
    assert.equal(await log.committed(group, topic, 1), 0);
    assert.equal(await log.committed(`${group}.other`, topic, 0), null);
  });

  test("commit() refuses what does not exist, and then makes nothing visible", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const group = `${topic}.group`;
    await using writer = await log.writer(`${topic}.writer`);
    const good = { records: [record(topic, 0, "a")], group, offsets: [{ topic, partition: 0, offset: 1 }] };
    const none = `${topic}.none`;
    await assert.rejects(
      writer.commit({ ...good, records: [...good.records, record(none, 0, "b")] }),
      hasCode("unknown-topic"),
    );
    await assert.rejects(
      writer.commit({ ...good, offsets: [...good.offsets, { topic, partition: 1, offset: 1 }] }),
      hasCode("unknown-partition"),
    );
    await assert.rejects(
      writer.commit({ ...good, offsets: [{ topic, partition: 0, offset: -1 }] }),
      RangeError,
    );
    assert.deepEqual(await all(log, topic, 0), []);
    assert.equal(await log.committed(group, topic, 0), null);
  });

  test("writer() fences the writer that had its id, and no other", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const group = `${topic}.group`;
    const commit = (text: string, offset: number) => ({
      records: [record(topic, 0, text)],
      group,
      offsets: [{ topic, partition: 0, offset }],
    });
    await using zombie = await log.writer(`${topic}.0`);
    await using neighbour = await log.writer(`${topic}.1`);
    await zombie.commit(commit("before", 1));
    await using owner = await log.writer(`${topic}.0`);
    await owner.commit(commit("owner", 2));
    for (let i = 0; i < 2; i++) await assert.rejects(zombie.commit(commit("zombie", 1)), hasCode("fenced"));
    await neighbour.commit({ records: [record(topic, 0, "neighbour")], group, offsets: [] });
    assert.deepEqual(texts(await all(log, topic, 0)), ["before", "owner", "neighbour"]);
    assert.equal(await log.committed(group, topic, 0), 2);
  });

  test("writer() lets a commit in flight through wholly or not at all", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const group = `${topic}.group`;
    await using zombie = await log.writer(`${topic}.0`);
    const offsets = [{ topic, partition: 0, offset: 5 }];
    const inFlight = zombie.commit({ records: [record(topic, 0, "a")], group, offsets })
      .then(() => true, () => false);
    await using _owner = await log.writer(`${topic}.0`);
    // What is not visible now must never be.
    const visible = await log.committed(group, topic, 0) === 5;
    assert.equal(await inFlight && !visible, false);
    assert.deepEqual(texts(await all(log, topic, 0)), visible ? ["a"] : []);
  });

  const failAtEveryStep = async (recover: (log: Log, place: string) => Promise<Log>) => {
    for (let failAt = 0, failed = true; failed; failAt++) {
      const place = newPlace();
      const [left, right, group] = [`${place}.left`, `${place}.right`, `${place}.group`];
      let countdown = Infinity;
      const onStep = () => {
        if (countdown-- === 0) throw new Error("crash");
      };
      const log = await open({ place, onStep });
      await log.createTopics([
        { name: left, partitions: 2, cleanup: "delete" },
        { name: right, partitions: 1, cleanup: "compact" },
      ]);
      const commit = (text: string, offset: number) => ({
        records: [
          ...Array.from({ length: 10 }, () => record(left, 0, text)),
          record(left, 1, text),
          record(right, 0, text),
        ],
        group,
        offsets: [{ topic: left, partition: 0, offset }],
      });
      const writer = await log.writer(`${place}.writer`);
      await writer.commit(commit("first", 1));
      countdown = failAt;
      failed = await writer.commit(commit("second", 2)).then(() => false, () => true);
      countdown = Infinity;
      await using after = await recover(log, place);
      const expected = await after.committed(group, left, 0) === 2 ? ["first", "second"] : ["first"];
      if (!failed) assert.ok(failAt > 2 && expected.length === 2, `only ${failAt} steps`);
      const check = async () => {
        const tenfold = expected.flatMap((text) => Array<string>(10).fill(text));
        assert.deepEqual(texts(await all(after, left, 0)), tenfold, `failed at step ${failAt}`);
        assert.deepEqual(texts(await all(after, left, 1)), expected, `failed at step ${failAt}`);
        assert.deepEqual(texts(await all(after, right, 0)), expected, `failed at step ${failAt}`);
      };
      await check();
      await using successor = await after.writer(`${place}.writer`);
      await successor.commit(commit("third", 3));
      expected.push("third");
      await check();
    }
  };
  testTrait(
    "steps",
    "commit() that fails at any step took place wholly or not at all, and the log goes on",
    () => failAtEveryStep((log) => Promise.resolve(log)),
  );
  testTrait(
    excused.steps === undefined ? "restart" : "steps",
    "commit() that crashes at any step took place wholly or not at all",
    () =>
      failAtEveryStep(async (log, place) => {
        await log[Symbol.asyncDispose]();
        return open({ place });
      }),
  );

  testTrait("restart", "asyncDispose() and opening again find everything that was acknowledged", async () => {
    const place = newPlace();
    const compact = `${place}.compact`;
    const group = `${place}.group`;
    const specs = [
      { name: place, partitions: 2, cleanup: "delete" },
      { name: compact, partitions: 1, cleanup: "compact" },
    ] as const;
    let before: LogRecord[];
    let empty: number;
    {
      await using log = await open({ place });
      await log.createTopics(specs);
      const offsets = await log.append(["a", "b", "c"].map((text) => record(place, 1, text)));
      await log.trim(place, 1, offsets[1] ?? NaN);
      await log.append(["x", "y", "z"].map((text) => ({ ...record(compact, 0, text), key: "k" })));
      await using writer = await log.writer(`${place}.writer`);
      await writer.commit({ records: [], group, offsets: [{ topic: place, partition: 1, offset: 2 }] });
      await log.append([record(place, 0, "gone")]);
      empty = (await log.bounds(place, 0)).end;
      await log.trim(place, 0, empty);
      before = await all(log, place, 1);
    }
    await using log = await open({ place });
    await log.createTopics(specs);
    assert.deepEqual(await all(log, place, 1), before);
    assert.deepEqual(texts(before), ["b", "c"]);
    assert.deepEqual(await log.bounds(place, 0), { start: empty, end: empty });
    assert.equal(texts(await all(log, compact, 0)).at(-1), "z");
    assert.equal(await log.committed(group, place, 1), 2);
    const [offset] = await log.append([record(place, 1, "d")]);
    assert.ok(offset !== undefined && offset > (before.at(-1)?.offset ?? Infinity));
    assert.deepEqual(texts(await all(log, place, 1)), ["b", "c", "d"]);
  });

  Deno.test(`${name}.asyncDispose() ends waiting reads, and later calls are refused`, async () => {
    const place = newPlace();
    const log = await open({ place });
    await log.createTopics([{ name: place, partitions: 1, cleanup: "delete" }]);
    const writer = await log.writer(`${place}.writer`);
    const waiting = assert.rejects(log.read(place, 0, 0, { waitMs: 60_000 }), hasCode("closed"));
    await log[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    await waiting;
    const handlers = { assigned: () => Promise.resolve(), revoked: () => Promise.resolve() };
    for (
      const call of [
        () => log.createTopics([]),
        () => log.topics(),
        () => log.append([record(place, 0, "a")]),
        () => log.read(place, 0, 0),
        () => log.bounds(place, 0),
        () => log.committed("g", place, 0),
        () => log.writer("w"),
        () => log.join("g", [place], handlers),
        () => log.trim(place, 0, 0),
        () => writer.commit({ records: [], group: "g", offsets: [] }),
      ]
    ) await assert.rejects(call(), hasCode("closed"), `${call}`);
  });

  groupContract(name, open, runs);
}

/** A fresh place. */
export function newPlace(): string {
  return `contract-${crypto.randomUUID()}`;
}

/** Whether an error is a {@linkcode LogError} with this code. */
export function hasCode(code: LogErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof LogError && error.code === code;
}

/** A record whose value is a text. */
export function record(topic: string, partition: number, text: string): NewRecord {
  return { topic, partition, key: text, value: bytes(text), time: 1_000 };
}

/** Everything of a partition at or above a position. */
export async function all(log: Log, topic: string, partition: number, from = 0): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const { end } = await log.bounds(topic, partition);
  for (let next = from; next < end;) {
    const result = await log.read(topic, partition, next);
    records.push(...result.records);
    next = result.next;
  }
  return records;
}

/** The values as texts. */
export function texts(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => new TextDecoder().decode(value ?? new Uint8Array()));
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function fold(state: Map<string, string>, { key, value }: Pick<LogRecord, "key" | "value">): void {
  if (key === null) return;
  if (value === null) state.delete(key);
  else state.set(key, new TextDecoder().decode(value));
}

function plain({ key, value, time, headers, partition, offset }: Omit<LogRecord, "topic">): unknown {
  return [key, value && [...value], time, Object.entries(headers).sort(), partition, offset];
}
