/** A generation that is built beside the one that serves follows it without a gap. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodeGeneration } from "../../streams/topics/generations.ts";
import { type OnlineOptions, rebuildOnline } from "../../streams/generations/online.ts";
import { boundedLog, Rebuild, type RebuildOptions } from "../../streams/generations/rebuild.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Replaceable, ServingTopics } from "../../streams/service/replaceable.ts";
import { Service } from "../../streams/service/service.ts";
import { SERVING_KEY, servingGeneration } from "../../streams/topics/serving.ts";
import { topicSpecs } from "../../streams/topics/topics.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { tasksLog } from "../../streams/task/shared_sources.ts";
import { answersOn, OPTIONS, recordsOf, requestsOf, shopEvents, until } from "../service/deployment.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { built, digestOf, rebuildOptions, serve, topics } from "./built.ts";

const GENERATION = {
  number: 2,
  blueprint: { model: "dien", variants: [], partitions: 1, seed: 0, options: {} },
  since: 0,
  isAdopted: false,
};

/** What a generation is built with while another one serves. */
async function online(
  log: Log,
  place: Replaceable,
  over: Partial<OnlineOptions> = {},
): Promise<OnlineOptions> {
  const { until: _, ...rebuild } = await rebuildOptions(log);
  const { model, modelConfig, learner } = rebuild.spec;
  return {
    topics,
    serving: 1,
    generation: GENERATION,
    rebuild: { ...rebuild, service: () => ({}) },
    place,
    ends: [],
    start: async (warm) =>
      await Service.start(await tasksLog(log, built), {
        ...OPTIONS,
        ...{ generation: 2, model, modelConfig, task: rebuild.task, learner, warm },
      }),
    mayServe: () => Promise.resolve(true),
    share: 1,
    signal: new AbortController().signal,
    clock: () => performance.now(),
    now: () => 0,
    ...over,
  };
}

/**
 * The ends of legs of the second generation that come to a log from now on, in their order.
 *
 * @param atSwitch called once when all legs are built, before the generation serves
 */
function legsOf(log: Log, atSwitch: () => Promise<void>): readonly (readonly number[])[] {
  const legs: (readonly number[])[] = [];
  const append = log.append.bind(log);
  let isSwitched = false;
  log.append = async (records) => {
    if (
      !isSwitched && records.some(({ key, topic }) => topic === topics.generations && key === SERVING_KEY)
    ) {
      isSwitched = true;
      await atSwitch();
    }
    const offsets = await append(records);
    for (const { topic, key, value } of records) {
      if (topic === topics.generations && key === "2" && value !== null) {
        legs.push(decodeGeneration(value).until!);
      }
    }
    return offsets;
  };
  return legs;
}

/** Everything but what the learner keeps of itself, which stands at the last checkpoint. */
async function contentsOf(log: Log) {
  const { checkpoints: _, ...digests } = await digestOf(log);
  return digests;
}

/** Digests of a topic's newest records by key; of states without the offset of the last event, which follows the format. */
async function recordsBy(log: Log, topic: string, tasks: number) {
  const found = new Map<string, string>();
  for (let task = 0; task < tasks; task++) {
    for await (const { key, value } of readAll(log, topic, task)) {
      let at = topic === built.state ? 1 : -1;
      while (at > 0 && value![at]! >= 0x80) at++;
      found.set(`${task}/${key}`, createHash("sha256").update(value!.subarray(at + 1)).digest("hex"));
    }
  }
  return new Map([...found].sort());
}

/** What a generation with so many tasks holds, wherever the events are. */
async function contentsBy(log: Log, tasks: number) {
  const { samples, signals, parameters } = await digestOf(log);
  const [states, statistics] = [
    await recordsBy(log, built.state, tasks),
    await recordsBy(log, built.statistics, tasks),
  ];
  // A task without users has noted its position alone.
  const busy = new Set([...states.keys()].map((key) => key.split("/")[0]));
  for (const key of statistics.keys()) if (!busy.has(key.split("/")[0])) statistics.delete(key);
  return { samples, signals, parameters, states, statistics };
}

/** What a generation holds that is built at rest from the events and answers of another log, in the same legs. */
async function builtAtRest(log: Log, legs: readonly (readonly number[])[]) {
  await using copy = new MemoryLog();
  const { partitions } = (await log.topics()).get(topics.events)!;
  await copy.createTopics(topicSpecs(topics, partitions));
  for (const topic of [topics.items, topics.events, topics.recommendations]) {
    for (let p = 0; p < (await log.topics()).get(topic)!.partitions; p++) {
      for await (const record of readAll(log, topic, p)) await copy.append([{ ...record, partition: p }]);
    }
  }
  const options: RebuildOptions = { ...await rebuildOptions(copy), until: legs[0]!, service: () => ({}) };
  await using rebuild = await Rebuild.open(copy, options);
  for (const [n, leg] of legs.entries()) {
    rebuild.extend(leg);
    while (await rebuild.step(n === legs.length - 1));
  }
  return await contentsOf(copy);
}

/** What a generation holds that is built at rest on a log that has as many partitions as it has tasks. */
async function builtWhole(log: Log, legs: readonly (readonly number[])[]) {
  await using copy = new MemoryLog();
  const tasks = legs[0]!.length;
  const { partitions } = (await log.topics()).get(topics.events)!;
  await copy.createTopics(topicSpecs(topics, tasks));
  for await (const record of readAll(log, topics.items, 0)) await copy.append([record]);
  const places = new Map<string, number>();
  const counts = legs.map((leg) => leg.map(() => 0));
  for (let p = 0; p < partitions; p++) {
    for await (const { partition, offset, ...record } of readAll(log, topics.events, p)) {
      const task = partitionOf(record.key!, tasks);
      const [place] = await copy.append([{ ...record, partition: task }]);
      places.set(`${partition}/${offset}`, place!);
      for (const [n, leg] of legs.entries()) if (offset < leg[task]!) counts[n]![task] = place! + 1;
    }
  }
  for (let p = 0; p < partitions; p++) {
    for await (const { key, value, time, headers } of readAll(log, topics.recommendations, p)) {
      const [, event, index] = /^\d+\/(\d+)\/(\d+)$/.exec(headers["input"]!)!;
      const partition = partitionOf(key!, tasks);
      const input = `${partition}/${places.get(`${p}/${event}`)}/${index}`;
      await copy.append([{ topic: topics.recommendations, partition, key, value, time, headers: { input } }]);
    }
  }
  const options: RebuildOptions = { ...await rebuildOptions(copy), until: counts[0]!, service: () => ({}) };
  await using rebuild = await Rebuild.open(copy, options);
  for (const [n, leg] of counts.entries()) {
    rebuild.extend(leg);
    while (await rebuild.step(n === counts.length - 1));
  }
  return await contentsBy(copy, tasks);
}

Deno.test("rebuildOnline() goes from 2 tasks to 6 and back under load, each request answered once", async () => {
  await using log = new MemoryLog();
  await serve(log, { views: 60, partitions: 2 });
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  const more = shopEvents(320, 12).slice(shopEvents(60, 12).length);
  let sent = 0;
  const send = async (n: number) => {
    const events = more.slice(sent, sent += n);
    await log.append(recordsOf(events).filter(({ topic }) => topic === topics.events));
  };
  let now: unknown;
  const legs = legsOf(log, async () => {
    now = await contentsBy(log, 6);
  });
  await using first = await Service.start(log, { ...OPTIONS, partitions: 2 });
  const place = new Replaceable(first, new ServingTopics(topics));
  const options = await online(log, place, {
    generation: { ...GENERATION, blueprint: { ...GENERATION.blueprint, partitions: 6 } },
    onStep: () => void send(1),
  });
  const there = await rebuildOnline(log, options);
  assert.ok(there.isSwitched);
  assert.equal((await log.topics()).get(topics.events)!.partitions, 2, "nothing is copied");
  assert.equal(place.service.deployment.partitions, 6);
  await using _second = place.service;
  await until(() => Promise.resolve(place.service.tasks.size === 6), "all tasks are assigned");
  assert.deepEqual(now, await builtWhole(log, legs), "as with 6 partitions from the beginning");
  await send(30);
  const asked = () => requestsOf([...shopEvents(60, 12), ...more.slice(0, sent)]).sort();
  const isAnswered = async () => (await answersOn(log)).length >= asked().length;
  await until(isAnswered, "all are answered by six");
  for (const task of place.service.tasks.values()) {
    for (const id of task.state.users.keys()) assert.equal(partitionOf(id, 6), task.partition);
  }

  // The way back begins with another start.
  await place.current.stop();
  const ends = new Array<number>(6).fill(Infinity);
  const {
    rebuild: {
      spec: { model: builtModel, modelConfig: builtConfig, learner: builtLearner },
      task: builtTask,
    },
  } = options;
  await using again = await Service.start(boundedLog(await tasksLog(log, built), topics.events, ends), {
    ...OPTIONS,
    ...{ generation: 2, model: builtModel, modelConfig: builtConfig, task: builtTask, learner: builtLearner },
  });
  place.replace(again);
  const back = await online(log, place, { ends });
  const before = { ...GENERATION, number: 1, blueprint: { ...GENERATION.blueprint, partitions: 2 } };
  const { model, modelConfig, task, learner, learning = {} } = OPTIONS;
  const result = await rebuildOnline(log, {
    ...back,
    serving: 2,
    generation: before,
    rebuild: {
      spec: { model, modelConfig, schema: task.schema, learner, learning, topics },
      ...{ task, roundEvents: 40, service: () => ({}) },
    },
    onStep: () => void send(1),
    start: async (warm) => await Service.start(log, { ...OPTIONS, warm }),
  });
  assert.ok(result.isSwitched);
  await using _third = place.service;
  await send(20);
  await until(isAnswered, "all are answered by two");
  const requests = (await answersOn(log)).map(({ request }) => request).sort();
  assert.deepEqual(requests, asked(), "each once");
});

for (const partitions of [1, 2]) {
  Deno.test(`rebuildOnline() switches while requests come, each answered once, in ${partitions} partitions`, async () => {
    await using log = new MemoryLog();
    await serve(log, { views: 60, partitions });
    await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
    const more = shopEvents(260, 12).slice(shopEvents(60, 12).length);
    const followed = new ServingTopics(topics);
    await using first = await Service.start(log, { ...OPTIONS, partitions });
    const place = new Replaceable(first, followed);
    let sent = 0;
    const send = async (n: number) => {
      const events = more.slice(sent, sent += n);
      await log.append(recordsOf(events).filter(({ topic }) => topic === topics.events));
    };
    let contents: Record<string, string> = {};
    const legs = legsOf(log, async () => {
      await send(30); // nobody answers now
      contents = await contentsOf(log);
      assert.equal(place.service.tasks.size, partitions, "whoever looks sees the old tasks");
    });
    const generation = { ...GENERATION, blueprint: { ...GENERATION.blueprint, partitions } };
    const options = await online(log, place, { generation });
    const thread = partitions === 1 ? undefined : { share: 1, onProgress: () => void send(4) };
    const { isSwitched } = await rebuildOnline(log, {
      ...options,
      thread,
      onStep: () => void send(2),
    });
    assert.deepEqual(await place.service.unready(), []);
    assert.ok(isSwitched);
    assert.equal(await servingGeneration(log, topics), 2);
    assert.equal(place.service.serving.model, "dien");
    assert.equal(followed.topics.state, built.state);
    await using _second = place.service;
    await send(40);
    const asked = requestsOf([...shopEvents(60, 12), ...more.slice(0, sent)]);
    await until(async () => (await answersOn(log)).length >= asked.length, "all are answered");
    const answers = await answersOn(log);
    assert.deepEqual(answers.map(({ request }) => request).sort(), asked.sort(), "each once");
    const models = answers.map(({ model }) => model);
    assert.ok(models.includes("base") && models.includes("dien"));
    assert.ok(legs.length > 2, `${legs.length} legs`);
    assert.deepEqual(contents, await builtAtRest(log, legs));
  });
}

Deno.test("rebuildOnline() killed at any operation goes on to the same bytes", async () => {
  await using log = new MemoryLog();
  await serve(log, { views: 40, partitions: 2 });
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  const more = shopEvents(90, 12).slice(shopEvents(40, 12).length);
  let sent = 0, kills = 0, contents: Record<string, string> = {};
  const legs = legsOf(log, async () => {
    contents = await contentsOf(log);
  });
  for (let life = 9;; life += 5) {
    await using service = await Service.start(log, { ...OPTIONS, partitions: 2 });
    const place = new Replaceable(service, new ServingTopics(topics));
    const events = more.slice(sent, sent += 6);
    const blueprint = { ...GENERATION.blueprint, partitions: 2 };
    const generation = { ...GENERATION, blueprint, until: legs.at(-1) };
    const options = await online(log, place, { generation });
    try {
      await rebuildOnline(new CrashingLog(log, life), {
        ...options,
        onStep: () =>
          void log.append(recordsOf(events.splice(0)).filter(({ topic }) => topic === topics.events)),
      });
      await place.current.stop();
      break;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      kills++;
      if (await servingGeneration(log, topics) === 2) break;
    }
  }
  assert.ok(kills >= 10, `${kills} kills`);
  assert.deepEqual(contents, await builtAtRest(log, legs));
});

Deno.test("rebuildOnline() leaves the other one serving where the new one predicts worse", async () => {
  await using log = new MemoryLog();
  await serve(log, { views: 30 });
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  await using service = await Service.start(log, OPTIONS);
  const place = new Replaceable(service, new ServingTopics(topics));
  const options = await online(log, place, { mayServe: () => Promise.resolve(false) });
  assert.equal((await rebuildOnline(log, options)).isSwitched, false);
  assert.equal(await servingGeneration(log, topics), 1);
  assert.equal(place.service.serving.model, "base");
});
