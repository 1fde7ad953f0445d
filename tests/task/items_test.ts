import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { itemKey } from "../../src/items/item_codec.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { BEFORE_EVENT } from "../../streams/task/catalogue_reader.ts";

const topics = topicNames();
const TIME = 1_700_000_000_000;

Deno.test("Task.step() takes in items as it reads them, even while no event comes", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const item = (id: string, headers = {}) => ({
    topic: topics.items,
    partition: 0,
    key: id,
    time: TIME,
    headers,
    value: encodeItem({ item: id, time: TIME }),
  });
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  const open = () => Task.open({ log, topics, partition: 0, options: { schema: SCHEMA }, serving });
  {
    await using task = await open();
    let time = 0;
    const step = () => task.step({ now: () => time += 1000 });
    await log.append(Array.from({ length: 2500 }, (_, n) => item(`i${n}`)));
    await step();
    assert.equal(task.state.counters.items, 2500);
    // An item that names an event waits for it, and so do the items behind it.
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
    assert.equal(task.catalogue.committed, 2502);
  }
  await using again = await open();
  assert.equal(again.state.counters.items, 2502);
});

Deno.test("Task.step() takes in a large catalogue in slices, with commits in between, before the events that see it", async (t) => {
  const ITEMS = 5000;
  for (const headers of [{}, { [BEFORE_EVENT]: "0" }]) {
    await t.step(JSON.stringify(headers), async () => {
      await using log = new MemoryLog();
      await log.createTopics(topicSpecs(topics, 1));
      await log.append(Array.from({ length: ITEMS }, (_, n) => ({
        topic: topics.items,
        partition: 0,
        key: `i${n}`,
        time: TIME,
        headers,
        value: encodeItem({ item: `i${n}`, time: TIME }),
      })));
      const event = encodeEvent({ type: "profile", user: "a", time: TIME, attributes: {} });
      await log.append([{ topic: topics.events, partition: 0, key: "a", value: event, time: TIME }]);
      const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
      const open = () => Task.open({ log, topics, partition: 0, options: { schema: SCHEMA }, serving });
      let time = 0;
      const limits = { now: () => time += 1, sliceMs: 4, commitIntervalMs: 20, waitMs: 0 };
      let steps = 0, committed = 0;
      {
        await using task = await open();
        for (let taken = 0; taken < ITEMS; steps++) {
          assert.equal(task.state.counters.events, 0);
          await task.step(limits);
          const { items } = task.state.counters;
          assert.ok(items - taken <= 1000, `${items - taken} items in a step`);
          assert.ok(steps < 1000, `${items} items after ${steps} steps`);
          taken = items;
          if (taken < ITEMS) committed = task.catalogue.committed;
        }
        assert.ok(committed > 0, "a crash would start over");
      } // dies without a commit
      await using task = await open();
      assert.ok(task.state.counters.items >= committed);
      for (steps = 0; task.committed < 1; steps++) {
        assert.ok(steps < 1000);
        await task.step(limits);
      }
      assert.deepEqual([task.state.counters.items, task.state.counters.events], [ITEMS, 1]);
    });
  }
});

Deno.test("Task.step() applies an event after the items that were there before it, however many arrive meanwhile", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  let made = 0;
  const make = (count: number) =>
    log.append(Array.from({ length: count }, () => ({
      topic: topics.items,
      partition: 0,
      key: `i${made}`,
      time: TIME,
      value: encodeItem({ item: `i${made++}`, time: TIME }),
    })));
  const flooded = new Proxy(log, {
    get(inner, name: keyof MemoryLog) {
      const value = inner[name];
      if (name !== "read") return typeof value === "function" ? value.bind(inner) : value;
      return async (...place: Parameters<MemoryLog["read"]>) => {
        if (place[0] === topics.items) await make(300); // more than are read at a time
        return await inner.read(...place);
      };
    },
  });
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  const options = { schema: SCHEMA };
  await using task = await Task.open({ log: flooded, topics, partition: 0, options, serving });
  const event = encodeEvent({ type: "profile", user: "a", time: TIME, attributes: {} });
  let time = 0;
  const step = () => task.step({ now: () => time += 1, sliceMs: 4, commitIntervalMs: 0, waitMs: 0 });
  for (let n = 0; n < 3; n++) {
    await make(2000);
    await step(); // begins with them
    await make(2000);
    const before = made;
    await log.append([{ topic: topics.events, partition: 0, key: "a", value: event, time: TIME }]);
    for (let steps = 0; task.state.counters.events <= n; steps++) {
      assert.ok(steps < 100, `${task.state.counters.items} items, and the event still waits`);
      await step();
    }
    assert.ok(task.state.counters.items >= before, `${task.state.counters.items} of ${before} items`);
    assert.ok(task.state.counters.items < made);
  }
});

Deno.test("Task.step() rejects an item whose vector has the wrong length, and goes on", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const schema = { ...SCHEMA, itemFields: ["taste[2]"] };
  const model = createModel("base", modelSizes(schema, WIDTH), {}, mulberry32(0));
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: { schema },
    serving: new ServingModel(model, schema, WIDTH),
  });
  const vectors = { good: [1, 2], bad: [1, 2, 3], good2: [3, 4] };
  await log.append(
    Object.entries(vectors).map(([item, taste]) => ({
      topic: topics.items,
      partition: 0,
      key: item,
      time: TIME,
      value: encodeItem({ item, time: TIME, attributes: { taste } }),
    })),
  );
  await task.step({ now: () => TIME });
  await task.commit();
  assert.deepEqual(Array.from(task.state.catalogue.items(), ({ id }) => id), ["good", "good2"]);
  const { records } = await log.read(topics.rejected, 0, 0);
  assert.deepEqual(records.map(({ key }) => key), ["bad"]);
  const { reason } = JSON.parse(new TextDecoder().decode(records[0]!.value!));
  assert.match(
    reason,
    /^Cannot take attributes\.taste of the item as a list of 2 numbers: current value is a list of 3$/,
  );
});

Deno.test("Task.commit() writes each item once, and again only when it has changed", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  await using task = await Task.open({ log, topics, partition: 0, options: { schema: SCHEMA }, serving });
  let time = TIME, from = 0;
  const written = async (...items: readonly string[]) => {
    await log.append(items.map((item) => ({
      topic: topics.items,
      partition: 0,
      key: item,
      time,
      value: encodeItem({ item, time, title: `${time}` }),
    })));
    await task.step({ now: () => time += 10_000 });
    await task.commit();
    const { records, next } = await log.read(topics.statistics, 0, from);
    from = next;
    return records.flatMap(({ key }) => key?.startsWith(itemKey("")) ? [key] : []);
  };
  assert.deepEqual(await written("a", "b"), ["a", "b"].map(itemKey));
  assert.deepEqual(await written("c"), [itemKey("c")]);
  assert.deepEqual(await written("a"), [itemKey("a")]);
});
