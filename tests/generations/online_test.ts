/** A generation that is built beside the one that serves follows it without a gap. */

import assert from "node:assert/strict";
import { decodeGeneration } from "../../streams/generations/generation.ts";
import { type OnlineOptions, rebuildOnline } from "../../streams/generations/online.ts";
import { Rebuild, type RebuildOptions } from "../../streams/generations/rebuild.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { FollowedTopics, Replaceable } from "../../streams/service/replaceable.ts";
import { Service } from "../../streams/service/service.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { topicSpecs } from "../../streams/topics/topics.ts";
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
    start: async (warm) =>
      await Service.start(log, {
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

/** The ends of legs of the second generation that come to a log from now on, in their order. */
function legsOf(log: Log): readonly (readonly number[])[] {
  const legs: (readonly number[])[] = [];
  const append = log.append.bind(log);
  log.append = async (records) => {
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

/** What a generation holds that is built at rest from the events and answers of another log, in the same legs. */
async function builtAtRest(log: Log, legs: readonly (readonly number[])[]) {
  await using copy = new MemoryLog();
  const partitions = (await log.topics()).get(topics.events)!.partitions;
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

for (const partitions of [1, 2]) {
  Deno.test(`rebuildOnline() switches while requests come, each answered once, in ${partitions} partitions`, async () => {
    await using log = new MemoryLog();
    await serve(log, { views: 60, partitions });
    await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
    const more = shopEvents(260, 12).slice(shopEvents(60, 12).length);
    const followed = new FollowedTopics(topics);
    await using first = await Service.start(log, { ...OPTIONS, partitions });
    const place = new Replaceable(first, followed);
    let sent = 0;
    const send = async (n: number) => {
      const events = more.slice(sent, sent += n);
      await log.append(recordsOf(events).filter(({ topic }) => topic === topics.events));
    };
    const legs = legsOf(log);
    let contents: Record<string, string> = {};
    const options = await online(log, place);
    const { isSwitched } = await rebuildOnline(log, {
      ...options,
      onStep: () => void send(2),
      async start(warm) {
        await send(30); // nobody answers now
        contents = await contentsOf(log);
        assert.equal(place.service.tasks.size, partitions, "whoever looks sees the old tasks");
        assert.deepEqual([...warm!.tasks.keys()], Array.from({ length: partitions }, (_, p) => p));
        return await options.start(warm);
      },
    });
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
  const legs = legsOf(log);
  let sent = 0, kills = 0, contents: Record<string, string> = {};
  for (let life = 9;; life += 6) {
    await using service = await Service.start(log, { ...OPTIONS, partitions: 2 });
    const place = new Replaceable(service, new FollowedTopics(topics));
    const events = more.slice(sent, sent += 6);
    const generation = { ...GENERATION, until: legs.at(-1) };
    const options = await online(log, place, { generation });
    try {
      await rebuildOnline(new CrashingLog(log, life), {
        ...options,
        onStep: () =>
          void log.append(recordsOf(events.splice(0)).filter(({ topic }) => topic === topics.events)),
        async start() {
          contents = await contentsOf(log);
          return await options.start(undefined);
        },
      });
      break;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      kills++;
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
  const place = new Replaceable(service, new FollowedTopics(topics));
  const options = await online(log, place, { mayServe: () => Promise.resolve(false) });
  assert.equal((await rebuildOnline(log, options)).isSwitched, false);
  assert.equal(await servingGeneration(log, topics), 1);
  assert.equal(place.service.serving.model, "base");
});
