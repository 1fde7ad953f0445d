/** Whoever takes work over resumes after what was committed, even when a broker answers that is cut off. */

import assert from "node:assert/strict";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { replayRejected } from "../../streams/feeders/rejected_replay.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { sourceOf, syntheticRecords } from "../sources/synthetic.ts";
import { cutOff } from "./cut_off.ts";

const topics = topicNames();
const TIME = Date.UTC(2026, 10, 27, 10);
const fields = { user: "u", item: "i", action: { value: "click" } };
/** A source that takes one kind of records. */
const clicksOf = (kind: string) =>
  compileSource("clicks", { rules: [{ as: "interaction", when: { kind }, fields }] });

async function appendClicks(log: Log): Promise<void> {
  await log.append(Array.from({ length: 10 }, (_, n) => {
    const record = { kind: n % 2 === 0 ? "new" : "old", u: `u${n}`, i: "i" };
    return {
      topic: "clicks",
      key: null,
      value: new TextEncoder().encode(JSON.stringify(record)),
      time: TIME,
    };
  }));
}

async function newLog(): Promise<Log> {
  const log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
  return log;
}

async function feedTopic(log: Log, name = "a", after?: string): Promise<void> {
  const source = {
    log,
    topic: "clicks",
    format: clicksOf("old"),
    name,
    after: after === undefined ? [] : [after],
  };
  await using feeder = await TopicFeeder.open(log, topics, source, { now: () => TIME });
  while (await feeder.feed() > 0);
}

async function feedFile(log: Log, views: number): Promise<void> {
  await using feeder = await Feeder.open(log, topics, sourceOf(syntheticRecords({ views })), { name: "f" });
  while (await feeder.feed());
}

const replay = async (log: Log) => void await replayRejected(log, topics, clicksOf("new"));

/** Feeds what is there: the first time, the second, and by whoever takes over then. */
const WORK: Readonly<Record<string, readonly ((log: Log) => Promise<void>)[]>> = {
  "a file": [5, 10, 10].map((views) => (log) => feedFile(log, views)),
  "a topic": Array(3).fill((log: Log) => feedTopic(log)),
  "a topic under another name": [feedTopic, feedTopic, (log) => feedTopic(log, "b", "a")],
  "rejected records": Array(3).fill(replay),
};

for (const [what, [first, second, third]] of Object.entries(WORK)) {
  Deno.test(`taking over the feed of ${what} at a broker that is cut off feeds nothing twice`, async () => {
    await using log = await newLog();
    const ends = async () => {
      const all = [topics.events, topics.items, topics.rejected].map((topic) => log.bounds(topic, 0));
      return (await Promise.all(all)).map(({ end }) => end);
    };
    const feed = async (work: (log: Log) => Promise<void>) => {
      await appendClicks(log);
      if (first === replay) await feedTopic(log);
      await work(log);
      return await ends();
    };
    const before = await feed(first!);
    const behind = await cutOff(log, topics.positions);
    const fed = await feed(second!);
    assert.notDeepEqual(fed, before);
    await third!(behind);
    assert.deepEqual(await ends(), fed);
  });
}

Deno.test("ExperimentRegistry.start() at a broker that is cut off sees the changes before it", async () => {
  await using log = await newLog();
  const behind = await cutOff(log, topics.experiments);
  const draft = { name: "e", variants: [{ name: "A" }, { name: "B", model: "prior" }] };
  const registryOf = (own: Log) => new ExperimentRegistry(own, topics, { models: ["base"], now: () => TIME });
  await registryOf(log).start(draft);
  await assert.rejects(registryOf(behind).start(draft), /already running/);
});
