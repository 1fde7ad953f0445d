/** A restore that follows another owner of its partition ends with the state that the other has committed. */

import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import { openRestore } from "../../streams/task/task_parts.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { inventory } from "../engine/streams.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { withFolder, withoutIndex } from "./harness.ts";
import type { TaskRuntime } from "../../streams/task/options.ts";

const topics = topicNames();
const options = { schema: SCHEMA, impressions: "logged", outcomeWindowMs: 300_000 } as const;
const limits = { rows: 20, events: 30 };

/** Every other seed has user lists, for which users wait. */
function optionsOf(seed: number): TaskOptions {
  return seed % 2 === 0 ? options : { ...options, userLists: { count: 3, everyMs: 90_000 } };
}

/** Events of some users; now and then one is erased, and retrieval writes a snapshot. */
function recordsOf(seed: number): NewRecord[] {
  const random = mulberry32(seed);
  return syntheticRecords({ views: 160, users: 25, seed }).flatMap((record) => {
    if (record.kind !== "event") return [];
    const { event } = record;
    const { user, time } = event;
    const forget = { type: "forget", user, time: time + 1 } as const;
    return [event, ...random() < 0.01 ? [forget] : []].map((event) => ({
      topic: topics.events,
      partition: 0,
      key: user,
      value: encodeEvent(event),
      time: event.time,
    }));
  });
}

async function outputsOf(log: Log): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const topic of [topics.recommendations, topics.samples, topics.rejected, topics.lists]) {
    for await (const { key, value } of readAll(log, topic, 0)) found.push({ topic, key, value });
  }
  return found;
}

/** Runs a task on a log, and replaces it midway by one from a restore that has followed it. */
async function takenOver(log: Log, seed: number, runtime: TaskRuntime): Promise<unknown[]> {
  const serving = () => new ServingModel(makeModel("dien"), SCHEMA, WIDTH);
  const random = mulberry32(seed);
  const own = optionsOf(seed);
  const open = (runtime: TaskRuntime) =>
    Task.open({ log, topics, partition: 0, options: own, serving: serving(), ...runtime });
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(recordsOf(seed));
  {
    await using leader = await open({});
    const rounds = 2 + Math.floor(10 * random());
    const begin = Math.floor(rounds * random());
    await using restore = await (async () => {
      for (let round = 0; round < begin; round++) await leader.round(limits);
      return await openRestore({ log, topics, partition: 0, options: own, serving: serving(), ...runtime });
    })();
    for (let round = begin; round < rounds; round++) {
      const isBeside = random() < 0.5; // a commit may come between two reads
      const following = random() < 0.7 ? restore.follow() : null;
      if (!isBeside) await following;
      await Promise.all([leader.round(limits), following]);
    }
    const wanted = await (async () => {
      await using plain = await open({});
      return await contentsOf(plain);
    })();
    await using task = await open({ ...runtime, restore });
    assert.deepEqual(await contentsOf(task), wanted);
    while ((await task.round(limits)).complete);
    await task.flush();
  }
  return await outputsOf(log);
}

const contentsOf = async (task: Task) => ({
  // Which users are in memory may differ.
  state: Object.entries(inventory(task.state)).filter(([name]) => !name.startsWith("user ")),
  users: await Array.fromAsync(task.users.records()),
  next: task.next,
});

/** The outputs of a task that nobody takes over. */
async function undisturbed(seed: number): Promise<unknown[]> {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(recordsOf(seed));
  const serving = new ServingModel(makeModel("dien"), SCHEMA, WIDTH);
  await using task = await Task.open({ log, topics, partition: 0, options: optionsOf(seed), serving });
  while ((await task.round(limits)).complete);
  await task.flush();
  return await outputsOf(log);
}

Deno.test("Task.open() resumes from a restore that has followed another task as from one of its own", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    await withFolder(async (folder) => {
      await using indexed = new MemoryLog();
      await using plain = new MemoryLog();
      await using stored = new MemoryLog();
      const want = await undisturbed(seed);
      assert.deepEqual(await takenOver(indexed, seed, {}), want, `seed ${seed}`);
      assert.deepEqual(await takenOver(withoutIndex(plain), seed, {}), want, `seed ${seed}, in memory`);
      const snapshot = { folder, intervalMs: 0 };
      assert.deepEqual(
        await takenOver(withoutIndex(stored), seed, { snapshot }),
        want,
        `seed ${seed}, in files`,
      );
    });
  }
});
