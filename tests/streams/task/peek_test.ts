import assert from "node:assert/strict";
import { encodeEvent } from "../../../src/events/codec.ts";
import { ServingModel } from "../../../src/scorer/serving_model.ts";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { Task } from "../../../streams/task.ts";
import { topicNames, topicSpecs } from "../../../streams/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../../learner/batches.ts";
import { withFolder, withoutIndex } from "./harness.ts";

const topics = topicNames();
const USERS = Array.from({ length: 20 }, (_, n) => `u${n}`);

Deno.test("Task.peek() of several at a time gives each its own, from a snapshot too", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(USERS.map((user, n) => ({
    topic: topics.events,
    partition: 0,
    key: user,
    value: encodeEvent({ type: "profile", user, time: 1.7e12 + n, attributes: { of: user } }),
    time: 1.7e12 + n,
  })));
  const open = (folder: string) =>
    Task.open(
      withoutIndex(log),
      topics,
      0,
      { schema: SCHEMA },
      new ServingModel(makeModel("base"), SCHEMA, WIDTH),
      {
        snapshot: { folder },
      },
    );
  await withFolder(async (folder) => {
    {
      await using task = await open(folder);
      await task.round({ rows: 1000, events: 1000 });
      await task.commit();
    }
    await using task = await open(folder);
    assert.equal(task.state.users.size, 0);
    const seen = await Promise.all(USERS.map((user) => task.peek(user, ({ profile }) => profile)));
    assert.deepEqual(seen, USERS.map((user) => ({ of: user })));
  });
});
