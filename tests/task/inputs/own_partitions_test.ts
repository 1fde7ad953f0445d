import assert from "node:assert/strict";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import type { Log, NewRecord, TopicSpec } from "../../../streams/log/log.ts";
import { partitionOf } from "../../../streams/log/partitioner.ts";
import { ownPartitions } from "../../../streams/task/inputs/own_partitions.ts";
import { tasksLog } from "../../../streams/task/shared_sources.ts";
import { type Generation, generationRecord } from "../../../streams/topics/generations.ts";
import {
  generationTopics,
  rememberedTopic,
  topicNames,
  topicSpecs,
  variantTopics,
} from "../../../streams/topics/topics.ts";
import { all, hasCode } from "../../contracts/log_suite.ts";
import { layered } from "../../../streams/log/metered_log.ts";
import { AdministeredLog } from "../../log/administered_log.ts";
import { warnings } from "../../log/warnings.ts";

const first = topicNames("shop.g7."); // which looks like a generation
const second = generationTopics(first, 2);
const EVENTS = 2;
const TASKS = 4;

const blueprint = { model: "base", variants: [], partitions: TASKS, seed: 0, options: {} };
const generation: Generation = { number: 2, blueprint, since: 0, isAdopted: false, sources: EVENTS };

/** The topics of two generations as they should be. */
const wanted: readonly TopicSpec[] = [
  ...topicSpecs(first, EVENTS),
  ...topicSpecs(second, TASKS).filter(({ name }) => name.endsWith(".g2")),
  { name: rememberedTopic(second), partitions: TASKS, cleanup: "delete" },
  { name: `${first.recommendations}.home`, partitions: EVENTS, cleanup: "delete" },
  { name: variantTopics(second, "dien").parameters, partitions: 1, cleanup: "delete" },
];

/** A log with topics that somebody has given more partitions than they should have. */
async function grownLog(isGrown: (topic: string) => boolean, more = 3): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(wanted.map((spec) => ({
    ...spec,
    partitions: spec.partitions + (isGrown(spec.name) ? more : 0),
  })));
  await log.append([generationRecord(first, generation, 0)]);
  return log;
}

const isOwn = (topic: string) => topic !== first.events && topic !== first.items;

Deno.test("ownPartitions() hides partitions added to topics that only we write, and warns of each topic once", async () => {
  await using below = await grownLog(isOwn);
  const log = ownPartitions(below, second);
  const heard = await warnings(async () => {
    for (const { name, partitions } of wanted) {
      assert.equal((await log.topics(name)).get(name)?.partitions, partitions, `${name} without the others`);
    }
    for (let again = 0; again < 2; again++) {
      const topics = await log.topics();
      for (const { name, partitions } of wanted) {
        assert.equal(topics.get(name)?.partitions, partitions, name);
        assert.equal((await log.identify(name))?.partitions, partitions, name);
      }
    }
    await log.createTopics(wanted);
  });
  assert.equal(heard.length, wanted.length - 2);
  assert.ok(heard.includes(
    `${second.state} has 7 partitions, of which this deployment uses 4: the rest stay empty`,
  ));
});

Deno.test("tasksLog() splits only the partitions that events had when the deployment began", async () => {
  await using below = await grownLog((topic) => !isOwn(topic), 1);
  const log = await tasksLog(below, second);
  assert.equal(ownPartitions(log, second), log, "a service hides nothing of what is split");
  assert.equal((await log.identify(second.events))?.partitions, TASKS);
  const assigned = Promise.withResolvers<readonly number[]>();
  await using _member = await log.join("tasks", [second.events], {
    assigned: (partitions) => Promise.resolve(assigned.resolve(partitions)),
    revoked: () => Promise.resolve(),
  });
  assert.deepEqual([...await assigned.promise].sort(), [0, 1, 2, 3]);
});

Deno.test("ownPartitions() hides partitions added to events and items, counts them, and shows foreign topics", async () => {
  await using below = await grownLog((topic) => !isOwn(topic));
  const [other, fewer] = [`${first.state}.others`, `${first.state}.g3`];
  await below.createTopics([other, fewer].map((name) => ({ name, partitions: 9, cleanup: "delete" })));
  const log = ownPartitions(below, first);
  assert.equal(ownPartitions(log, second), log, "hidden once, even where topics look split");
  const topics = await log.topics();
  for (const { name, partitions } of wanted) {
    assert.equal(topics.get(name)?.partitions, partitions, name);
    assert.equal((await log.identify(name))?.unread, isOwn(name) ? undefined : 3, name);
  }
  for (const name of [other, fewer]) assert.equal(topics.get(name)?.partitions, 9);
  assert.equal(await log.identify("none"), null);
  await log.createTopics(wanted);
  const more = wanted.map((spec) => isOwn(spec.name) ? spec : { ...spec, partitions: spec.partitions + 1 });
  await assert.rejects(log.createTopics(more), hasCode("topic-mismatch"));
});

Deno.test("ownPartitions() takes the number of event partitions from the record, or the state topic once it exists", async () => {
  for (const isRecorded of [true, false]) {
    await using below = new AdministeredLog();
    const specs = topicSpecs(first, EVENTS);
    await below.createTopics(specs.filter(({ name }) => !name.endsWith("state")));
    if (isRecorded) await below.append([generationRecord(first, generation, 0)]);
    const partitions = async (log: Log = ownPartitions(below, first)) =>
      (await log.identify(first.events))?.partitions;
    below.grow(first.events, 4);
    assert.equal(await partitions(), 4, "it may never have started, as its topics did not fit");
    below.grow(first.events, EVENTS);
    await below.createTopics(specs);
    const before = ownPartitions(below, first);
    assert.equal(await partitions(before), EVENTS);
    below.grow(first.events, 4);
    assert.equal(await partitions(), EVENTS);
    below.grow(first.state, 4);
    assert.deepEqual([await partitions(before), await partitions()], [EVENTS, isRecorded ? EVENTS : 4]);
  }
});

Deno.test("ownPartitions() asks a log once how many partitions events have, however often records are appended", async () => {
  for (const partitions of [1, EVENTS]) {
    await using below = new MemoryLog();
    await below.createTopics(topicSpecs(first, partitions));
    let asked = 0;
    const counted = layered<Log>(below, { identify: (topic) => (asked++, below.identify(topic)) });
    const log = ownPartitions(counted, first);
    const append = () => log.append([{ topic: first.events, key: "u", value: null, time: 1 }]);
    await append();
    const before = asked;
    for (let again = 0; again < 3; again++) await append();
    assert.equal(asked, before, `of ${partitions} partitions`);
  }
});

Deno.test("ownPartitions() puts appended and committed keys where they went before partitions were added", async () => {
  await using below = await grownLog((topic) => !isOwn(topic));
  await below.createTopics([{ name: "other", partitions: 5, cleanup: "delete" }]);
  const log = ownPartitions(below, first);
  const keys = Array.from({ length: 40 }, (_, i) => `u${i}`);
  const to = (topic: string): NewRecord[] => keys.map((key) => ({ topic, key, value: null, time: 1 }));
  const records = [first.events, first.items, "other"].flatMap(to);
  await log.append([...records, { ...to(first.events)[0]!, partition: 4 }]);
  {
    await using writer = await log.writer("writer");
    await writer.commit({ records, group: "", offsets: [] });
  }
  const keysOf = async (topic: string, partition: number) =>
    (await all(below, topic, partition)).map(({ key }) => key);
  for (const [topic, partitions] of [[first.events, EVENTS], [first.items, 1], ["other", 5]] as const) {
    for (let p = 0; p < partitions; p++) {
      const own = keys.filter((key) => partitionOf(key, partitions) === p);
      assert.deepEqual(await keysOf(topic, p), topic === first.items ? keys : [...own, ...own], topic);
    }
  }
  assert.deepEqual(await keysOf(first.events, 4), ["u0"], "a record that names a partition goes there");
});

Deno.test("ownPartitions() refuses state with too many partitions when the events topic is gone", async () => {
  await using below = new MemoryLog();
  await below.createTopics(topicSpecs(first, 4).filter(({ name }) => name !== first.events));
  const states = topicSpecs(first, 2).filter(({ name }) => name === first.state);
  await assert.rejects(ownPartitions(below, first).createTopics(states), hasCode("topic-mismatch"));
});

Deno.test("ownPartitions() assigns each visible partition to one member of a group, and never an empty set", async () => {
  await using below = await grownLog(() => true);
  const log = ownPartitions(below, first);
  for (
    const [topic, count] of [[first.parameters, 1], [second.state, TASKS], [first.events, EVENTS]] as const
  ) {
    const held: number[] = [];
    const member = () =>
      log.join(`of ${topic}`, [topic], {
        assigned(partitions) {
          assert.notEqual(partitions.length, 0);
          return Promise.resolve(void held.push(...partitions));
        },
        revoked(partitions) {
          assert.notEqual(partitions.length, 0);
          for (const partition of partitions) held.splice(held.indexOf(partition), 1);
          return Promise.resolve();
        },
      });
    await using _one = await member();
    await using _two = await member();
    assert.deepEqual(held.toSorted(), Array.from({ length: count }, (_, partition) => partition));
  }
});
