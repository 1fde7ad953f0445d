/** An erased user is in no generation afterwards, neither in one that was begun nor in one that is kept. */

import assert from "node:assert/strict";
import { decodeTaskCounters } from "../../src/engine/task_codec.ts";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import { generationRecord, generationsOf } from "../../streams/topics/generations.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { Service } from "../../streams/service/service.ts";
import { ownRecord } from "../../streams/task/inputs/inputs.ts";
import { servingRecord } from "../../streams/topics/serving.ts";
import { generationTopics, topicSpecs } from "../../streams/topics/topics.ts";
import { OPTIONS, recordsOf, until, untilCommitted } from "../service/deployment.ts";
import { formsOn, GONE, shop } from "../service/forms.ts";
import { built, rebuildOptions, topics } from "./built.ts";

const FAST = {
  ...OPTIONS,
  learning: { ...OPTIONS.learning, checkpointIntervalMs: 50 },
  eraseIntervalMs: 20,
};

/** A deployment that has served a small shop with {@linkcode GONE} and built so many rounds of a second generation. */
async function deployed(partitions: number, rounds: number): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, partitions));
  await log.append(recordsOf(shop()));
  {
    await using _service = await Service.start(log, { ...FAST, partitions });
    await untilCommitted(log);
  }
  const options = await rebuildOptions(log);
  const blueprint = { model: "dien", variants: [], partitions, seed: 0, options: {} };
  for (const number of [1, 2]) {
    const generation = { number, blueprint, since: 0, isAdopted: false };
    await log.append([generationRecord(topics, generation, 0)]);
  }
  await using rebuild = await Rebuild.open(log, options);
  for (let round = 0; round < rounds && await rebuild.step(); round++);
  return log;
}

/** Runs a generation, and erases a user. */
async function erase(log: Log, user: string, options: Parameters<typeof Service.start>[1]): Promise<void> {
  await using service = await Service.start(log, options);
  const time = shop().at(-1)!.time;
  const value = encodeEvent({ type: "forget", user, time });
  const record = { topic: topics.events, key: user, value, time };
  const [offset = -1] = await log.append([record]);
  const partition = partitionOf(user, (await log.topics(topics.events)).get(topics.events)!.partitions);
  await until(
    async () => (await service.erasure(partition, offset))?.state === "done",
    "the user is erased",
  );
}

for (const partitions of [1, 3]) {
  Deno.test(`Eraser drops a half-built generation of ${partitions} tasks that has the user`, async () => {
    await using log = await deployed(partitions, 12);
    const before = await formsOn(log);
    assert.ok(before[built.samples] !== undefined && before[built.state] !== undefined, "it has the user");
    await erase(log, GONE, { ...FAST, partitions });
    assert.deepEqual(await formsOn(log), {});
    assert.deepEqual([...(await generationsOf(log, topics)).keys()], [1], "the next build starts afresh");
  });
}

Deno.test("Eraser drops a replaced generation if it has the user", async () => {
  await using log = await deployed(1, Infinity);
  const { spec, task } = await rebuildOptions(log);
  await log.append([servingRecord(topics, 2, 0)]);
  const { model, modelConfig, learner } = spec;
  const options = { ...FAST, model, modelConfig, learner, task, generation: 2 };
  await erase(log, "nobody", options as never);
  assert.ok((await formsOn(log))[topics.samples] !== undefined, "it is kept if it does not have the user");
  await erase(log, GONE, options as never);
  assert.deepEqual(await formsOn(log), {});
  assert.deepEqual([...(await generationsOf(log, topics)).keys()], [2]);
});

for (const when of ["before its build resumes", "during its build"]) {
  Deno.test(`a late merge does not revive a user erased ${when} in a generation that takes over later`, async () => {
    await using log = await deployed(1, Infinity);
    const options = await rebuildOptions(log);
    await using open = new AsyncDisposableStack();
    const begin = async () => open.use(await Rebuild.open(log, options));
    const begun = when === "during its build" ? await begin() : undefined;
    const time = shop().at(-1)!.time;
    const act = {
      type: "interaction",
      user: "session",
      item: "i1",
      action: "click",
      time: time - 1,
    } as const;
    await log.append(recordsOf([act, { type: "alias", user: "session", of: "new", time }]));
    await erase(log, "new", FAST);
    assert.deepEqual([...(await generationsOf(log, topics)).keys()], [1, 2], "it has no state of the user");

    const rebuild = begun ?? await begin();
    rebuild.extend([(await log.bounds(topics.events, 0)).end]);
    while (await rebuild.step());
    await open.disposeAsync();
    await log.append([servingRecord(topics, 2, 0), ...recordsOf([{ ...act, time: time - 2 }])]);
    const { model, modelConfig, learner } = options.spec;
    const own = { ...FAST, model, modelConfig, learner, task: options.task, generation: 2 };
    await using _service = await Service.start(log, own as never);
    const dropped = async () => decodeTaskCounters((await ownRecord(log, built, 0))!.value!).erasedMerges;
    await until(async () => await dropped() === 1, "it is handed over and dropped");
    assert.equal(await log.latest(built.state, 0, "new"), null);
  });
}

Deno.test("a late merge in the next leg of a build does not revive a user erased before it", async () => {
  await using log = await deployed(1, Infinity);
  await using rebuild = await Rebuild.open(log, await rebuildOptions(log));
  await erase(log, "new", FAST);
  const { time } = shop().at(-1)!;
  const behaviours = [{ item: "i1", action: "click", time: time - 2, strength: 1 }];
  await log.append(recordsOf([{ type: "merge", user: "new", from: "session", time, behaviours }]));
  rebuild.extend([(await log.bounds(topics.events, 0)).end]);
  while (await rebuild.step());
  assert.equal(await log.latest(built.state, 0, "new"), null);
  assert.equal(decodeTaskCounters((await ownRecord(log, built, 0))!.value!).erasedMerges, 1);
});

Deno.test("Eraser removes the user from a generation that has begun with the weights of another one", async () => {
  await using log = await deployed(1, Infinity);
  const blueprint = { model: "dien", variants: [], partitions: 1, seed: 0, options: {} };
  await log.append([
    generationRecord(topics, { number: 3, blueprint, since: 0, isAdopted: false, carries: 2 }, 0),
  ]);
  const before = await rebuildOptions(log);
  const spec = { ...before.spec, topics: generationTopics(topics, 3) };
  {
    await using _begun = await Rebuild.open(log, { ...before, spec, carries: before.spec });
  }
  assert.ok((await formsOn(log))[spec.topics.checkpoints] !== undefined, "its weights have the user");
  await erase(log, GONE, FAST);
  assert.deepEqual(await formsOn(log), {});
});

Deno.test("Rebuild erases a user from its carried weights when it reads their forget event", async () => {
  await using log = await deployed(1, Infinity);
  const [{ time }] = shop().slice(-1) as [Event];
  const value = encodeEvent({ type: "forget", user: GONE, time });
  await log.append([{ topic: topics.events, key: GONE, value, time }]);
  const before = await rebuildOptions(log);
  const spec = { ...before.spec, topics: generationTopics(topics, 3) };
  await using rebuild = await Rebuild.open(log, { ...before, spec, carries: before.spec });
  const forms = async () => {
    const { [spec.topics.checkpoints]: checkpoints, [spec.topics.parameters]: parameters } = await formsOn(
      log,
    );
    return { checkpoints, parameters };
  };
  assert.ok((await forms()).checkpoints !== undefined, "they have the user");
  while (await rebuild.step());
  assert.deepEqual(await forms(), { checkpoints: undefined, parameters: undefined });
});
