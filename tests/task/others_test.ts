import assert from "node:assert/strict";
import { photograph, withFolder, withoutIndex } from "./harness.ts";
import { setImmediate as turn } from "node:timers/promises";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { CategoryTransitions } from "../../src/retrieval/folds/category_transitions.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { decayedCount } from "../../src/items/popularity.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { Log, NewRecord, ReadOptions } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import { ownRecord } from "../../streams/task/inputs/inputs.ts";
import { CLEARED, decodeNote, encodeNote, NOTHING_SHARED, OTHERS } from "../../streams/task/others.ts";
import { TimeShare } from "../../streams/task/pace/time_share.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { follow, notesOf, signalsOf } from "../chaos/notes.ts";
import { OverlayLog } from "../chaos/overlay_log.ts";
import { SCHEMA } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { inventory } from "../engine/streams.ts";
import type { StepOptions } from "../../streams/task/options.ts";

const topics = topicNames();
const PARTITIONS = 3;
const OPTIONS: TaskOptions = {
  schema: SCHEMA,
  outcomeWindowMs: 300_000,
  ranking: "blend",
  maxJumpMs: 86_400_000,
};
const START = 1_700_000_000_000;
const ITEMS = 60;

/** Users on all partitions: views, dislikes, purchases without a view, requests, and now and then an erasure. */
function* visits(count: number, seed = 5): Generator<Event> {
  const random = mulberry32(seed);
  const below = (n: number) => Math.floor(n * random() ** 2);
  for (let n = 0; n < count; n++) {
    const [user, item, time] = [`u${below(40)}`, `i${below(ITEMS)}`, START + n * 7000];
    const kind = random();
    if (kind < 0.1) yield { type: "request", user, time, request: `r${n}`, count: 8 };
    else if (kind < 0.11) yield { type: "forget", user, time };
    else {
      const action = kind < 0.2 ? "dislike" : kind < 0.3 ? "purchase" : "view";
      yield { type: "interaction", user, time, item, action };
    }
  }
}

const eventRecord = (event: Event): NewRecord => ({
  topic: topics.events,
  key: event.user,
  value: encodeEvent(event),
  time: event.time,
});

const catalogue: readonly NewRecord[] = Array.from({ length: ITEMS }, (_, n) => ({
  topic: topics.items,
  key: `i${n}`,
  value: encodeItem({ item: `i${n}`, time: START, categories: [`c${n % 7}`] }),
  time: START,
}));

async function logOf(events: Iterable<Event>, partitions = PARTITIONS): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, partitions));
  await log.append([...catalogue, ...Array.from(events, eventRecord)]);
  return log;
}

const open = (log: Log, partition: number, options = OPTIONS) =>
  Task.open({ log, topics, partition, options, serving: new FakeServing() });

/** Runs tasks in turns until all events are applied and each has learnt everything that the others wrote. */
async function settle(log: Log, tasks: readonly Task[], options: Partial<StepOptions> = {}): Promise<void> {
  let time = 0;
  const isDone = async () => {
    for (const { partition, next, isDirty, others } of tasks) {
      if (isDirty || next < (await log.bounds(topics.events, partition)).end) return false;
      for (const [other, at] of others.positions) {
        if (at < (await log.bounds(topics.signals, other)).end) return false;
      }
    }
    return true;
  };
  while (!await isDone()) {
    for (const task of tasks) {
      const applied = await task.step({ now: () => time++, maxEvents: 16, commitEvents: 40, ...options });
      await turn(); // what is read in the background arrives
      if (applied === 0 && task.isDirty) await task.commit();
    }
  }
  // Positions after records without a signal are noted, too.
  for (const task of tasks) await task.commit();
}

/** The offset up to which a task says that it names nobody whom partition 1 has erased. */
async function clearedOf(log: Log, partition: number): Promise<number> {
  const note = (await ownRecord(log, topics, partition))?.headers[CLEARED];
  return new Map(decodeNote(note)).get(1) ?? 0;
}

/** A partition's task after a clean run that learns at the positions noted on the log. */
async function followed(log: Log, partition: number, options: Partial<StepOptions> = {}) {
  const clean = new OverlayLog(log, [topics.events, topics.items]);
  await clean.createTopics(topicSpecs(topics, PARTITIONS));
  const task = await open(clean, partition);
  const { end } = await log.bounds(topics.events, partition);
  const goTo = async (before: number) => {
    clean.showUpTo(topics.events, before);
    while (task.next < before) await task.step({ now: () => 0, ...options });
    await task.commit();
  };
  await follow(task, await notesOf(log, topics.signals, partition), goTo);
  await goTo(end);
  return { clean, task };
}

/** What can be compared of a task: its whole state, and what it has answered on a log. */
async function seen(log: Log, task: Task): Promise<object> {
  const answers = await Array.fromAsync(
    readAll(log, topics.recommendations, task.partition),
    ({ value }) => JSON.parse(new TextDecoder().decode(value!)) as Recommendation,
  );
  const users = await Array.fromAsync(task.users.records(), ([user, record]) => `${user} ${record.toHex()}`);
  const { reapplied: _, ...counters } = task.state.counters;
  task.state.counters.reapplied = 0;
  const others = [...task.state.retrieval.state.others].sort();
  const { popular, category, fresh } = listsOf(task.state);
  const inMemory = Object.entries(inventory(task.state)).filter(([name]) => !name.startsWith("user "));
  return { answers, users, counters, others, popular, category, fresh, ...Object.fromEntries(inMemory) };
}

function listsOf({ catalogue, retrieval: { lists } }: TaskState) {
  const ids = (items: Uint32Array) => Array.from(items, (index) => catalogue.at(index).id);
  return {
    popular: ids(lists.popular()),
    category: ids(lists.category(lists.numberOf("c3")!)),
    fresh: ids(lists.fresh()),
  };
}

const near = (got: number, want: number, tolerance: number, what: string) =>
  assert.ok(Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want)), `${what}: ${got}, not ${want}`);

Deno.test("Task.step() teaches each task what one task over all partitions would know", async () => {
  // Sequences hold fewer behaviours than signals do after an erasure: nobody is forgotten here.
  const events = [...visits(1500)].filter(({ type }) => type !== "forget");
  const log = await logOf(events);
  const whole = await logOf(events, 1);
  const tasks = await Promise.all([0, 1, 2].map((p) => open(log, p)));
  await using all = await open(whole, 0);
  await settle(log, tasks);
  await settle(whole, [all]);
  const want = all.state;
  const now = START + 1500 * 7000;
  const pairsOf = ({ catalogue, retrieval: { parts: { neighbours } } }: TaskState, item: string) => {
    const { rows } = neighbours;
    const [unit, index] = [neighbours.unit(now), catalogue.get(item)!.index];
    const of = (other: number) => [0, 1, 2].map((which) => rows.get(index, other, which) / unit);
    return {
      count: neighbours.count(index) / unit,
      pairs: new Map(Array.from({ length: ITEMS }, (_, n) => [n, of(catalogue.get(`i${n}`)!.index)])),
    };
  };
  for (const task of tasks) {
    const got = task.state;
    assert.equal(got.retrieval.state.signals, want.retrieval.state.signals);
    for (let n = 0; n < ITEMS; n++) {
      const [ours, theirs] = [got, want].map((state) => state.catalogue.get(`i${n}`)!);
      const { halfLifeMs } = want.retrieval.lists;
      const [count, wanted] = [ours, theirs].map((item) => decayedCount(item!.popularity, now, halfLifeMs));
      near(count!, wanted!, 1e-9, `popularity of i${n}`);
      const [trend, demand] = [got, want].map(({ catalogue, retrieval: { parts: { trends } } }) => {
        trends.counts.moveTo(now);
        return trends.counts.count(catalogue.get(`i${n}`)!.index);
      });
      near(trend!, demand!, 1e-9, `demand for i${n}`);
      const [own, other] = [pairsOf(got, `i${n}`), pairsOf(want, `i${n}`)];
      near(own.count, other.count, 1e-9, `count of i${n}`);
      for (const [j, weights] of other.pairs) {
        near(own.pairs.get(j)![2]!, weights[2]!, 1e-4, `pair i${n} i${j}`);
      }
      // A window depends on the gaps seen so far, which each task sees in its own order.
      const [far, all] = [own, other].map(({ pairs }) =>
        [...pairs.values()].reduce((sum, [w]) => sum + w!, 0)
      );
      near(far!, all!, 0.1, `pairs of i${n}`);
    }
    const after = ({ retrieval: { sources } }: TaskState) => {
      const to = new ByteWriter();
      const source = sources.find(({ name }) => name === "next-category");
      for (const _portion of source?.encode?.(to, { order: [], rank: new Uint32Array() }) ?? []);
      const transitions = new CategoryTransitions(1);
      transitions.decode(new ByteReader(to.toBytes()));
      return transitions.after("c1", 5).map(({ category, share }) => `${category} ${share.toFixed(6)}`);
    };
    assert.deepEqual(after(got), after(want));
    await task[Symbol.asyncDispose]();
  }
});

Deno.test("Task.learnOthers() at the noted positions gives the same, byte for byte, however steps are cut", async () => {
  const log = await logOf(visits(1200));
  const tasks = await Promise.all([0, 1, 2].map((p) => open(log, p)));
  await settle(log, tasks);
  for (const task of tasks) {
    const { partition } = task;
    const notes = await notesOf(log, topics.signals, partition);
    assert.ok(notes.length > 5 && new Set(notes.map(({ before }) => before)).size > 3);
    const want = await seen(log, task);
    await using restored = await open(log, partition);
    assert.deepEqual(await seen(log, restored), want);
    for (const [maxEvents, commitEvents] of [[7, 13], [256, 1000]] as const) {
      const { clean, task: again } = await followed(log, partition, { maxEvents, commitEvents });
      await using _again = again;
      assert.deepEqual(await seen(clean, again), want);
      assert.deepEqual(
        await signalsOf(clean, topics.signals, partition),
        await signalsOf(log, topics.signals, partition),
      );
    }
    await task[Symbol.asyncDispose]();
  }
});

Deno.test("Task.open() ends the same after a crash at any operation as if it had learnt from others without one", async () => {
  const fresh = async () => {
    const log = await logOf(visits(260));
    for (const partition of [1, 2]) {
      await using task = await open(log, partition);
      await settle(log, [task]);
    }
    return log;
  };
  const run = async (log: Log) => {
    await using task = await open(log, 0);
    await settle(log, [task], { maxEvents: 8, commitEvents: 6 });
    return await seen(log, task);
  };
  const whole = new CrashingLog(await fresh());
  await run(whole);
  let crashes = 0;
  for (const at of whole.moments) {
    const log = await fresh();
    try {
      await run(new CrashingLog(log, at));
    } catch (error) {
      assert.ok(error instanceof Crash);
      crashes++;
    }
    const got = await run(log);
    const { clean, task } = await followed(log, 0);
    await using _task = task;
    assert.deepEqual(got, await seen(clean, task), `after a crash at operation ${at}`);
    const learnt = (await notesOf(log, topics.signals, 0)).flatMap((note) => note.learnt);
    const given = await Promise.all([1, 2].map((p) => Array.fromAsync(readAll(log, topics.signals, p))));
    assert.deepEqual(
      new Set(learnt.map(({ record }) => `${record.partition}@${record.offset}`)),
      new Set(given.flat().map(({ partition, offset }) => `${partition}@${offset}`)),
    );
    assert.equal(learnt.length, given.flat().length);
  }
  assert.ok(crashes > 10, `${crashes} crashes`);
});

Deno.test("Task.step() repeats the same answers after a crash at any operation, at least once", async () => {
  const events = [...visits(520)];
  const teach = async (log: Log, part: readonly Event[]) => {
    await log.append(part.filter(({ user }) => partitionOf(user, PARTITIONS) > 0).map(eventRecord));
    for (const partition of [1, 2]) {
      await using task = await open(log, partition);
      await settle(log, [task]);
    }
  };
  const fresh = async () => {
    const log = await logOf([]);
    await teach(log, events.slice(0, 260));
    await log.append(
      events.filter(({ user }) => partitionOf(user, PARTITIONS) === 0).slice(0, 80).map(eventRecord),
    );
    return log;
  };
  const run = async (log: Log) => {
    const runtime = { delivery: "at-least-once" } as const;
    await using task = await Task.open({
      log,
      topics,
      partition: 0,
      options: OPTIONS,
      serving: new FakeServing(),
      ...runtime,
    });
    await settle(log, [task], { maxEvents: 4, commitEvents: 20, commitIntervalMs: 1000 });
  };
  const whole = new CrashingLog(await fresh());
  await run(whole);
  let repeats = 0;
  for (const at of whole.moments) {
    const log = await fresh();
    await run(new CrashingLog(log, at)).catch((error) => assert.ok(error instanceof Crash));
    await teach(log, events.slice(260)); // more to learn than before the crash
    await run(log);
    const answers = new Map<string, string>();
    for await (const { headers, value } of readAll(log, topics.recommendations, 0)) {
      const text = new TextDecoder().decode(value!).replace(/"tookMicros":[^,}]+/, "");
      const known = answers.get(headers["input"]!);
      if (known !== undefined) {
        repeats++;
        assert.equal(text, known, `after a crash at operation ${at}`);
      }
      answers.set(headers["input"]!, text);
    }
  }
  assert.ok(repeats > 10, `${repeats} repeats`);
});

/** Names of users on a partition. */
function* usersOn(partition: number): Generator<string> {
  for (let n = 0;; n++) if (partitionOf(`user ${n}`, PARTITIONS) === partition) yield `user ${n}`;
}

Deno.test("Task.step() proposes from a pair of items that only users of another partition made, if they are shared", async () => {
  const [asking] = usersOn(0);
  const pairs: Event[] = [...usersOn(1).take(8)].flatMap((user, n) =>
    ["i7", "i23"].map((item, k) => ({
      type: "interaction",
      user,
      item,
      action: "view",
      time: START + n * 9_000_000 + k * 1000,
    }))
  );
  const now = START + 90_000_000;
  const ask: Event[] = [
    { type: "interaction", user: asking!, time: now, item: "i7", action: "view" },
    { type: "request", user: asking!, time: now + 1, request: "r", count: 1 },
  ];
  for (const shared of [true, false]) {
    const log = await logOf(pairs);
    const options = { ...OPTIONS, retrieval: { shared, newShare: 0 } };
    const tasks = await Promise.all([0, 1, 2].map((p) => open(log, p, options)));
    await settle(log, tasks);
    await log.append(ask.map(eventRecord));
    await settle(log, tasks);
    const [answer] = await Array.fromAsync(readAll(log, topics.recommendations, 0));
    const { items } = JSON.parse(new TextDecoder().decode(answer!.value!)) as Recommendation;
    assert.equal(items[0]?.item === "i23" && items[0].source !== "new", shared, JSON.stringify(items));
    for (const task of tasks) await task[Symbol.asyncDispose]();
  }
});

Deno.test("Task.step() removes a forgotten user's name from all tasks, and from what they have written", async () => {
  const [gone, stays] = usersOn(1);
  const views = (user: string, ...times: number[]) =>
    times.map((time, n) => eventRecord({ type: "interaction", user, item: `i${n}`, action: "view", time }));
  const log = await logOf([]);
  await log.append([...views(gone!, START, START), ...views(stays!, START, START)]);
  let tasks = await Promise.all([0, 1, 2].map((p) => open(log, p)));
  await settle(log, tasks);
  const names = (bytes: Uint8Array, user: string) => new TextDecoder("latin1").decode(bytes).includes(user);
  const known = (user: string) => tasks.map(({ state }) => names(state.retrieval.state.encode(), user));
  const written = async (user: string) => {
    const partitions = tasks.map(({ partition }) =>
      Array.fromAsync(readAll(log, topics.statistics, partition), ({ value }) => names(value!, user))
    );
    return (await Promise.all(partitions)).map((named) => named.includes(true));
  };
  assert.deepEqual([known(gone!), await written(gone!)], [[true, true, true], [true, true, true]]);
  await log.append([eventRecord({ type: "forget", user: gone!, time: START + 1000 })]);
  await settle(log, tasks);
  assert.deepEqual([known(gone!), await written(gone!)], [[false, false, false], [false, false, false]]);
  assert.deepEqual(known(stays!), [true, true, true]);
  for (const task of tasks) assert.equal(task.state.retrieval.state.signals, 4, "what was learnt stays");

  // The other tasks do so once a minute, as it takes a snapshot, whether they are restarted or not.
  const cleared = () => Promise.all([0, 2].map((p) => clearedOf(log, p)));
  for (const isRestarted of [false, true]) {
    await log.append(views(gone!, START + 2000));
    await settle(log, tasks);
    const before = await cleared();
    await log.append([eventRecord({ type: "forget", user: gone!, time: START + 3000 })]);
    await settle(log, tasks);
    assert.deepEqual([known(gone!), await written(gone!)], [[false, false, false], [true, false, true]]);
    assert.deepEqual(await cleared(), before, "they do not claim to have");
    if (isRestarted) {
      for (const task of tasks) await task[Symbol.asyncDispose]();
      tasks = await Promise.all([0, 1, 2].map((p) => open(log, p)));
      assert.deepEqual(known(gone!), [false, false, false]);
    }
    let now = 61_000;
    for (let n = 0; n < 10; n++) {
      for (const task of tasks) await task.step({ now: () => now++ });
      await turn();
    }
    assert.deepEqual(await written(gone!), [false, false, false], "without any further event");
    for (const next of await cleared()) assert.ok(next > Math.max(...before));
  }
  for (const task of tasks) await task[Symbol.asyncDispose]();
});

Deno.test("Task.step() also removes the name of a user forgotten by another task from the files of its snapshot", async () => {
  await withFolder(async (folder) => {
    const [gone, stays] = usersOn(1);
    const log = await logOf([]);
    let hours = 0;
    const snapshot = { folder, intervalMs: 0, now: () => 3_600_000 * hours, wallClock: () => START };
    const tasks = await Promise.all(
      [0, 1, 2].map((p) =>
        Task.open({
          log: withoutIndex(log),
          topics,
          partition: p,
          options: OPTIONS,
          serving: new FakeServing(),
          ...(p === 0 ? { snapshot } : {}),
        })
      ),
    );
    // So much that replaced records alone are no reason to rewrite files.
    const attributes = { of: "x".repeat(1000) };
    await log.append(
      Array.from(
        { length: 300 },
        (_, n) => eventRecord({ type: "profile", user: `x${n}`, time: START, attributes }),
      ),
    );
    const view = { type: "interaction", item: "i1", action: "view", time: START } as const;
    /** Appends events until files of the snapshot name them, or no longer do. */
    const waitUntil = async (isNamed: boolean) => {
      for (let is = !isNamed; is !== isNamed && hours < 100; hours++) {
        await log.append([eventRecord({ ...view, user: stays! })]);
        await settle(log, tasks);
        await new Promise((resolve) => setTimeout(resolve, 5));
        const copy = `${folder}-${hours}`;
        await Deno.mkdir(copy);
        await photograph(folder, copy);
        const files = await Array.fromAsync(
          Deno.readDir(copy),
          ({ name }) => Deno.readFile(`${copy}/${name}`),
        );
        is = (await Promise.all(files)).some((bytes) =>
          new TextDecoder("latin1").decode(bytes).includes(gone!)
        );
      }
      assert.ok(hours < 100);
    };
    await log.append([eventRecord({ ...view, user: gone! })]);
    await waitUntil(true);
    await log.append([eventRecord({ type: "forget", user: gone!, time: START })]);
    await waitUntil(false);
    for (const task of tasks) await task[Symbol.asyncDispose]();
  });
});

Deno.test("Task.step() removes the names of other partitions' users once nothing is shared any more", async () => {
  const [gone] = usersOn(1);
  const log = await logOf([]);
  await log.append([
    eventRecord({ type: "interaction", user: gone!, item: "i1", action: "view", time: START }),
  ]);
  const tasks = await Promise.all([0, 1, 2].map((p) => open(log, p)));
  await settle(log, tasks);
  for (const task of tasks) await task[Symbol.asyncDispose]();
  await using alone = await open(log, 0, { ...OPTIONS, retrieval: { ...OPTIONS.retrieval, shared: false } });
  await alone.step({ now: () => 0 });
  const names = await Array.fromAsync(
    readAll(log, topics.statistics, 0),
    ({ value }) => new TextDecoder("latin1").decode(value!).includes(gone!),
  );
  assert.ok(!names.includes(true));
  assert.equal((await ownRecord(log, topics, 0))?.headers[CLEARED], NOTHING_SHARED);
});

Deno.test("Task.step() removes all names when it may have missed an erasure", async () => {
  const [gone, stays] = usersOn(1);
  const view = (user: string, time: number) =>
    eventRecord({ type: "interaction", user, item: "i1", action: "view", time });
  const names = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes).includes(gone!);
  for (const isOpen of [false, true]) {
    const log = await logOf([]);
    await log.append([view(gone!, START), view(stays!, START)]);
    const tasks = await Promise.all([0, 1, 2].map((p) => open(log, p)));
    await settle(log, tasks);
    let [late] = tasks;
    assert.ok(names(late!.state.retrieval.state.encode()));
    if (!isOpen) await late![Symbol.asyncDispose]();
    await log.append([eventRecord({ type: "forget", user: gone!, time: START + 1000 })]);
    await settle(log, tasks.slice(1));
    await log.append([view(stays!, START + 2000)]);
    await settle(log, tasks.slice(1));
    const { end } = await log.bounds(topics.signals, 1);
    await log.trim(topics.signals, 1, end - 1);
    if (!isOpen) late = await open(log, 0);
    await settle(log, [late!]);
    assert.equal(late!.others.positions.get(1), end);
    assert.ok(!names(late!.state.retrieval.state.encode()));
    const written = await Array.fromAsync(readAll(log, topics.statistics, 0), ({ value }) => names(value!));
    assert.ok(!written.includes(true), `${isOpen}`);
    await using restored = await open(log, 0);
    assert.deepEqual(inventory(restored.state), inventory(late!.state));
    for (const task of [late!, ...tasks.slice(1)]) await task[Symbol.asyncDispose]();
  }
});

for (const what of ["has been trimmed", "never was"]) {
  Deno.test(`Task.open() resumes from what the log still has when its position ${what}`, async () => {
    const log = await logOf(visits(600));
    const tasks = await Promise.all([1, 2].map((p) => open(log, p)));
    if (what === "has been trimmed") {
      await using before = await open(log, 0);
      await settle(log, [...tasks, before]);
    }
    await log.append(
      Array.from(visits(600, 6), (event) => eventRecord({ ...event, time: event.time + 1e7 })),
    );
    await settle(log, tasks);
    const { end } = await log.bounds(topics.signals, 1);
    await log.trim(topics.signals, 1, end - 3);
    await using task = await open(log, 0);
    assert.equal(task.others.positions.get(1), end - 3);
    await settle(log, [task]);
    assert.ok(task.others.learnt > 0);
    assert.equal(task.others.positions.get(1), (await log.bounds(topics.signals, 1)).end);
    for (const each of tasks) await each[Symbol.asyncDispose]();
  });
}

/** A view of a log that notes how long reads of events would wait, and does not wait. */
class HastyLog extends OverlayLog {
  readonly waits: number[] = [];

  override read(topic: string, partition: number, from: number, options: ReadOptions = {}) {
    if (topic !== topics.events) return super.read(topic, partition, from, options);
    this.waits.push(options.waitMs ?? 0);
    return super.read(topic, partition, from, { ...options, waitMs: 0 });
  }
}

Deno.test("Task.step() waits only briefly for events while what it has read of others waits for its share of time", async () => {
  const log = await logOf([...visits(1300)].filter(({ user }) => partitionOf(user, PARTITIONS) > 0));
  for (const partition of [1, 2]) {
    await using task = await open(log, partition);
    await settle(log, [task]);
  }
  const hasty = new HastyLog(log, [topics.events, topics.items, topics.signals]);
  await hasty.createTopics(topicSpecs(topics, PARTITIONS));
  await using task = await open(hasty, 0);
  let time = 0;
  const step = async () => {
    await task.step({ now: () => time += 5, waitMs: 1000 });
    await turn(); // what is read in the background arrives
  };
  await step(); // reads the catalogue
  await step(); // commits
  hasty.waits.length = 0;
  for (let n = 0; n < 40; n++) await step();
  assert.ok(task.others.learnt > 100 && hasty.waits.length === 40);
  // By this clock a record takes more than its share of time: most steps have to wait.
  const busy = hasty.waits.filter((ms) => ms < 250);
  assert.ok(busy.length > 10 && busy.every((ms) => ms > 3), hasty.waits.join());
});

/** A share that notes for each call of `left()` whether own events were said to wait. */
class WatchedShare extends TimeShare {
  readonly looks: boolean[] = [];

  override left(now: number, isBehind?: boolean): number {
    this.looks.push(isBehind ?? false);
    return super.left(now, isBehind);
  }
}

Deno.test("Task.step() reports that own events wait when a step had no time for all it had read", async () => {
  const log = await logOf([...visits(600)].filter(({ user }) => partitionOf(user, PARTITIONS) === 0));
  const share = new WatchedShare();
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new FakeServing(),
    othersTime: share,
  });
  const { end } = await log.bounds(topics.events, 0);
  let time = 0;
  const now = () => time += 10;
  // Each step has time for only a few of the events read, and each commit is followed by a call of `left()`.
  const step = () => task.step({ now, maxEvents: 1000, commitEvents: 1, sliceMs: 100 });
  await step(); // the first one cannot know
  while (task.next < end) {
    share.looks.length = 0;
    await step();
    assert.ok(share.looks.length > 0 && !share.looks.includes(false), `${task.next} of ${end}`);
  }
  await task.step({ now });
  await task.step({ now });
  assert.equal(share.looks.at(-1), false);
});

Deno.test("Task.step() skips a record that is not a journal, and goes on", async () => {
  const log = await logOf(visits(100));
  await log.append([{
    topic: topics.signals,
    partition: 2,
    key: null,
    value: Uint8Array.of(9, 9),
    time: START,
  }]);
  const tasks = await Promise.all([0, 1, 2].map((p) => open(log, p)));
  await settle(log, tasks);
  const signals = tasks.map(({ state }) => state.retrieval.state.signals);
  assert.ok(signals[0]! > 50 && new Set(signals).size === 1, signals.join());
  for (const task of tasks) await task[Symbol.asyncDispose]();
});

Deno.test("Task.step() writes no signals when there is no other task to learn them, or nothing is shared", async () => {
  for (const [partitions, shared] of [[1, true], [PARTITIONS, false]] as const) {
    const log = await logOf(visits(300), partitions);
    await using task = await open(log, 0, { ...OPTIONS, retrieval: { shared } });
    await settle(log, [task]);
    assert.ok(task.state.retrieval.state.signals > 10);
    assert.equal((await log.bounds(topics.signals, 0)).end, 0);
    const statistics = await Array.fromAsync(readAll(log, topics.statistics, 0), ({ key }) => key);
    assert.ok(!statistics.includes("retrieval:others"));
  }
});

Deno.test("Task.learnOthers() throws while applied events are not committed", async () => {
  const log = await logOf(visits(200));
  for (const p of [1, 0]) {
    await using task = await open(log, p);
    if (p === 1) await settle(log, [task]);
    else {
      await task.step({ now: () => 0, maxEvents: 1 });
      await task.step({ now: () => 0, maxEvents: 3 });
      const [record] = await Array.fromAsync(readAll(log, topics.signals, 1));
      assert.throws(() => task.learnOthers(record!, 1), /3 events have to be committed before/);
    }
  }
});

Deno.test("decodeNote() returns what encodeNote() was given", () => {
  const note = [[2, 10], [0, 4], [2, 2 ** 40]] as const;
  assert.deepEqual(decodeNote(encodeNote(note)), note);
  assert.deepEqual([decodeNote(encodeNote([])), decodeNote(undefined), OTHERS], [[], [], "others"]);
});
