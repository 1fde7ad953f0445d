import assert from "node:assert/strict";
import { TASK_KEY } from "../../src/engine/task_codec.ts";
import { encodeEvent } from "../../src/events/codec.ts";
import { copyRecords } from "../../streams/backup/record_backup.ts";
import type { RecordLog } from "../../streams/log/capabilities.ts";
import { readRecords } from "../../streams/backup/record_file.ts";
import { refillAll, refuseFarOffsets } from "../../streams/backup/record_restore.ts";
import { writerOf } from "../../streams/learning/learner_records.ts";
import type { Bounds, Log, LogRecord, NewRecord, Place } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { extentsOf, readAll } from "../../streams/log/reading.ts";
import { encodeInputs, INPUTS, PARTITIONS as PARTITIONS_HEADER } from "../../streams/task/inputs/position.ts";
import type { TaskRuntime } from "../../streams/task/options.ts";
import { Task } from "../../streams/task/task.ts";
import { tasksGroup, topicNames, type Topics, topicSpecs } from "../../streams/topics/topics.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { SCHEMA } from "../learner/batches.ts";
import { withoutIndex } from "../task/harness.ts";
import { temporaryFolder } from "../scripts/command.ts";

/** A log in memory whose backups are made of records. */
function recordLog(
  log: MemoryLog,
  onEnds: (of: string, places: readonly Place[]) => Promise<void> = async () => {},
): RecordLog {
  return Object.assign(log as Log, {
    refill: async (
      topic: string,
      partition: number,
      records: AsyncIterable<LogRecord>,
      { start, end }: Bounds,
    ) => {
      const filler = { topic, partition, key: null, value: null, time: 0 };
      if (start > 0) await log.append(Array.from({ length: start }, () => filler));
      for await (const { offset, ...record } of records) {
        assert.equal((await log.bounds(topic, partition)).end, offset, `${topic}/${partition}`);
        await log.append([record]);
      }
      if (start > 0) await log.trim(topic, partition, start);
      assert.equal((await log.bounds(topic, partition)).end, end, `${topic}/${partition}`);
    },
    endsOf: async (places: readonly Place[], of: "readable" | "written") => {
      const ends = await Promise.all(places.map(({ topic, partition }) => log.bounds(topic, partition)));
      await onEnds(of, places);
      return ends.map(({ end }) => end);
    },
  });
}

const record = (topic: string, n: number) => ({
  topic,
  partition: 0,
  key: `k${n}`,
  value: n % 5 === 4 ? null : new Uint8Array(n % 300).fill(n),
  time: n,
  ...n % 2 === 0 ? { headers: { input: `0/${n}/é` } } : {},
});

async function recordsIn(folder: string, topic: string): Promise<LogRecord[]> {
  return await Array.fromAsync(readRecords(`${folder}/${topic}-0.records`, { topic, partition: 0 }));
}

Deno.test("copyRecords() copies all generations of a deployment, and none whose prefix begins with its own", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  const more = ["meander.state.g2", "meander.parameters.mimn"];
  await log.createTopics([
    ...topicSpecs(topicNames("meander."), 1),
    ...topicSpecs(topicNames("meander.v2."), 1),
    ...more.map((name) => ({ name, partitions: 1, cleanup: "delete" as const })),
  ]);
  await log.append(Array.from({ length: 3000 }, (_, n) => record("meander.samples", n)));
  await log.append([record("meander.state.g2", 7)]);
  const topics = await copyRecords(recordLog(log), folder.path, "meander.", () => {});
  const own = [...topicSpecs(topicNames("meander."), 1).map(({ name }) => name), ...more];
  assert.deepEqual(topics.map(({ name }) => name), own.toSorted());
  for (const topic of ["meander.samples", "meander.state.g2", "meander.events"]) {
    assert.deepEqual(
      await recordsIn(folder.path, topic),
      await Array.fromAsync(readAll(log, topic, 0)),
      topic,
    );
  }
  await assert.rejects(
    copyRecords(recordLog(log), folder.path, "none.", () => {}),
    /Cannot back up the deployment of the prefix none\.: there is no none\.events; see --prefix/,
  );
});

Deno.test("copyRecords() looks for another moment when the log drops records just before the first one", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topicNames(), 1));
  const topic = "meander.parameters";
  await log.append(Array.from({ length: 10 }, (_, n) => record(topic, n)));
  let looks = 0;
  const source = recordLog(log, async (of) => {
    // After everything was copied, and again once the first moment is chosen.
    if (++looks === 1) await log.append([record(topic, 10), record(topic, 11)]);
    if (of === "written" && looks < 6) {
      await log.append([record(topic, 12)]);
      await log.trim(topic, 0, 12);
    }
  });
  const topics = await copyRecords(source, folder.path, "meander.", () => {});
  assert.ok(looks > 4, "it has looked again");
  const { bounds } = topics.find(({ name }) => name === topic) ?? assert.fail();
  assert.deepEqual(bounds, [{ start: 12, end: 13 }]);
  const offsets = (await recordsIn(folder.path, topic)).map(({ offset }) => offset);
  assert.deepEqual(offsets, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]);
  await using copy = new MemoryLog();
  await refillAll(recordLog(copy), folder.path, {
    manifest: { prefix: "meander.", topics },
    prefix: "meander.",
    tell: () => {},
  });
  assert.deepEqual((await Array.fromAsync(readAll(copy, topic, 0))).map(({ offset }) => offset), [12]);
});

Deno.test("copyRecords() includes topics created while it copies, since copied records may name them", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topicNames(), 1));
  const [made, noted] = ["meander.state.g2", "meander.generations"];
  let looks = 0;
  const source = recordLog(log, async () => {
    if (++looks !== 1) return;
    await log.createTopics([{ name: made, partitions: 1, cleanup: "compact" }]);
    await log.append([record(made, 1), record(noted, 2)]);
  });
  const topics = await copyRecords(source, folder.path, "meander.", () => {});
  for (const topic of [made, noted]) {
    assert.ok(topics.some(({ name }) => name === topic), topic);
    assert.deepEqual(
      await recordsIn(folder.path, topic),
      await Array.fromAsync(readAll(log, topic, 0)),
    );
  }
});

Deno.test("copyRecords() gives up when the log drops records as fast as they are read, or fails", async () => {
  const topic = "meander.parameters";
  const copyWith = async (act: (log: MemoryLog) => Promise<unknown>) => {
    await using folder = await temporaryFolder();
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topicNames(), 1));
    let cuts = 0;
    const source = recordLog(log, async (of, places) => {
      const names = new Set(places.map(({ topic }) => topic));
      const [hasSources, hasOthers] = [
        names.has("meander.events") || names.has("meander.items"),
        names.has(topic),
      ];
      if (hasSources && hasOthers) return void await log.append([record(topic, 1), record(topic, 2)]);
      assert.equal(hasSources, of === "readable" && names.size === 2, "transactions write to the others");
      if (of === "readable") return;
      cuts++;
      await act(log);
    });
    const error = await copyRecords(source, folder.path, "meander.", () => {}).catch((error) => error);
    return [String(error), cuts] as const;
  };
  const dropped = await copyWith(async (log) => await log.trim(topic, 0, (await log.bounds(topic, 0)).end));
  assert.deepEqual(dropped, [
    `Error: Cannot back up ${topic}/0: the log drops records as fast as they are read`,
    5,
  ]);
  const [failed, cuts] = await copyWith((log) => {
    log.read = () => Promise.reject(new Error("the disk is gone"));
    return Promise.resolve();
  });
  assert.deepEqual([failed, cuts], ["Error: the disk is gone", 1]);
});

Deno.test("refillAll() restores records at their offsets, with the topics' current names and ids", async () => {
  const PARTITIONS = 2;
  /** The contents of topics with these names and ids. */
  const contents = (topics: Topics, idOf: (topic: string) => string): NewRecord[] => {
    const [named, id] = [JSON.stringify(topics.events), idOf(topics.events)];
    const text = (text: string) => new TextEncoder().encode(text);
    const next = [3, 4];
    const common = { partition: 0, time: 5 };
    return [
      ...Array.from({ length: 9 }, (_, n) => ({ ...record(topics.samples, n), partition: n % PARTITIONS })),
      {
        ...common,
        topic: topics.events,
        key: "u",
        value: text('"meander.events"'),
        headers: { from: `${named} ${id}` },
      },
      {
        ...common,
        topic: topics.rejected,
        key: null,
        value: text(`{"topic":${named},"about":"the meander.events"}`),
      },
      { ...common, topic: topics.positions, key: "other", value: text(`{"next":1,"of":[${named},"${id}"]}`) },
      {
        ...common,
        topic: topics.positions,
        key: writerOf(topics, "base"),
        value: text(JSON.stringify({ next, id: idOf(topics.samples) })),
      },
      ...next.map((next, partition) => ({
        ...common,
        topic: topics.statistics,
        partition,
        key: TASK_KEY,
        value: new Uint8Array(1),
        headers: { [INPUTS]: encodeInputs(next, { events: id }), [PARTITIONS_HEADER]: `${PARTITIONS}` },
      })),
      ...[9, 10, 11].map((n) => record(topics.samples, n)),
    ];
  };
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  const was = topicNames("meander.");
  const open = async (log: MemoryLog, topics: Topics) => {
    await log.createTopics(topicSpecs(topics, PARTITIONS));
    const ids = new Map<string, string>();
    for (const { name } of topicSpecs(topics, PARTITIONS)) {
      ids.set(name, (await log.identify(name))?.id ?? "");
    }
    return (name: string) => ids.get(name)!;
  };
  const all = contents(was, await open(log, was));
  await log.append(all.slice(0, -3));
  await log.trim(was.samples, 1, 2);
  const copied: (readonly [number, number])[] = [];
  let looks = 0;
  const source = recordLog(log, async () => {
    if (++looks === 1) await log.append(all.slice(-3)); // while it copies
  });
  const tell = (done: number, all: number) => copied.push([done, all]);
  const manifest = { prefix: "meander.", topics: await copyRecords(source, folder.path, "meander.", tell) };
  assert.equal(looks, 4, "the first moment was one");
  assert.deepEqual(copied.filter(([done, all]) => done === all), [[13, 13], [3, 3]]);
  for (const prefix of ["meander.", "shop."]) {
    await using copy = new MemoryLog();
    await copy.createTopics(topicSpecs(topicNames(prefix), PARTITIONS).slice(0, 3)); // as if a first attempt had been killed
    const told: (readonly [number, number])[] = [];
    const options = { manifest, prefix, tell: (done: number, all: number) => told.push([done, all]) };
    await refillAll(recordLog(copy), folder.path, options);
    const topics = topicNames(prefix);
    const wanted = new MemoryLog();
    await open(wanted, topics);
    const ids = new Map((await extentsOf(copy, prefix)).map(({ name, id }) => [name, id ?? ""]));
    await wanted.append(contents(topics, (topic) => ids.get(topic)!));
    await wanted.trim(topics.samples, 1, 2);
    for (const { name, bounds } of await extentsOf(wanted, prefix)) {
      for (const partition of bounds.keys()) {
        assert.deepEqual(
          await Array.fromAsync(readAll(copy, name, partition)),
          await Array.fromAsync(readAll(wanted, name, partition)),
          name,
        );
      }
      assert.deepEqual((await extentsOf(copy, prefix)).find((one) => one.name === name)?.bounds, bounds);
    }
    for (const [partition, next] of [3, 4].entries()) {
      assert.equal(await copy.committed(tasksGroup(topics), topics.events, partition), next);
      assert.equal(await copy.committed(writerOf(topics, "base"), topics.samples, partition), next);
    }
    const done = told.map(([done]) => done);
    assert.deepEqual(done, done.toSorted((a, b) => a - b));
    assert.deepEqual(told.at(-1), [18, 18]);
    await assert.rejects(
      refillAll(recordLog(copy), folder.path, options),
      /Cannot restore to .*: it has had records up to offset \d+; delete the topics that begin with/,
    );
  }
  await using used = new MemoryLog();
  await used.createTopics(topicSpecs(was, PARTITIONS));
  await used.append([record(was.samples, 1)]);
  await assert.rejects(
    refillAll(recordLog(used), folder.path, { manifest, prefix: "meander.", tell: () => {} }),
    /meander\.samples: it has had records up to offset 1;/,
  );
  await assert.rejects(
    refillAll(recordLog(new MemoryLog()), folder.path, {
      manifest: { ...manifest, prefix: "" },
      prefix: "shop.",
      tell: () => {},
    }),
    /to --prefix shop\.: its own prefix is empty/,
  );
});

Deno.test("refillAll() makes a log of its own: a snapshot of states from after the backup does not belong to it", async () => {
  await using folder = await temporaryFolder();
  const names = topicNames("meander.");
  const snapshot = { folder: `${folder.path}/snapshot` };
  const item = "i";
  const views = (user: string, from: number, to: number): NewRecord[] =>
    Array.from({ length: to - from }, (_, n) => {
      const time = 1e12 + from + n;
      const event = { type: "interaction", user, item, action: "view", time } as const;
      return { topic: names.events, partition: 0, key: user, value: encodeEvent(event), time };
    });
  const usersOf = async (log: Log, runtime: TaskRuntime) => {
    await using task = await Task.open({
      log: withoutIndex(log),
      topics: names,
      partition: 0,
      options: { schema: SCHEMA },
      serving: new FakeServing(),
      ...runtime,
    });
    while ((await task.round({ rows: 20, events: 2 })).complete);
    await task.flush();
    return new Map(await Array.fromAsync(task.users.records(), ([id, bytes]) => [id, bytes.toHex()]));
  };
  await using log = new MemoryLog();
  // Not compacted, so that offsets have no gaps.
  await log.createTopics(topicSpecs(names, 1).map((spec) => ({ ...spec, cleanup: "delete" })));
  await log.append(views("before", 0, 10));
  await usersOf(log, { snapshot });
  const backup = `${folder.path}/backup`;
  await Deno.mkdir(backup);
  const manifest = {
    prefix: "meander.",
    topics: await copyRecords(recordLog(log), backup, "meander.", () => {}),
  };
  await log.append(views("lost", 10, 20));
  await usersOf(log, { snapshot });

  await using restored = new MemoryLog();
  await refillAll(recordLog(restored), backup, { manifest, prefix: "meander.", tell: () => {} });
  await restored.append(views("after", 20, 60));
  const want = await usersOf(restored, {}); // elsewhere, until the log is longer than before
  assert.deepEqual(await usersOf(restored, { snapshot }), want);
});

Deno.test("refillAll() refuses a log on which any topic of the deployment has had records, and topics of another prefix", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topicNames(), 1));
  await log.append([record("meander.events", 1)]);
  const topics = await copyRecords(recordLog(log), folder.path, "meander.", () => {});
  const restore = async (name: string, prefix: string) => {
    await using copy = new MemoryLog();
    await copy.createTopics(topicSpecs(topicNames(), 1));
    await copy.append([record("meander.positions", 1)]);
    const manifest = { prefix, topics: topics.filter((topic) => topic.name === name) };
    await refillAll(recordLog(copy), folder.path, { manifest, prefix: "meander.", tell: () => {} });
  };
  await assert.rejects(
    restore("meander.events", "meander."),
    /Cannot restore to meander\.positions: it has had records/,
  );
  await assert.rejects(
    restore("meander.events", "shop."),
    /its prefix is shop\., and it has the topic meander\.events/,
  );
});

Deno.test("refuseFarOffsets() allows ten billion offsets in all, and ten more for each byte of the files", () => {
  const check = (ends: readonly number[], bytes: number) => {
    const bounds = ends.map((end) => ({ start: end, end }));
    const topic = { name: "t", partitions: ends.length, cleanup: "delete", id: null, bounds } as const;
    refuseFarOffsets("b", { topics: [topic, topic], files: [{ name: "f", bytes, sha256: "" }] });
  };
  check([4e9, 1e9], 0);
  check([4e9, 2e9], 2e8);
  assert.throws(
    () => check([4e9, 1e9 + 1], 0),
    /had 10000000002 records, .* 0 bytes; 10000000000 are allowed/,
  );
  assert.throws(() => check([4e9, 2e9], 2e8 - 1), /had 12000000000 records/);
});

Deno.test("refillAll() writes no record beyond the end of its partition, since all offsets before it would be filled", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topicNames(), 1));
  await log.append([record("meander.events", 1), record("meander.events", 2)]);
  const topics = (await copyRecords(recordLog(log), folder.path, "meander.", () => {})).map((topic) =>
    topic.name === "meander.events" ? { ...topic, bounds: [{ start: 0, end: 1 }] } : topic
  );
  await using copy = new MemoryLog();
  await assert.rejects(
    refillAll(recordLog(copy), folder.path, {
      manifest: { prefix: "meander.", topics },
      prefix: "meander.",
      tell: () => {},
    }),
    /events-0\.records: it has a record at 1, and ends at 1 by its manifest/,
  );
});
