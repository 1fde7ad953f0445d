import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import type { Log, LogRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { Service } from "../../streams/service/service.ts";
import { ThreadedLearner } from "../../streams/service/jobs/threaded_learner.ts";
import { INPUT } from "../../streams/topics/delivery.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import {
  answersOn,
  OPTIONS,
  recordsOf,
  requestsOf,
  shopEvents,
  until,
  untilCommitted,
} from "./deployment.ts";
import type { ServiceOptions } from "../../streams/service/jobs/options.ts";

const topics = topicNames();

const start = (log: Log, options: Partial<ServiceOptions<"base">> = {}) =>
  Service.start(log, { ...OPTIONS, learnerThread: { permissions: "none" }, ...options });

async function parametersOn(log: Log): Promise<LogRecord[]> {
  return await Array.fromAsync(readAll(log, topics.parameters, 0));
}

/** The samples that tasks make of a small shop. */
async function samplesOf(views: number): Promise<LogRecord[]> {
  await using log = new MemoryLog();
  await using _service = await Service.start(log, OPTIONS);
  await log.append(recordsOf(shopEvents(views, 20)));
  await untilCommitted(log);
  return await Array.fromAsync(readAll(log, topics.samples, 0));
}

/** The beginning of a sample of a future format. */
const TO_COME = Uint8Array.of(12);

for (
  const [name, open] of [
    ["memory", () => Promise.resolve(new MemoryLog())],
    ["sqlite", async () => await SqliteLog.open(`${await Deno.makeTempDir()}/log.sqlite`)],
  ] as const
) {
  Deno.test(`Service with a threaded learner on a ${name} log serves what it learns, and stops with a checkpoint`, async () => {
    await using log = await open();
    await using service = await start(log, { partitions: 2 });
    const events = shopEvents(300, 20);
    await log.append(recordsOf(events));
    await untilCommitted(log);
    await until(async () => ((await service.status()).learner?.lag ?? 99) < 32, "samples are learnt");
    await until(
      () => Promise.resolve(service.serving.version === service.learner?.version),
      "the newest version is served",
    );
    assert.ok(service.serving.version > 3, `version ${service.serving.version}`);
    const { learner } = service;
    assert.ok(learner !== undefined && learner.rows > 100 && learner.tableBytes > 0);
    assert.ok((learner.quality.auc ?? 0) > 0.5, `AUC ${learner.quality.auc}`);
    await service.stop();
    await service.ended;
    assert.deepEqual((await answersOn(log)).length, requestsOf(events).length);
    const last = (await parametersOn(log)).length;
    await using again = await start(log, { roles: ["learner"] });
    await until(() => Promise.resolve(again.learner !== undefined), "it learns again");
    assert.ok((again.learner?.rows ?? 0) >= learner.rows);
    assert.equal((await parametersOn(log)).length, last, "nothing is made twice");
  });
}

Deno.test("Service with a threaded learner makes the same versions, byte for byte, as with one beside the tasks", async () => {
  const samples = await samplesOf(300);
  const made: string[][] = [];
  for (const learnerThread of [false, { permissions: "none" }] as const) {
    await using log = new MemoryLog();
    const learning = { ...OPTIONS.learning, publishIntervalMs: 0, snapshotVersions: 1e6 };
    await using service = await start(log, { roles: ["learner"], learnerThread, learning });
    await log.append(samples);
    // Fewer rows than a batch remain.
    await until(async () => ((await service.status()).learner?.lag ?? 99) < 10, "samples are learnt");
    await service.stop();
    await service.ended;
    made.push(
      (await parametersOn(log)).map(({ value }) => createHash("sha256").update(value!).digest("hex")),
    );
  }
  const [beside = [], thread = []] = made;
  const count = Math.min(beside.length, thread.length);
  assert.ok(count > 10, `${beside.length} and ${thread.length} versions`);
  assert.deepEqual(thread.slice(0, count), beside.slice(0, count));
});

Deno.test("Service reopens a threaded learner whose writer was fenced", async () => {
  await using log = new MemoryLog();
  await using service = await start(log);
  await until(() => Promise.resolve(service.learner?.version === 1), "it learns");
  await (await log.writer(`${topics.samples}-learner-base`))[Symbol.asyncDispose]();
  await log.append(recordsOf(shopEvents(300, 20)));
  await untilCommitted(log);
  await until(() => Promise.resolve((service.learner?.version ?? 0) > 1), "it was reopened");
});

Deno.test("Service.ended rejects when a threaded learner cannot go on", async () => {
  await using log = new MemoryLog();
  await using service = await start(log);
  await until(() => Promise.resolve(service.learner !== undefined), "it learns");
  const headers = { [INPUT]: "0/1/0" };
  await log.append([{ topic: topics.samples, key: "u", value: TO_COME, headers, time: 0 }]);
  await assert.rejects(service.ended, {
    name: "LogError",
    code: "corrupt",
    message: /Cannot learn: meander.samples\/0@0 /,
  });
});

Deno.test("Service.ended rejects when the thread of a learner dies", async () => {
  await using log = new MemoryLog();
  const module = "data:text/javascript,onmessage = () => { throw new Error('no memory'); };";
  await using service = await start(log, { learnerThread: { module } });
  await assert.rejects(service.ended, /The thread of the learner of base died: .*no memory/);
});

Deno.test("Service.stop() ends the thread of a learner that is still opening", async () => {
  await using log = new MemoryLog();
  const module = "data:text/javascript,onmessage = () => {};";
  const service = await start(log, { learnerThread: { module } });
  const stopping = service.stop();
  await stopping;
  await service.ended;
  assert.equal(service.learner, undefined);
});

Deno.test("ThreadedLearner.step() resolves while its log answers, even when there is nothing to learn", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const { model, modelConfig, task: { schema }, learner } = OPTIONS;
  const spec = { model, modelConfig, schema, learner, learning: {}, topics };
  const { signal } = new AbortController();
  await using threaded = await ThreadedLearner.open(log, spec, { permissions: "none" }, signal);
  for (let n = 0; n < 3; n++) await threaded.step(AbortSignal.timeout(30_000)); // rejects if the step does not end
});
