/**
 * What every {@linkcode Log} does with commits, crashes and closing.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Log, LogRecord, TopicIdentity } from "../../streams/log/log.ts";
import { all, hasCode, type LogSuite, newPlace, record, texts } from "./log_suite.ts";

/** Registers the tests of commits, crashes and closing. */
export function commitContract(suite: LogSuite): void {
  suite.test("commit() makes records and offsets visible together", async (log, topic) => {
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

  suite.test("commit() refuses what does not exist, and makes nothing visible", async (log, topic) => {
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

  suite.test("writer() fences the previous writer with its id, and no other", async (log, topic) => {
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

  suite.test("writer() lets a commit in flight through entirely or not at all", async (log, topic) => {
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const group = `${topic}.group`;
    await using zombie = await log.writer(`${topic}.0`);
    const offsets = [{ topic, partition: 0, offset: 5 }];
    const inFlight = zombie.commit({ records: [record(topic, 0, "a")], group, offsets })
      .then(() => true, () => false);
    await using _owner = await log.writer(`${topic}.0`);
    // What is not visible now must never become so.
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
      const log = await suite.open({ place, onStep });
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
  suite.testTrait(
    "steps",
    "commit() is atomic when it fails at any step, and the log goes on",
    () => failAtEveryStep((log) => Promise.resolve(log)),
  );
  suite.testTrait(
    suite.excused.steps === undefined ? "restart" : "steps",
    "commit() is atomic when it crashes at any step",
    () =>
      failAtEveryStep(async (log, place) => {
        await log[Symbol.asyncDispose]();
        return suite.open({ place });
      }),
  );

  suite.testTrait(
    "restart",
    "asyncDispose() keeps everything that was acknowledged for the next opening",
    async () => {
      const place = newPlace();
      const compact = `${place}.compact`;
      const group = `${place}.group`;
      const specs = [
        { name: place, partitions: 2, cleanup: "delete" },
        { name: compact, partitions: 1, cleanup: "compact" },
      ] as const;
      let before: LogRecord[];
      let empty: number;
      let identity: TopicIdentity | null;
      {
        await using log = await suite.open({ place });
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
        identity = await log.identify(place);
      }
      await using log = await suite.open({ place });
      await log.createTopics(specs);
      assert.deepEqual(await all(log, place, 1), before);
      assert.deepEqual(texts(before), ["b", "c"]);
      assert.deepEqual(await log.identify(place), identity);
      assert.deepEqual(await log.bounds(place, 0), { start: empty, end: empty });
      assert.equal(texts(await all(log, compact, 0)).at(-1), "z");
      assert.equal(await log.committed(group, place, 1), 2);
      const [offset] = await log.append([record(place, 1, "d")]);
      assert.ok(offset !== undefined && offset > (before.at(-1)?.offset ?? Infinity));
      assert.deepEqual(texts(await all(log, place, 1)), ["b", "c", "d"]);
    },
  );

  Deno.test(`${suite.name}.asyncDispose() ends waiting reads, and later calls are refused`, async () => {
    const place = newPlace();
    const log = await suite.open({ place });
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
        () => log.identify(place),
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
}
