import assert from "node:assert/strict";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { Learning } from "../../streams/learning/learning.ts";
import { type Log, LogError } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Service } from "../../streams/service/service.ts";
import { MonitorJob } from "../../streams/service/jobs/monitor_job.ts";
import { Task } from "../../streams/task/task.ts";
import { StateStore } from "../../streams/task/store/state_store.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { makeLearner, makeSamples, SCHEMA } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { OPTIONS, until } from "./deployment.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { withFolder, withoutIndex } from "../task/harness.ts";

const topics = topicNames();
const PARTITIONS = 2;

/** A log that counts the writers that are open. */
class Counted extends MemoryLog {
  open = 0;

  override async writer(id: string) {
    const writer = await super.writer(id);
    this.open++;
    return {
      id,
      commit: writer.commit.bind(writer),
      [Symbol.asyncDispose]: async () => {
        this.open--;
        await writer[Symbol.asyncDispose]();
      },
    };
  }
}

async function createLog(): Promise<Counted> {
  const log = new Counted();
  await log.createTopics([
    ...topicSpecs(topics, PARTITIONS),
    { name: "clicks", partitions: PARTITIONS, cleanup: "delete" },
  ]);
  return log;
}

async function* nothing() {}

/** Opens on a log that fails at each operation in turn. @returns How many operations there are. */
async function failAtEach(log: Counted, open: (log: Log) => Promise<AsyncDisposable>): Promise<number> {
  for (let at = 1;; at++) {
    const crashing = new CrashingLog(log, at);
    try {
      await (await open(crashing))[Symbol.asyncDispose]();
      assert.equal(log.open, 0, "what was opened releases it");
      return at - 1;
    } catch (error) {
      assert.ok(error instanceof Crash, `${error}`);
      assert.equal(log.open, 0, `operation ${at}`);
    }
  }
}

const source = (log: Log) => ({
  log,
  topic: "clicks",
  format: compileSource("metarank", { preset: "metarank" }),
});
const openings: Readonly<Record<string, (log: Log) => Promise<AsyncDisposable>>> = {
  Feeder: (log) => Feeder.open(log, topics, nothing()),
  TopicFeeder: (log) => TopicFeeder.open(log, topics, { ...source(log), start: "latest" }),
  Learning: (log) => Learning.open(log, topics, makeLearner("base")),
  MonitorJob: (log) => MonitorJob.open(log, topics, { now: () => 0 }),
};

for (const [name, open] of Object.entries(openings)) {
  Deno.test(`${name}.open() releases its writer when it fails at any operation`, async () => {
    const operations = await failAtEach(await createLog(), open);
    assert.ok(operations > 2, `${operations}`);
  });
}

Deno.test("Task.open() releases writer, snapshot and pinned versions when it fails at any operation", async () => {
  await withFolder(async (folder) => {
    const log = await createLog();
    const pinned = new Set<number>();
    const pins = {
      need: (partition: number) => Promise.resolve((pinned.add(partition), [])),
      release: (partition: number) => void pinned.delete(partition),
    };
    const snapshot = { folder, intervalMs: 0 };
    const operations = await failAtEach(log, async (crashing) => {
      const runtime = { pins, snapshot, delivery: "at-least-once" } as const;
      try {
        return await Task.open({
          log: withoutIndex(crashing),
          topics,
          partition: 0,
          options: { schema: SCHEMA },
          serving: new FakeServing(),
          ...runtime,
        });
      } catch (error) {
        assert.deepEqual([...pinned], []);
        const store = await StateStore.open(snapshot);
        assert.equal(store?.folder, folder, "its folder is free");
        await store?.close();
        throw error;
      }
    });
    assert.ok(operations > 4, `${operations}`);
  });
});

Deno.test("Learning.open() releases its writer when it is stopped while it learns again", async () => {
  const log = await createLog();
  await log.append(
    makeSamples(40).map((sample, n) => ({
      topic: topics.samples,
      partition: n % PARTITIONS,
      key: sample.user,
      time: sample.time,
      value: encodeSample(sample),
    })),
  );
  const open = (signal?: AbortSignal) =>
    Learning.open(log, topics, makeLearner("base"), { batchRows: 32, now: () => 0, signal });
  {
    await using learning = await open();
    await learning.drain();
  }
  const stopped = AbortSignal.abort(new Error("enough"));
  await assert.rejects(open(stopped), /enough/);
  assert.equal(log.open, 0);
});

Deno.test("Service releases a task that cannot start, and opens another", async () => {
  class Failing extends Counted {
    failed = 0;

    override bounds(topic: string, partition: number) {
      return topic === topics.events && this.failed++ === 0
        ? Promise.reject(new LogError("closed", "the brokers are away"))
        : super.bounds(topic, partition);
    }
  }
  const log = new Failing();
  {
    await using service = await Service.start(log, { ...OPTIONS, partitions: 1, pauseMs: 1 });
    await until(() => Promise.resolve(service.tasks.size > 0), "the task is at work");
  }
  assert.ok(log.failed > 1);
  assert.equal(log.open, 0);
});
