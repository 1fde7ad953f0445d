/** A generation built alongside the serving one takes over without a gap. */

import assert from "node:assert/strict";
import { rebuildOnline } from "../../streams/generations/online/online.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { readJournal } from "../../src/retrieval/signals/signal.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { setTimeout as delay } from "node:timers/promises";
import {
  closingRecord,
  SERVING_KEY,
  servingGeneration,
  servingRecord,
  switchState,
  switchWriterId,
} from "../../streams/topics/serving.ts";
import { LEARNT } from "../../streams/topics/delivery.ts";
import { tasksGroup } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { decodeGeneration } from "../../streams/topics/generations.ts";
import {
  answersOn,
  recordsOf,
  requestsOf,
  shopEvents,
  until,
  untilCommitted,
} from "../service/deployment.ts";
import { positionsOf } from "../../streams/generations/positions.ts";
import { built, serve, topics } from "./built.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { buildAtRest, builtAtRest, builtWhole, contentsBy, contentsOf, legsOf } from "./legs.ts";
import { begin, endless, Member } from "./members.ts";

const signal = new AbortController().signal;

/** A deployment that has served, and what arrives while another generation is built. */
async function deployment(log: Log, views: readonly [before: number, all: number], partitions: number) {
  await serve(log, { views: views[0], partitions });
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  const before = shopEvents(views[0], 12);
  const more = shopEvents(views[1], 12).slice(before.length);
  let sent = 0;
  return {
    async send(n: number) {
      const events = more.slice(sent, sent += n);
      await log.append(recordsOf(events).filter(({ topic }) => topic === topics.events));
    },
    /** Waits until all requests are answered. @throws AssertionError when one was answered twice */
    async allAnswered() {
      const asked = requestsOf([...before, ...more.slice(0, sent)]).sort();
      await until(async () => (await answersOn(log)).length >= asked.length, "all are answered");
      assert.deepEqual((await answersOn(log)).map(({ request }) => request).sort(), asked, "each once");
    },
  };
}

Deno.test("rebuildOnline() goes from 2 tasks to 6 and back under load, answering each request once", async () => {
  await using log = new MemoryLog();
  const { send, allAnswered } = await deployment(log, [60, 320], 2);
  let now: unknown;
  const legs = legsOf(log, async () => {
    const taken = await contentsBy(log, 6);
    return () => now ??= taken;
  });
  const options = { tasks: { 1: 2, 2: 6 }, onStep: () => void send(1) };
  await using member = await Member.start(log, options);
  assert.ok((await member.build(2)).isSwitched);
  assert.equal((await log.topics(topics.events)).get(topics.events)!.partitions, 2, "nothing is copied");
  const { service } = member.place;
  assert.equal(service.deployment.partitions, 6);
  await until(() => Promise.resolve(service.tasks.size === 6), "all tasks are assigned");
  assert.deepEqual(now, await builtWhole(log, legs), "as with 6 partitions from the beginning");
  await send(30);
  await allAnswered();
  for (const task of service.tasks.values()) {
    for (const id of task.state.users.keys()) assert.equal(partitionOf(id, 6), task.partition);
  }

  assert.ok((await member.build(1)).isSwitched, "without a restart");
  assert.equal(service.deployment.partitions, 2);
  await send(20);
  await allAnswered();
});

Deno.test("rebuildOnline() takes back a switch whose tasks do not reach one place in time, and retries", async () => {
  await using log = new MemoryLog();
  const { send, allAnswered } = await deployment(log, [40, 120], 2);
  await using member = await Member.start(log, { tasks: { 1: 2, 2: 4 } });
  assert.ok((await member.build(2)).isSwitched);
  const placeOf = async (task: number) => (await positionsOf(log, built)).tasks[task]!;
  const held = Promise.withResolvers<void>();
  const closings: boolean[] = [];
  member.connection.onCommit = async (records, when) => {
    if (when === "after") return;
    for (const { topic, partition, key, value } of records) {
      if (topic === built.statistics && partition === 3 && closings.length > 0) await held.promise;
      if (key !== "closing") continue;
      closings.push(value !== null);
      if (value === null) held.resolve();
      if (closings.at(-2) === false) await allAnswered(); // before it begins again
      if (closings.length > 1) continue;
      const before = await placeOf(1);
      await send(20);
      await until(async () => await placeOf(1) > before, "a task of the same partition has gone on");
    }
  };
  const atLast = setTimeout(held.resolve, 10_000);
  assert.ok((await member.build(1)).isSwitched);
  clearTimeout(atLast);
  const taken = closings.indexOf(false);
  assert.ok(taken > 0 && closings.indexOf(true, taken) > taken, `taken back, and begun again: ${closings}`);
  await allAnswered();
});

for (const partitions of [1, 2]) {
  Deno.test(`rebuildOnline() switches while requests arrive, answering each once, in ${partitions} partitions`, async () => {
    await using log = new MemoryLog();
    const { send, allAnswered } = await deployment(log, [60, 260], partitions);
    await using member = await Member.start(log, {
      tasks: { 1: partitions, 2: partitions },
      onStep: () => void send(2),
    });
    const { place } = member;
    let contents: Record<string, string> = {};
    const legs = legsOf(log, async () => {
      await send(30); // nobody answers now
      const taken = await contentsOf(log);
      assert.equal(place.service.tasks.size, partitions, "readers see the old tasks");
      return () => contents = taken;
    });
    const apart = partitions === 1 ? {} : { apart: member.threaded(() => void send(4)) };
    assert.ok((await member.build(2, apart)).isSwitched);
    assert.deepEqual(await place.service.unready(), []);
    assert.equal(await servingGeneration(log, topics), 2);
    assert.equal(place.service.serving.model, "dien");
    assert.equal(place.service.deployment.topics.state, built.state);
    await send(40);
    await allAnswered();
    const models = (await answersOn(log)).map(({ model }) => model);
    assert.ok(models.includes("base") && models.includes("dien"));
    assert.ok(legs.length > 2, `${legs.length} legs`);
    assert.deepEqual(contents, await builtAtRest(log, legs));
  });
}

for (const carries of [false, true]) {
  const what = carries ? "with carried weights" : "from scratch";
  Deno.test(`rebuildOnline() ${what}, killed repeatedly, ends with the same bytes`, async () => {
    await using log = new MemoryLog();
    const { send } = await deployment(log, carries ? [100, 150] : [40, 90], 2);
    // A learner that keeps running would have other weights by the time of the comparison.
    const common = { tasks: { 1: 2, 2: 2 }, carries, ...(carries && { roles: ["task"] as const }) };
    let kills = 0, contents: Record<string, string> = {};
    const legs = legsOf(log, async () => {
      const taken = await contentsOf(log);
      return () => contents = taken;
    });
    for (let life = 9;; life += 5) {
      let isSent = false;
      const onStep = () => {
        if (!isSent) void send(6);
        isSent = true;
      };
      await using member = await Member.start(log, { ...common, onStep });
      try {
        await rebuildOnline(new CrashingLog(log, life), await member.optionsOf(2, signal));
        break;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        kills++;
        if (await servingGeneration(log, topics) === 2) break;
      }
    }
    assert.ok(kills >= 10, `${kills} kills`);
    assert.deepEqual(contents, await builtAtRest(log, legs, carries));
    const tagged = await Array.fromAsync(readAll(log, built.samples, 0), ({ headers }) => headers[LEARNT]);
    assert.equal(tagged.includes(""), carries);
    assert.ok(tagged.includes(undefined), "what came since is learnt");
  });
}

Deno.test("rebuildOnline() waits for answers that are committed but not readable yet", async () => {
  await using inner = new MemoryLog();
  const { send, allAnswered } = await deployment(inner, [60, 260], 1);
  const { recommendations } = topics;
  let readable = (await inner.bounds(recommendations, 0)).end;
  const log = layered(inner, {
    endsOf: async (places, what) => {
      return await Promise.all(places.map(async ({ topic, partition }) => {
        const { end } = await inner.bounds(topic, partition);
        if (topic !== recommendations || what === "written") return end;
        return readable = Math.min(end, readable + 1);
      }));
    },
    read: async (topic, partition, from, options) => {
      const read = await inner.read(topic, partition, from, options);
      if (topic !== recommendations) return read;
      const records = read.records.filter(({ offset }) => offset < readable);
      return { records, next: Math.max(from, Math.min(read.next, readable)) };
    },
  });
  let contents: unknown;
  const legs = legsOf(log, async () => {
    const taken = await contentsOf(inner);
    return () => contents = taken;
  });
  await using member = await Member.start(log, { tasks: { 1: 1, 2: 1 }, onStep: () => void send(2) });
  assert.ok((await member.build(2)).isSwitched);
  await allAnswered();
  assert.deepEqual(contents, await builtAtRest(inner, legs));
});

/**
 * A build whose steps take so long in simulated time, rests among it, while so many events arrive and are answered in
 * each leg.
 */
async function paced(comes: readonly number[], stepMs: number, patienceMs: number, restMs = 0) {
  await using log = new MemoryLog();
  const { send, allAnswered } = await deployment(log, [40, 600], 1);
  let now = 0, leg = 0, left = Infinity;
  const onStep = () => {
    now += stepMs;
    return restMs;
  };
  const clock = () => now;
  await using member = await Member.start(log, { tasks: { 1: 1, 2: 1 }, patienceMs, clock, onStep });
  member.connection.onCommit = async (records, when) => {
    if (when === "after") return;
    for (const { key, value } of records) {
      if (key === "closing" && value !== null) left = (await log.bounds(topics.events, 0)).end - leg;
      if (key !== "2" || left < Infinity) continue; // nobody answers any more
      leg = decodeGeneration(value!).until![0]!;
      await send(comes[0] ?? 0);
      comes = comes.slice(1);
      await untilCommitted(log);
    }
  };
  const { isSwitched } = await member.build(2);
  await allAnswered();
  return { isSwitched, left };
}

Deno.test("rebuildOnline() switches once the backlog can be built in the time that requests may wait", async () => {
  // A round of 40 events takes 450 ms, as does finding that there is no more: 60 events take longer than a second.
  const { isSwitched, left } = await paced([60, 60, 60, 60, 60, 60, 20, 3, 3], 450, 100_000);
  assert.ok(isSwitched);
  assert.ok(left <= 20, `${left} events when nothing was answered`);
});

Deno.test("rebuildOnline() gives up when events keep arriving as fast as they are built", async () => {
  await assert.rejects(
    paced(new Array(300).fill(1), 800, 1200),
    {
      name: "CannotSwitchYet",
      message: /Cannot switch without failing requests: .* at most 600 ms are allowed/,
    },
  );
});

Deno.test("rebuildOnline() leaves rests out of its estimate, as the last leg has none", async () => {
  assert.ok((await paced(new Array(300).fill(1), 800, 1200, 500)).isSwitched);
});

Deno.test("rebuildOnline() with a build in its own thread compares once, and heeds a refusal to switch", async () => {
  await using log = new MemoryLog();
  const { send } = await deployment(log, [60, 200], 1);
  await using member = await Member.start(log, { tasks: { 1: 1, 2: 1 } });
  let compared = 0;
  const { isSwitched } = await member.build(2, {
    apart: member.threaded(() => void send(3)),
    mayServe: () => Promise.resolve(compared++ > 0),
  });
  assert.deepEqual([isSwitched, compared], [false, 1]);
  assert.equal(await servingGeneration(log, topics), 1);
});

Deno.test("rebuildOnline() hands over local snapshots when the log has no index, and leaves none of the build", async () => {
  await using folder = await temporaryFolder();
  await using inner = new MemoryLog();
  const log = layered(inner, { latest: undefined as never });
  const { send, allAnswered } = await deployment(log, [60, 200], 2);
  const snapshots = { folder: folder.path };
  await using member = await Member.start(log, { tasks: { 1: 2, 2: 2 }, snapshots });
  const namesIn = async () => (await Array.fromAsync(Deno.readDir(folder.path), ({ name }) => name)).sort();
  await until(async () => (await namesIn()).length === 2, "the first generation has its own");
  let whileOpen: readonly string[] = [];
  const mayServe = async () => {
    whileOpen = await namesIn();
    return true;
  };
  const apart = member.threaded(() => void send(3));
  assert.ok((await member.build(2, { apart, mayServe })).isSwitched);
  assert.ok(whileOpen.includes("build"), "the build keeps its own apart");
  assert.deepEqual(
    (await namesIn()).filter((name) => !name.startsWith(`${topics.state}-`)),
    [`${built.state}-0`, `${built.state}-1`],
  );
  await send(20);
  await allAnswered();
});

Deno.test("rebuildOnline() leaves the old generation serving when the new one may not serve", async () => {
  await using log = new MemoryLog();
  await deployment(log, [30, 30], 1);
  await using member = await Member.start(log, { tasks: { 1: 1, 2: 1 } });
  assert.equal((await member.build(2, { mayServe: () => Promise.resolve(false) })).isSwitched, false);
  assert.equal(await servingGeneration(log, topics), 1);
  assert.equal(member.place.service.serving.model, "base");
});

/** What each task has learnt from behaviours, however it is divided into commits. */
async function signalsOf(log: Log, tasks: number): Promise<string> {
  const names: string[] = [];
  const itemAt = (id: string) => names.includes(id) ? names.indexOf(id) : names.push(id) - 1;
  const entries = [];
  for (let task = 0; task < tasks; task++) {
    for await (const { value } of readAll(log, built.signals, task)) {
      if (value!.length > 0) {
        entries.push(...readJournal(value!, itemAt).map((entry) => ({ task, ...entry })));
      }
    }
  }
  return JSON.stringify({ names, entries });
}

for (const [partitions, tasks] of [[1, 1], [2, 4]] as const) {
  Deno.test(`${tasks} tasks that took over ${partitions} partitions give the answers, states and samples of a clean deployment`, async () => {
    await using folder = await temporaryFolder();
    await using log = await SqliteLog.open(`${folder.path}/served`);
    const { send, allAnswered } = await deployment(log, [60, 320], partitions);
    const legs = legsOf(log, () => Promise.resolve(() => {}));
    // A learner publishes when it has time to: without one, answers depend on the events alone.
    const options = {
      tasks: { 1: partitions, 2: tasks },
      roles: ["task"] as const,
      onStep: () => void send(1),
    };
    await using member = await Member.start(log, options);
    assert.ok((await member.build(2)).isSwitched);
    await send(150);
    await allAnswered();
    await member.place.current.stop();
    await using clean = await SqliteLog.open(`${folder.path}/clean`);
    await buildAtRest(clean, log, legs);
    await clean.append([servingRecord(topics, 2, 0)]);
    const sorted = async (of: Log) => (await answersOn(of)).sort((a, b) => a.request < b.request ? -1 : 1); // tasks that share a partition take turns
    const before = (await answersOn(clean)).length;
    await using service = await begin(clean, options, { generation: 2, ends: endless(options, 2) });
    const answers = await sorted(log);
    await until(async () => (await answersOn(clean)).length === answers.length, "all are answered");
    await service.stop();
    assert.ok(answers.length > before + 20, `${answers.length - before} answers after the switch`);
    assert.deepEqual(await sorted(clean), answers);
    const contents = async (of: Log) => {
      const { statistics, signals: _, ...others } = await contentsBy(of, tasks);
      // Other statistics are written commit by commit, as journals; so are signals.
      const items = [...statistics].filter(([key]) => /^\d+\/item:/.test(key));
      return { ...others, items: new Map(items), signals: await signalsOf(of, tasks) };
    };
    assert.deepEqual(await contents(clean), await contents(log));
  });
}

/** What happens to a process, at which record of the switch. */
const FAULTS = ([["closing", "after"], ["2", "after"], ["serving", "before"], ["serving", "after"]] as const)
  .flatMap(([key, when]) =>
    (["builder dies", "builder is cut off", "other is cut off", "other is frozen"] as const)
      .map((what) => ({ key, when, what }))
  );

Deno.test("two processes switch to another generation and back, answering each request once", async () => {
  await using log = new MemoryLog();
  const { send, allAnswered } = await deployment(log, [60, 400], 2);
  let contents: unknown;
  const legs = legsOf(log, async () => {
    const taken = await contentsBy(log, 6);
    return () => contents ??= taken;
  });
  const options = { tasks: { 1: 2, 2: 6 }, onStep: () => void send(1) };
  await using one = await Member.start(log, options);
  await using other = await Member.start(log, options);
  const shared = async (tasks: number) =>
    await until(
      () => Promise.resolve([one, other].every(({ place }) => place.service.tasks.size === tasks)),
      "tasks are shared",
    );
  await shared(1);
  const results = await Promise.all([one.build(2), other.build(2)]);
  assert.deepEqual(
    results.map(({ isSwitched }) => isSwitched).sort(),
    [false, true],
    "one of them has built it",
  );
  assert.deepEqual(contents, await builtWhole(log, legs));
  await shared(3);
  await send(40);
  await allAnswered();

  assert.ok((await other.build(1)).isSwitched);
  await shared(1);
  await send(20);
  await allAnswered();
});

for (const { key, when, what } of FAULTS) {
  Deno.test(`two processes switch generations although the ${what} ${when} the commit of "${key}"`, async () => {
    await using log = new MemoryLog();
    const { send, allAnswered } = await deployment(log, [40, 260], 2);
    let contents: unknown;
    const legs = legsOf(log, async () => {
      const taken = await contentsOf(log);
      return () => contents = taken;
    });
    const options = { tasks: { 1: 2, 2: 2 }, onStep: () => void send(1) };
    await using one = await Member.start(log, options);
    await using other = await Member.start(log, options);
    const restored = Promise.withResolvers<void>();
    let isClosing = false;
    one.connection.onCommit = (records, now) => {
      isClosing ||= records.some((record) => record.key === "closing" && record.value !== null);
      if (!isClosing || now !== when || !records.some((record) => record.key === key)) return;
      one.connection.onCommit = () => {};
      if (what === "builder dies") return one.die();
      const { connection } = what === "builder is cut off" ? one : other;
      const thaw = connection.cut(what !== "other is frozen");
      setTimeout(() => {
        thaw();
        restored.resolve();
      }, 350);
    };
    const building = one.build(2);
    building.catch(() => {});
    await until(async () => (await log.identify(built.state)) !== null, "it is begun");
    const following = other.build(2);
    if (what === "builder dies") await assert.rejects(building);
    else await restored.promise;
    assert.equal((await Promise.allSettled([following]))[0]!.status, "fulfilled");
    if (what !== "builder dies") await building;
    assert.equal(await servingGeneration(log, topics), 2);
    await send(40);
    await allAnswered();
    assert.deepEqual(contents, await builtAtRest(log, legs));
    assert.equal(other.place.service.serving.model, "dien");
  });
}

Deno.test("the old generation goes on when the only builder dies during a switch", async () => {
  await using log = new MemoryLog();
  const { send, allAnswered } = await deployment(log, [40, 260], 2);
  let isPatient = true;
  const options = {
    tasks: { 1: 2, 2: 2 },
    patienceMs: 500,
    clock: () => isPatient ? 0 : performance.now(),
    onStep: () => void send(1),
  };
  await using one = await Member.start(log, options);
  await using other = await Member.start(log, options);
  one.connection.onCommit = (records, when) => {
    if (when === "before" || !records.some(({ key }) => key === "closing")) return;
    one.die();
    isPatient = false;
  };
  await assert.rejects(one.build(2));
  await send(40);
  await allAnswered();
  assert.equal(other.place.service.serving.model, "base");
  isPatient = true;
  assert.ok((await other.build(2)).isSwitched, "the other can still build it");
  await send(10);
  await allAnswered();
});

Deno.test("writers of tasks, learner and switch name the partitions whose commits they must see", async () => {
  await using log = new MemoryLog();
  await deployment(log, [30, 30], 1);
  const asked = new Map<string, string>();
  const open: Log["writer"] = log.writer.bind(log);
  log.writer = async (id, places = []) => {
    asked.set(id, places.map(({ topic, partition }) => `${topic}/${partition}`).join(" "));
    return await open(id, places);
  };
  await using member = await Member.start(log, { tasks: { 1: 1, 2: 1 } });
  await until(() => Promise.resolve(member.place.current.tasks.size === 1), "it works");
  assert.match(asked.get(`${tasksGroup(topics)}-0`)!, / meander\.generations\/0$/);
  assert.ok([...asked.values()].includes("meander.checkpoints/0 meander.parameters/0"));
  assert.ok((await member.build(2)).isSwitched);
  assert.equal(asked.get(`${tasksGroup(topics)}-0`), "meander.statistics/0", "those that it fences");
  assert.equal(asked.get(switchWriterId(topics)), "meander.generations/0");
});

Deno.test("a process does not fall back to the first generation when the serving record is lost", async () => {
  await using inner = new MemoryLog();
  const { send, allAnswered } = await deployment(inner, [40, 90], 1);
  let isLost = false;
  const { generations } = topics;
  const log = layered(inner, {
    latest: async (topic, ...place) =>
      isLost && topic === generations ? null : await inner.latest(topic, ...place),
    read: async (topic, ...place) => {
      const read = await inner.read(topic, ...place);
      return isLost && topic === generations ? { ...read, records: [] } : read;
    },
  });
  await using member = await Member.start(log, { tasks: { 1: 1, 2: 1 } });
  assert.ok((await member.build(2)).isSwitched);
  await send(10);
  await allAnswered();
  isLost = true;
  await inner.append([{ topic: generations, partition: 0, key: "new", value: new Uint8Array(1), time: 0 }]);
  await assert.rejects(member.succession.resume(), /Cannot tell which generation serves/);
  assert.equal(member.place.service.serving.model, "dien");
});

Deno.test("rebuildOnline() fails when another process takes back the switch, and succeeds when called again", async () => {
  await using log = new MemoryLog();
  const { send, allAnswered } = await deployment(log, [40, 90], 1);
  let isPatient = true;
  const options = {
    tasks: { 1: 1, 2: 1 },
    patienceMs: 500,
    clock: () => isPatient ? 0 : performance.now(),
  };
  await using one = await Member.start(log, options);
  await using _other = await Member.start(log, options);
  one.connection.onCommit = async (records, when) => {
    if (when === "after" || !records.some(({ key }) => key === "serving")) return;
    isPatient = false;
    await until(async () => (await switchState(log, topics)).closing === null, "it is taken back");
  };
  await assert.rejects(one.build(2), { name: "CannotSwitchYet", message: /Cannot switch within 500 ms/ });
  assert.equal(await servingGeneration(log, topics), 1);
  await send(10);
  await allAnswered();
  one.connection.onCommit = () => {};
  isPatient = true;
  assert.ok((await one.build(2)).isSwitched);
  assert.equal(await servingGeneration(log, topics), 2);
});

Deno.test("no task is restored while another generation takes over", async () => {
  await using log = new MemoryLog();
  await deployment(log, [30, 30], 1);
  await log.append([closingRecord(topics, { to: 2, ends: [0] }, 0)]);
  let restores = 0;
  const open = log.writer.bind(log);
  log.writer = async (id) => {
    if (id === `${tasksGroup(topics)}-0`) restores++;
    return await open(id);
  };
  let looks = 0;
  const latest = log.latest.bind(log);
  log.latest = (topic, partition, key) => {
    if (topic === topics.generations && key === "closing") looks++;
    return latest(topic, partition, key);
  };
  const options = { tasks: { 1: 1 } };
  await using service = await begin(log, options, { generation: 1, ends: endless(options, 1) });
  await until(() => Promise.resolve(looks > 2), "its task has looked again whether it may work");
  assert.ok(service.serving.version > 0, "it has a model");
  assert.equal(restores, 0);
  await log.append([closingRecord(topics, null, 0)]);
  await until(() => Promise.resolve(service.tasks.size === 1), "it works once it is taken back");
  assert.equal(restores, 1);
});

Deno.test("a process that has switched does not go back on a stale read of the serving record", async () => {
  await using inner = new MemoryLog();
  const { send, allAnswered } = await deployment(inner, [40, 160], 1);
  const held = Promise.withResolvers<void>();
  let isHeld = false;
  // The look that `closing` triggers gets its answer late.
  const log = layered(inner, {
    latest: async (topic, partition, key) => {
      const found = await inner.latest(topic, partition, key);
      if (topic !== topics.generations || key !== SERVING_KEY || !isHeld) return found;
      isHeld = false;
      await held.promise;
      return found;
    },
  });
  await using member = await Member.start(log, { tasks: { 1: 1, 2: 1 } });
  member.connection.onCommit = (records, when) => {
    if (when === "before") return;
    isHeld ||= records.some(({ key, value }) => key === "closing" && value !== null);
    if (records.some(({ key }) => key === SERVING_KEY)) setTimeout(held.resolve, 300);
  };
  assert.ok((await member.build(2)).isSwitched);
  const { current } = member.place;
  await send(20);
  await allAnswered();
  await delay(200);
  assert.ok(member.place.current === current, "it runs what it has switched to");
});

Deno.test("each request is answered once when a partition moves to another process after a switch and returns", async () => {
  await using log = new MemoryLog();
  const { send, allAnswered } = await deployment(log, [40, 260], 2);
  const options = { tasks: { 1: 2, 2: 2 }, delivery: "at-least-once" } as const;
  await using one = await Member.start(log, options);
  await using other = await Member.start(log, options);
  one.connection.onCommit = async (records, when) => {
    if (when === "before" || !records.some(({ key }) => key === "serving")) return;
    const isFaster = () => other.place.current.tasks.size > 0 && other.place.current.serving.model === "dien";
    await until(() => Promise.resolve(isFaster()), "the other one has some of them");
  };
  assert.ok((await one.build(2)).isSwitched);
  await send(30);
  await allAnswered();
  await delay(100);
  other.die();
  await until(() => Promise.resolve(one.place.service.tasks.size === 2), "it has all partitions");
  await send(30);
  await allAnswered();
});

Deno.test("requests in flight in a cut-off process are answered once when another generation takes over", async () => {
  await using log = new MemoryLog();
  const { send, allAnswered } = await deployment(log, [40, 260], 2);
  const options = { tasks: { 1: 2, 2: 2 } };
  await using one = await Member.start(log, options);
  await using other = await Member.start(log, options);
  await until(() => Promise.resolve(other.place.service.tasks.size === 1), "tasks are shared");
  const stuck = Promise.withResolvers<() => void>();
  other.connection.onCommit = (records, when) => {
    if (when === "after" || !records.some(({ topic }) => topic === topics.recommendations)) return;
    other.connection.onCommit = () => {};
    stuck.resolve(other.connection.cut(false));
  };
  one.connection.onCommit = async (records) => {
    if (!records.some(({ key }) => key === "closing")) return;
    one.connection.onCommit = () => {};
    await send(30);
    await stuck.promise;
  };
  assert.ok((await one.build(2)).isSwitched);
  await send(10);
  (await stuck.promise)();
  await until(() => Promise.resolve(other.place.service.serving.model === "dien"), "it follows");
  await allAnswered();
});
