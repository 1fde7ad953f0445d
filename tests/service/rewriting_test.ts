import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { encodeVersion } from "../../src/serving/version.ts";
import { positionRecord } from "../../streams/topics/feeder_position.ts";
import { writerOf } from "../../streams/learning/learner_records.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { NAMED_FROM } from "../../streams/task/inputs/position.ts";
import { CLEARED, NOTHING_SHARED } from "../../streams/task/others.ts";
import { TASK_KEY } from "../../src/engine/task_codec.ts";
import { Eraser } from "../../streams/service/erasure/eraser.ts";
import type { Task } from "../../streams/task/task.ts";
import {
  monitorGroup,
  topicNames,
  topicSpecs,
  variantTopics,
  variantTopicSpecs,
} from "../../streams/topics/topics.ts";
import { Rewriting } from "../../streams/service/erasure/rewriting.ts";
import { makeLearner, makeSamples } from "../learner/batches.ts";

const topics = topicNames();
const VARIANT = variantTopics(topics, "din").parameters;
const USER = "u1";

/** A version that has a row of the user. */
function version(): Uint8Array {
  const learner = makeLearner("base");
  learner.learn(makeSamples(40).map((sample) => ({ ...sample, user: USER })));
  return encodeVersion(learner.version("full", 1, 0));
}

const record = (topic: string, over: Partial<NewRecord> = {}): NewRecord => ({
  topic,
  partition: 0,
  key: USER,
  value: new Uint8Array(1),
  time: 0,
  headers: { input: "0/0/0" },
  ...over,
});

type Log = MemoryLog;
const commit = async (log: Log, group: string, topic: string, offset: number) => {
  await using writer = await log.writer(group);
  await writer.commit({ records: [], group, offsets: [{ topic, partition: 0, offset }] });
};
const checkpoint = async (log: Log, model: string, next: number) => {
  const id = (await log.identify(topics.samples))?.id ?? null;
  await log.append([positionRecord(topics, writerOf(topics, model), { id, next: [next] })]);
};

/** The record of the task of the other partition. */
const others = (cleared: string) =>
  record(topics.statistics, { partition: 1, key: TASK_KEY, headers: { [CLEARED]: cleared } });

/** The record of the task of the user. */
const own = (headers: Record<string, string>) => record(topics.statistics, { key: TASK_KEY, headers });

/** What an erasure waits for, and how each comes about. */
const CONDITIONS: Readonly<Record<string, (log: Log) => Promise<unknown>>> = {
  "the task": (log) => commit(log, `${topics.events}-tasks`, topics.events, 2),
  "the names in the task's own journals": (log) => log.append([own({ [NAMED_FROM]: "2" })]),
  "the learner": (log) => checkpoint(log, "base", 2),
  "the learner of a variant": (log) => checkpoint(log, "din", 2),
  "the monitor, of samples": (log) => commit(log, monitorGroup(topics), topics.samples, 2),
  "the monitor, of answers": (log) => commit(log, monitorGroup(topics), topics.recommendations, 1),
  "a version without the user": (log) => log.trim(topics.parameters, 0, 1),
  "tasks of other partitions": (log) => log.append([others("0:2")]),
  "a version of a variant without the user": (log) => log.trim(VARIANT, 0, 1),
};

/** A log on which a user who had an answer was erased at offset 1, and has come back since. */
async function erased(): Promise<Log> {
  const log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 2), ...variantTopicSpecs(topics, ["din"])]);
  const forget = encodeEvent({ type: "forget", user: USER, time: 1_700_000_000_000 });
  await log.append([
    record(topics.events),
    record(topics.events, { value: forget }),
    record(topics.events),
    record(topics.experiments, { key: "one" }),
    record(topics.signals),
    record(topics.signals),
    record(topics.signals, { value: new Uint8Array(0) }),
    others("0:1"),
    own({ [NAMED_FROM]: "1" }),
    record(topics.recommendations),
    record(topics.recommendations, { headers: { input: "0/2/0" } }),
    record(topics.samples),
    record(topics.samples, { value: null, headers: { input: "0/1/0" } }),
    record(topics.samples, { headers: { input: "0/2/0" } }),
    record(topics.parameters, { key: "base", value: version() }),
    record(VARIANT, { key: "din", value: version() }),
  ]);
  return log;
}

const look = (log: Log) => {
  const deployment = { log, topics, partitions: 2, models: ["base", "din"], tasks: () => new Map() };
  return new Rewriting(deployment);
};
const PLACE = { partition: 0, offset: 1 };

for (const [condition, comesAbout] of Object.entries(CONDITIONS)) {
  Deno.test(`Rewriting.progress() waits for ${condition}`, async () => {
    await using log = await erased();
    for (const other of Object.values(CONDITIONS)) if (other !== comesAbout) await other(log);
    const rewriting = look(log);
    assert.equal((await rewriting.progress(PLACE)).state, "under way");
    await comesAbout(log);
    assert.equal((await rewriting.progress(PLACE)).state, "kept");
  });
}

Deno.test("Rewriting.progress() does not mistake a user who came back for one who was not erased", async () => {
  await using log = await erased();
  for (const comesAbout of Object.values(CONDITIONS)) await comesAbout(log);
  const rewriting = look(log);
  assert.equal((await rewriting.progress(PLACE)).state, "kept");
  await log.append([record(topics.parameters, { key: "base", value: version() })]);
  assert.equal((await rewriting.progress(PLACE)).state, "kept");
});

Deno.test("Rewriting.progress() does not wait for tasks that learn nothing from others", async () => {
  await using log = await erased();
  for (const comesAbout of Object.values(CONDITIONS)) await comesAbout(log);
  await log.append([others(NOTHING_SHARED)]);
  assert.equal((await look(log).progress(PLACE)).state, "kept");
});

Deno.test("Rewriting.progress() does not count a checkpoint that has learnt samples of an earlier topic", async () => {
  await using log = await erased();
  for (const comesAbout of Object.values(CONDITIONS)) await comesAbout(log);
  await log.append([positionRecord(topics, writerOf(topics, "base"), { id: "another", next: [9] })]);
  assert.equal((await look(log).progress(PLACE)).state, "under way");
});

for (const [condition, comesAbout] of Object.entries(CONDITIONS)) {
  Deno.test(`Eraser.look() also waits for ${condition} on a log that can erase`, async () => {
    await using log = await erased();
    for (const other of Object.values(CONDITIONS)) if (other !== comesAbout) await other(log);
    const committed = new Map([[0, 9], [1, 9]]);
    const task = { others: { isShared: true, committed }, openedAt: 0, lastErasure: 1 } as unknown as Task;
    const tasks = new Map([[0, task], [1, task]]);
    const deployment = { log, topics, partitions: 2, models: ["base", "din"], tasks: () => tasks };
    await using eraser = Eraser.for(deployment, { clock: () => 0 }) ?? assert.fail("no eraser");
    await eraser.look();
    assert.equal(eraser.progress(PLACE).state, "under way");
    await comesAbout(log);
    assert.equal(await eraser.look(), true);
    assert.equal(eraser.progress(PLACE).state, "done");
  });
}
