import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Task } from "../../streams/task/task.ts";
import { DELIVERIES, type Delivery } from "../../streams/topics/delivery.ts";
import type { StateStoreOptions } from "../../streams/task/store/store_options.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { withFolder, withoutIndex } from "./harness.ts";

const topics = topicNames();
const START = 1_700_000_000_000;
const HOUR = 3_600_000;

/** A log that soon forgets its tombstones, as Kafka does after a day. */
async function createLog() {
  const log = new MemoryLog({ tombstones: 2 });
  await log.createTopics(topicSpecs(topics, 1));
  const append = (...events: Event[]) =>
    log.append(events.map((event) => ({
      topic: topics.events,
      partition: 0,
      key: event.user,
      value: encodeEvent(event),
      time: event.time,
    })));
  return { log: withoutIndex(log), append };
}

const profile = (user: string): Event => ({ type: "profile", user, time: START, attributes: { of: user } });
const forget = (user: string): Event => ({ type: "forget", user, time: START });

/** Runs a task to the end of the log, and returns the users that it has then. */
async function run(
  log: ReturnType<typeof withoutIndex>,
  snapshot?: StateStoreOptions,
  delivery: Delivery = "exactly-once",
): Promise<string[]> {
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: { schema: SCHEMA },
    serving,
    snapshot,
    delivery,
  });
  while (await task.step({ now: () => 0 }) > 0);
  await task.commit();
  return (await Array.fromAsync(task.users.records())).map(([user]) => user);
}

for (const delivery of DELIVERIES) {
  Deno.test(`Task.open() does not bring back a user erased while its snapshot lay unused, ${delivery}`, async () => {
    await withFolder(async (folder) => {
      const { log, append } = await createLog();
      await append(profile("a"), profile("b"));
      const at = (hours: number) => ({ folder, wallClock: () => START + hours * HOUR });
      assert.deepEqual(await run(log, at(0), delivery), ["a", "b"]);
      // Meanwhile the partition is elsewhere.
      await append(
        forget("a"),
        ...Array.from({ length: 20 }, (_, n) => [profile(`x${n}`), forget(`x${n}`)]).flat(),
      );
      assert.deepEqual(await run(log, undefined, delivery), ["b"]);
      assert.deepEqual(await run(log, at(30), delivery), ["b"]);
      assert.ok((await Deno.stat(`${folder}.aside`)).isDirectory);
      assert.deepEqual(await run(log, at(31), delivery), ["b"], "the rebuilt snapshot is used");
    });
  });
}
