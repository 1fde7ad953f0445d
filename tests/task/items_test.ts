import assert from "node:assert/strict";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { BEFORE_EVENT, Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";

const topics = topicNames();
const TIME = 1_700_000_000_000;

Deno.test("Task.step() takes items in as it reads them, also while no event comes", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const item = (id: string, headers = {}) => ({
    ...{ topic: topics.items, partition: 0, key: id, time: TIME, headers },
    value: encodeItem({ item: id, time: TIME }),
  });
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  const open = () => Task.open(log, topics, 0, { schema: SCHEMA }, serving);
  {
    await using task = await open();
    let time = 0;
    const step = () => task.step({ now: () => time += 1000 });
    await log.append(Array.from({ length: 2500 }, (_, n) => item(`i${n}`)));
    await step();
    assert.equal(task.state.counters.items, 2500);
    // What says when it applies waits, and so does what is behind it.
    await log.append([item("late", { [BEFORE_EVENT]: "1" }), item("later")]);
    await step();
    assert.equal(task.state.counters.items, 2500);
    const event = (user: string) => encodeEvent({ type: "profile", user, time: TIME, attributes: {} });
    const append = (user: string) =>
      log.append([{ topic: topics.events, partition: 0, key: user, value: event(user), time: TIME }]);
    await append("a");
    await step();
    assert.equal(task.state.counters.items, 2500);
    await append("b");
    await step();
    assert.equal(task.state.counters.items, 2502);
    await task.commit();
    assert.equal(task.committedItems, 2502);
  }
  await using again = await open();
  assert.equal(again.state.counters.items, 2502);
});
