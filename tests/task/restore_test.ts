import assert from "node:assert/strict";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import { encodeItemState, itemKey } from "../../src/items/item_codec.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import { openRestore } from "../../streams/task/task_parts.ts";
import { encodeInputs, INPUTS } from "../../streams/task/inputs/position.ts";
import { GATHERED } from "../../streams/task/restoring/changelog_reader.ts";
import { RestoreMeter } from "../../streams/task/restoring/restore_meter.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { photograph, withFolder, withoutIndex } from "./harness.ts";
import type { TaskRuntime } from "../../streams/task/options.ts";
import { breadth } from "../breadth.ts";

const topics = topicNames();
const OPTIONS = { schema: SCHEMA, impressions: "logged", outcomeWindowMs: 300_000 } as const;
const LIMITS = { rows: 20, events: 30 };

/** Events of so many users that most stay away for longer than the outcome window. */
function eventsOf(seed: number): NewRecord[] {
  return syntheticRecords({ views: 120, users: 40, seed }).flatMap((record) => {
    if (record.kind !== "event") return [];
    const { event } = record;
    return [{
      topic: topics.events,
      partition: 0,
      key: event.user,
      value: encodeEvent(event),
      time: event.time,
    }];
  });
}

/** @param cleanup of `statistics`, if its older records are to stay, as in Kafka until they are compacted */
async function createLog(records: readonly NewRecord[], cleanup?: "delete"): Promise<Log> {
  const log = new MemoryLog();
  await log.createTopics(
    topicSpecs(topics, 1).map((spec) => {
      return spec.name === topics.statistics && cleanup !== undefined ? { ...spec, cleanup } : spec;
    }),
  );
  await log.append(records);
  return withoutIndex(log);
}

const open = (log: Log, runtime: TaskRuntime) =>
  Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new ServingModel(makeModel("dien"), SCHEMA, WIDTH),
    ...runtime,
  });

const itemsOf = ({ state }: Task): string[] =>
  [...state.catalogue.items()].map((item) => `${item.id} ${encodeItemState(item).toHex()}`).sort();

/** Everything that a reader of the outputs can see, in order, and the records of all users and items. */
async function outputsOf(log: Log, task: Task): Promise<object> {
  const outputs: object[] = [];
  for (const topic of [topics.recommendations, topics.samples, topics.rejected]) {
    for await (const { key, value } of readAll(log, topic, 0)) outputs.push({ topic, key, value });
  }
  return {
    outputs,
    users: await Array.fromAsync(task.users.records()),
    items: itemsOf(task),
    next: task.next,
  };
}

async function runToEnd(log: Log, runtime: TaskRuntime = {}): Promise<object> {
  await using task = await open(log, runtime);
  while ((await task.round(LIMITS)).complete);
  await task.flush();
  return await outputsOf(log, task);
}

/** Runs until the log crashes, and returns the folder as a kill at that moment leaves it. */
async function runToCrash(log: Log, at: number, folder: string, copy: string): Promise<string> {
  const crashing = new CrashingLog(log, at);
  let task: Task | undefined;
  try {
    task = await open(crashing, { maxStateBytes: 1, snapshot: { folder, intervalMs: 0 } });
    for (;;) {
      const { complete } = await task.round(LIMITS);
      if (!complete) return folder;
    }
  } catch (error) {
    assert.ok(error instanceof Crash);
    await photograph(folder, copy);
    return copy;
  } finally {
    await task?.[Symbol.asyncDispose]();
  }
}

const records = eventsOf(2);
const indexed = new MemoryLog();
await indexed.createTopics(topicSpecs(topics, 1));
await indexed.append(records);
const want = await runToEnd(indexed);

Deno.test("Task on a log without an index gives the same results as with one, however little memory it has", async () => {
  for (const maxStateBytes of [1, 100_000, Infinity]) {
    assert.deepEqual(await runToEnd(await createLog(records), { maxStateBytes }), want);
  }
});

Deno.test("Task.open() with a snapshot resumes after kills at any operation: outputs once, the same states", async () => {
  await withFolder(async (folder) => {
    const random = mulberry32(4);
    for (let run = 0; run < breadth(3, 8); run++) {
      const log = await createLog(records);
      let current = `${folder}-${run}`;
      let kills = 0;
      for (; kills < 40; kills++) {
        const at = 8 + Math.floor(random() * 30);
        const next = await runToCrash(log, at, current, `${folder}-${run}-${kills}`);
        if (next === current) break;
        current = next;
        await assert.rejects(Deno.stat(`${current}.aside`), "a kill damages nothing");
      }
      assert.ok(kills > 3 && kills < 40, `${kills} kills`);
      const snapshot = { folder: current, intervalMs: 0 };
      assert.deepEqual(await runToEnd(log, { maxStateBytes: 1, snapshot }), want, `run ${run}`);
    }
  });
});

Deno.test("Task.open() reads only what follows its snapshot, and the whole changelog without one", async () => {
  await withFolder(async (folder) => {
    const log = await createLog(records);
    await runToEnd(log, { snapshot: { folder } });
    const readWith = async (runtime: TaskRuntime) => {
      const meter = new RestoreMeter();
      await using task = await open(log, { ...runtime, meter });
      const { outputs: _, ...states } = await outputsOf(log, task) as { outputs: object[] };
      return { ...meter.status, states };
    };
    const [tail, whole] = [await readWith({ snapshot: { folder } }), await readWith({})];
    assert.deepEqual(tail.states, whole.states);
    assert.ok(tail.records <= 2 && whole.records > 50, `${tail.records} and ${whole.records} records`);
    assert.ok(tail.bytes > 0.2 * whole.bytes, `${tail.bytes} and ${whole.bytes} bytes`);
    assert.equal(whole.share, 1);
    await log.append(records.slice(-40));
    await runToEnd(log);
    assert.equal((await readWith({ snapshot: { folder } })).share, 1);
  });
});

Deno.test("Task.open() restores from a log compacted in any way, and goes on the same", async () => {
  const half = records.slice(0, records.length >> 1);
  const log = await createLog(half);
  await runToEnd(log);
  const committed = await Array.fromAsync(readAll(log, topics.statistics, 0));
  const survivors = (random: () => number) =>
    committed.filter(({ key }, at) =>
      random() < 0.3 || committed.findLastIndex((later) => later.key === key) === at
    );
  await using task = await open(log, {});
  const wanted = itemsOf(task);
  const random = mulberry32(5);
  const ends = [];
  for (const statistics of [survivors(() => 1), survivors(random), survivors(random)]) {
    const copy = await copyOf(log, statistics);
    await using again = await open(copy, {});
    assert.deepEqual(itemsOf(again), wanted);
    await copy.append(records.slice(half.length));
    while ((await again.round(LIMITS)).complete);
    await again.flush();
    ends.push(await outputsOf(copy, again));
    await using last = await open(copy, {});
    assert.deepEqual(await outputsOf(copy, last), ends.at(-1));
  }
  for (const end of ends) assert.deepEqual(end, ends[0]);
});

Deno.test("Task.open() does not restore from a snapshot what was deleted from the log by hand", async () => {
  await withFolder(async (folder) => {
    const half = records.slice(0, records.length >> 1);
    const runWith = async (key: string, runtime: TaskRuntime) => {
      const log = await createLog(half);
      await runToEnd(log, runtime);
      const keys = (await Array.fromAsync(readAll(log, topics.statistics, 0))).map(({ key }) => key);
      assert.ok(keys.includes(key), `${key} is one of ${keys}`);
      await log.append([{ topic: topics.statistics, partition: 0, key, value: null, time: 0 }]);
      await log.append(records.slice(half.length));
      const end = await runToEnd(log, runtime);
      if (runtime.snapshot !== undefined) {
        await assert.rejects(Deno.stat(`${runtime.snapshot.folder}.aside`), Deno.errors.NotFound);
      }
      return end;
    };
    for (const key of ["item:i16", "numbers:0", "retrieval:snapshot:0"]) {
      const snapshot = { folder: `${folder}-${key}` };
      assert.deepEqual(await runWith(key, { snapshot }), await runWith(key, {}), key);
    }
  });
});

Deno.test("Task.open() restores no record that was deleted by hand, however many others lie between", async () => {
  await withFolder(async (folder) => {
    const log = await createLog(records);
    await runToEnd(log);
    const statistics = await Array.fromAsync(readAll(log, topics.statistics, 0));
    const item = statistics.findLast(({ key }) => key === itemKey("i16")) ?? assert.fail();
    const others = Array.from({ length: GATHERED }, (_, n) => ({ ...item, key: itemKey(`other${n}`) }));
    const without = [...others, ...statistics.filter(({ key }) => key !== item.key)];
    const restored = async (of: readonly NewRecord[], runtime: TaskRuntime) => {
      await using task = await open(await copyOf(log, of), runtime);
      return itemsOf(task);
    };
    const want = await restored(without, {});
    assert.notDeepEqual(await restored([...without, item], {}), want);
    for (const runtime of [{}, { snapshot: { folder } }]) {
      assert.deepEqual(
        await restored([item, ...others, { ...item, value: null }, ...without], runtime),
        want,
      );
    }
  });
});

/** A log with the same records, but for those of `statistics`, and the same position of the task. */
async function copyOf(log: Log, statistics: readonly NewRecord[]): Promise<Log> {
  const copy = await createLog([], "delete");
  for (const { name } of topicSpecs(topics, 1)) {
    const all = name === topics.statistics ? statistics : await Array.fromAsync(readAll(log, name, 0));
    // A copy is another log, whose topics have other ids.
    await copy.append(all.map((record) => {
      const inputs = record.headers?.[INPUTS];
      if (inputs === undefined) return record;
      const { next } = JSON.parse(inputs) as { readonly next: number };
      return { ...record, headers: { ...record.headers, [INPUTS]: encodeInputs(next, {}) } };
    }));
  }
  const group = `${topics.events}-tasks`;
  const offset = await log.committed(group, topics.events, 0) ?? assert.fail();
  await using writer = await copy.writer("copy");
  await writer.commit({ records: [], group, offsets: [{ topic: topics.events, partition: 0, offset }] });
  return copy;
}

Deno.test("Task.open() sets aside a snapshot of another log, even when that is longer", async () => {
  await withFolder(async (folder) => {
    await runToEnd(await createLog(eventsOf(9).slice(0, 100)), { snapshot: { folder } });
    const log = await createLog(records);
    await runToEnd(log);
    assert.deepEqual(await runToEnd(log, { snapshot: { folder } }), want);
    assert.ok((await Deno.stat(`${folder}.aside`)).isDirectory);
    // A new log, which is shorter than what the snapshot holds.
    const short = await createLog(records);
    assert.deepEqual(await runToEnd(short, { snapshot: { folder } }), want);
  });
});

Deno.test("Task.open() rebuilds a damaged snapshot from the log", async () => {
  await withFolder(async (folder) => {
    const log = await createLog(records);
    await runToEnd(log, { snapshot: { folder } });
    for await (const { name } of Deno.readDir(folder)) {
      if (!name.endsWith(".segment")) continue;
      const bytes = await Deno.readFile(`${folder}/${name}`);
      if (bytes.length > 0) bytes[bytes.length >> 1]! ^= 1;
      await Deno.writeFile(`${folder}/${name}`, bytes);
    }
    assert.deepEqual(await runToEnd(log, { snapshot: { folder } }), want);
    assert.ok((await Deno.stat(`${folder}.aside`)).isDirectory);
  });
});

Deno.test("Task.open() works without a snapshot when none can be written", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(folder, "a file, not a folder");
    assert.deepEqual(await runToEnd(await createLog(records), { snapshot: { folder } }), want);
  });
});

Deno.test("Task.open() stops at its signal in the middle of a restore, and the next one restores everything", async () => {
  const log = await createLog(records);
  const want = await runToEnd(log);
  const stop = new AbortController();
  const reason = new Error("enough");
  let reads = 0;
  const stopping: Log = new Proxy(log, {
    get(inner, name: keyof Log) {
      if (name !== "read") return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
      // A few records at a time: nothing is read after the second part of the users.
      return (...[topic, partition, from]: Parameters<Log["read"]>) => {
        if (topic === topics.state && ++reads === 2) stop.abort(reason);
        return inner.read(topic, partition, from, { maxRecords: 3 });
      };
    },
  });
  await assert.rejects(open(stopping, { signal: stop.signal }), reason);
  assert.equal(reads, 2);
  await using task = await open(log, {});
  assert.deepEqual(await outputsOf(log, task), want);
});

/** A log with so many items, and events that name others. */
async function createLogOf(items: number, events: readonly NewRecord[]): Promise<Log> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(Array.from({ length: items }, (_, n) => ({
    topic: topics.items,
    partition: 0,
    key: `j${n}`,
    time: 1.7e12,
    value: encodeItem({ item: `j${n}`, time: 1.7e12 }),
  })));
  await log.append(events);
  return log;
}

Deno.test("Task.open() yields while it restores many items, and stops there at its signal", async () => {
  const ITEMS = 1000;
  const log = await createLogOf(ITEMS, records);
  const want = await runToEnd(log);
  let turns = 0;
  const giveWay = () => Promise.resolve(turns++);
  {
    await using task = await open(log, { giveWay });
    assert.ok(turns > 2 * ITEMS / 100, `only ${turns} times`); // as they are read, and as they are put into lists
    assert.deepEqual(await outputsOf(log, task), want);
  }
  for (let at = 1; at < turns; at += 5) {
    const stop = new AbortController();
    const reason = new Error("enough");
    let left = at;
    const giveWay = () => Promise.resolve(--left > 0 || stop.abort(reason));
    await assert.rejects(open(log, { giveWay, signal: stop.signal }), reason);
  }
});

Deno.test("Task.commit() yields while it writes many items: what arrives meanwhile waits, a crash changes nothing", async () => {
  const ITEMS = 1000;
  const stateOf = async (log: Log) => {
    await using task = await open(log, {});
    return [await outputsOf(log, task), task.state.retrieval.state.encode().toHex()];
  };
  const whole = await createLogOf(ITEMS, records);
  await runToEnd(whole);
  const writtenTo = async (log: Log) =>
    (await Array.fromAsync(readAll(log, topics.statistics, 0))).map(({ key, value, offset }) => ({
      key,
      value,
      offset,
    }));
  const [want, written] = [await stateOf(whole), await writtenTo(whole)];
  const [early, late] = [records.slice(0, -20), records.slice(-20)];
  const log = await createLogOf(ITEMS, early);
  let turns = 0;
  const giveWay = async () => {
    if (++turns === 10) await log.append(late);
  };
  await runToEnd(log, { giveWay });
  assert.ok(turns > 2 * ITEMS / 100, `only ${turns} times`); // the items' own records, and retrieval's of them
  assert.deepEqual(await stateOf(log), want);
  assert.deepEqual(await writtenTo(log), written);
  for (let at = 1; at <= turns; at += 13) {
    const log = await createLogOf(ITEMS, records);
    let left = at;
    const giveWay = () => --left > 0 ? Promise.resolve() : Promise.reject(new Crash("while it writes"));
    await assert.rejects(runToEnd(log, { giveWay }), Crash);
    await runToEnd(log);
    assert.deepEqual(await stateOf(log), want);
  }
});

Deno.test("Task.open() reports an unreadable record on the log as corrupt, with a snapshot at the second try", async () => {
  await withFolder(async (folder) => {
    const log = await createLog(records);
    await runToEnd(log, { snapshot: { folder } });
    const value = Uint8Array.of(1, 2, 3);
    const headers = { pending: "1" }; // so that it has to be read at once
    await log.append([{ topic: topics.state, partition: 0, key: "u1", value, time: 0, headers }]);
    const opening = () => open(log, { snapshot: { folder } });
    await assert.rejects(opening(), { code: "closed" }, "the snapshot may be to blame");
    await assert.rejects(opening(), { code: "corrupt" });
  });
});

Deno.test("Task.open() does not mistake the part of a changelog that a broker has for the whole", async () => {
  await withFolder(async (folder) => {
    const log = await createLog(records);
    const want = await runToEnd(log);
    for (const topic of [topics.state, topics.statistics]) {
      const behind: Log = new Proxy(log, {
        get(inner, name: keyof Log) {
          if (name !== "read") {
            return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
          }
          return async (...[read, partition, from, options]: Parameters<Log["read"]>) => {
            if (read === topic && from > 5) return { records: [], next: from };
            return await inner.read(read, partition, from, { ...options, maxRecords: 3 });
          };
        },
      });
      for (const runtime of [{}, { snapshot: { folder } }]) {
        await assert.rejects(open(behind, runtime), { name: "LogError", code: "closed" }, topic);
      }
    }
    await using task = await open(log, { snapshot: { folder } });
    await assert.rejects(Deno.stat(`${folder}.1`), "it was no longer in use");
    assert.deepEqual(await outputsOf(log, task), want);
  });
});

Deno.test("Restore leaves a snapshot of what it has read when no task takes it over", async () => {
  await withFolder(async (folder) => {
    const log = await createLog(records);
    const want = await runToEnd(log);
    const runtime = { snapshot: { folder } };
    {
      const serving = new ServingModel(makeModel("dien"), SCHEMA, WIDTH);
      await using restore = await openRestore({
        log,
        topics,
        partition: 0,
        options: OPTIONS,
        serving,
        ...runtime,
      });
      await restore.follow();
    }
    const meter = new RestoreMeter();
    await using task = await open(log, { ...runtime, meter });
    await assert.rejects(Deno.stat(`${folder}.1`), "it was no longer in use");
    assert.ok(meter.status.records <= 2, `${meter.status.records} records`);
    assert.deepEqual(await outputsOf(log, task), want);
  });
});

Deno.test("Task.open() refuses a log whose topics have more partitions than before: its users would be elsewhere", async () => {
  const log = await createLog(records);
  await runToEnd(log);
  const grown: Log = new Proxy(log, {
    get(inner, name: keyof Log) {
      if (name !== "identify") {
        return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
      }
      return async (topic: string) => ({ ...await inner.identify(topic), partitions: 2 });
    },
  });
  await assert.rejects(open(grown, {}), { name: "LogError", code: "topic-mismatch" });
});
