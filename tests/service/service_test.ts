import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { encodeEvent } from "../../src/events/codec.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { Service } from "../../streams/service/service.ts";
import { Task } from "../../streams/task/task.ts";
import { listen } from "../log/warnings.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import {
  answersOn,
  OPTIONS,
  recordsOf,
  requestsOf,
  sampledRequestsOn,
  sampledRowsOn,
  shopEvents,
  until,
  untilCommitted,
} from "./deployment.ts";
import type { ServiceOptions } from "../../streams/service/jobs/options.ts";

const topics = topicNames();
const PARTITIONS = 4;

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  return log;
}

const start = (log: Log, options: Partial<ServiceOptions<"base">> = {}) =>
  Service.start(log, { ...OPTIONS, partitions: PARTITIONS, ...options });

/** Asserts that each request was answered once, and that no sample is there twice. */
async function assertOnce(log: Log, requests: readonly string[]): Promise<void> {
  assert.deepEqual((await answersOn(log)).map(({ request }) => request).sort(), [...requests].sort());
  const sampled = await sampledRequestsOn(log);
  assert.deepEqual([...new Set(sampled)].sort(), sampled.sort());
  assert.ok(sampled.length > requests.length / 2, `${sampled.length} samples of ${requests.length} requests`);
}

/** Waits until fewer than 200 sampled rows are left to learn. */
async function untilLearnt(log: Log, service: Service): Promise<void> {
  const rows = await sampledRowsOn(log);
  const learnt = async () => ((await service.status()).learner?.rows ?? 0) > rows - 200;
  await until(learnt, `${rows} rows are learnt`);
}

for (
  const [name, open] of [
    ["memory", () => Promise.resolve(new MemoryLog())],
    ["sqlite", async () => await SqliteLog.open(`${await Deno.makeTempDir()}/log.sqlite`)],
  ] as const
) {
  Deno.test(`Service on a ${name} log answers every request once, learns from the outcomes and serves what it learnt`, async () => {
    await using log = await open();
    // On a slow machine the first version orders for so long that the guard would object to the next one.
    await using service = await start(log, { learning: { ...OPTIONS.learning, guard: null } });
    const events = shopEvents(1600, 25);
    const half = events.length / 2;
    await log.append(recordsOf(events.slice(0, half)));
    await untilCommitted(log);
    // All of the first half: how much was served before depends on the machine's load.
    await untilLearnt(log, service);
    const isApplied = async () => {
      const { version, learner } = await service.status();
      // One at the start and one per second: a fast machine has learnt it all by the second one.
      return version > 1 && version === learner?.version;
    };
    await until(isApplied, "versions are published and applied");
    await log.append(recordsOf(events.slice(half)).filter(({ topic }) => topic === topics.events));
    await untilCommitted(log);
    await untilLearnt(log, service);
    const isLearnt = async () =>
      (await service.status()).partitions.every(({ othersLag }) => othersLag === 0);
    await until(isLearnt, "partitions have learnt from each other");
    const learnt = [...service.tasks.values()].map(({ state }) => state.retrieval.state.signals);
    assert.ok(learnt[0]! > 100 && new Set(learnt).size === 1, learnt.join());
    const status = await service.status();
    assert.ok(status.partitions.every(({ othersLearnt }) => othersLearnt > 0));
    assert.deepEqual(status.partitions.map(({ partition, lag }) => [partition, lag]), [
      [0, 0],
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
    assert.equal(status.events, events.length);
    assert.ok(status.partitions.every(({ watermark, users }) => watermark !== null && users > 0));
    // On the newest rows, of the second half: 0.75 to 0.87. With a third of the views it would be chance.
    assert.ok((status.learner?.auc ?? 0) > 0.65, `AUC ${status.learner?.auc}`);
    await service.stop();
    await service.ended;
    await assertOnce(log, requestsOf(events));
    const versions = new Set((await answersOn(log)).map(({ version }) => version));
    assert.ok(versions.size > 1 && !versions.has(0), `answers of versions ${[...versions]}`);
  });
}

Deno.test("Service answers every request once when its process dies again and again", async () => {
  const log = await createLog();
  const events = shopEvents(600, 25);
  await log.append(recordsOf(events));
  const random = mulberry32(5);
  let deaths = 0;
  for (let done = false; !done;) {
    // Some die during their restore, some in a commit, before or after it took place.
    const service = await start(new CrashingLog(log, 60 + Math.floor(random() * 150)), {
      commitEvents: 4,
    });
    const died = service.ended.then(() => false, (error) => {
      assert.ok(error instanceof Crash);
      return true;
    });
    done = !await Promise.race([died, untilCommitted(log).then(() => false)]);
    if (!done) deaths++;
    await service.stop();
  }
  assert.ok(deaths >= 10, `${deaths} deaths`);
  await assertOnce(log, requestsOf(events));
});

Deno.test("Service hands partitions over when another comes or goes, and answers no request twice", async () => {
  const log = await createLog();
  const events = shopEvents(800, 40);
  const records = recordsOf(events);
  const parts = 8;
  let other: Service<"base"> | undefined;
  await using service = await start(log);
  for (let part = 0; part < parts; part++) {
    const share = Math.ceil(records.length / parts);
    await log.append(records.slice(part * share, (part + 1) * share));
    // In the middle of the work: it comes, and goes, while events are waiting.
    if (other === undefined) {
      other = await start(log, { roles: ["task"] });
      await until(
        async () => (await service.status()).partitions.length === PARTITIONS / 2,
        "it has its share",
      );
      continue;
    }
    await other.stop();
    await other.ended;
    other = undefined;
    await until(async () => (await service.status()).partitions.length === PARTITIONS, "all are taken back");
  }
  await untilCommitted(log);
  await other?.stop();
  await assertOnce(log, requestsOf(events));
});

Deno.test("Service learns alone in its group, and another takes over when it is gone", async () => {
  const log = await createLog();
  const first = await start(log);
  await until(async () => (await first.status()).learner !== null, "the first learns");
  await using second = await start(log, { roles: ["learner"] });
  await turn();
  assert.equal((await second.status()).learner, null);
  await first.stop();
  await until(async () => (await second.status()).learner !== null, "the second has taken over");
});

Deno.test("Service reopens a task whose writer was fenced while the group still assigns it the partition", async () => {
  const log = await createLog();
  const events = shopEvents(60, 10);
  await using service = await start(log);
  await log.append(recordsOf(events.slice(0, 40)));
  await untilCommitted(log);
  // Somebody outside the group opens the writer of a partition and goes away.
  await (await log.writer(`${topics.events}-tasks-0`))[Symbol.asyncDispose]();
  await log.append(recordsOf(events.slice(40)).filter(({ topic }) => topic === topics.events));
  await untilCommitted(log);
  await service.stop();
  await service.ended;
  assert.deepEqual((await answersOn(log)).length, requestsOf(events).length);
});

Deno.test("Service answers nothing before the first version of the parameters", async () => {
  const log = await createLog();
  const events = shopEvents(20, 5);
  await log.append(recordsOf(events));
  await using tasks = await start(log, { roles: ["task"] });
  await until(async () => (await tasks.status()).partitions.length === PARTITIONS, "it has the partitions");
  const status = await tasks.status();
  assert.equal(status.version, 0);
  assert.ok(status.partitions.every(({ restoring }) => restoring));
  await using _learner = await start(log, { roles: ["learner"] });
  await untilCommitted(log);
  assert.deepEqual((await answersOn(log)).length, requestsOf(events).length);
});

Deno.test("Service.stop() commits what is in hand, even before a commit is due", async () => {
  const log = await createLog();
  await using service = await start(log, { commitIntervalMs: 3_600_000, commitEvents: 1000 });
  const events = shopEvents(30, 5);
  // The first events after silence are committed at once; those that follow wait for an hour.
  await log.append(recordsOf(events.slice(0, 20)));
  await until(async () => (await service.status()).events === 20, "the first are applied");
  await log.append(recordsOf(events.slice(20)).filter(({ topic }) => topic === topics.events));
  await until(async () => (await service.status()).events === events.length, "all are applied");
  assert.ok((await answersOn(log)).length < requestsOf(events).length);
  await service.stop();
  assert.equal((await answersOn(log)).length, requestsOf(events).length);
});

Deno.test("Service.ended rejects when a state on the log is damaged", async () => {
  const log = await createLog();
  await log.append([{
    topic: topics.statistics,
    partition: 2,
    key: "item:x",
    value: Uint8Array.of(9),
    time: 0,
  }]);
  const service = await start(log);
  await assert.rejects(service.ended, { name: "LogError", code: "corrupt" });
  await service.stop();
});

Deno.test("Service.start() rejects topics with another number of partitions", async () => {
  const log = await createLog();
  await assert.rejects(start(log, { partitions: 2 }), { code: "topic-mismatch" });
});

Deno.test("Task.step() commits an event after silence at once, and then those of an interval together", async () => {
  const log = await createLog();
  const events = shopEvents(30, 1);
  const serving = { ...servingStub };
  let time = 0;
  await log.append([{
    topic: topics.events,
    partition: 0,
    key: "u",
    value: encodeEvent(events[0] ?? assert.fail()),
    time: events[0]?.time ?? 0,
  }]);
  await using task = await Task.open({ log, topics, partition: 0, options: OPTIONS.task, serving });
  const options = { now: () => time, commitIntervalMs: 100 };
  assert.equal(await task.step(options), 1);
  assert.equal(task.isDirty, false);
  for (const event of events.slice(1, 4)) {
    await log.append([{
      topic: topics.events,
      partition: 0,
      key: "u",
      value: encodeEvent(event),
      time: event.time,
    }]);
    time += 30;
    await task.step(options);
    assert.equal(task.isDirty, true);
  }
  time += 30;
  assert.equal(await task.step(options), 0);
  assert.equal(task.isDirty, false);
  assert.equal(task.committed, 4);
});

/** A model that scores everything alike. */
const servingStub = {
  model: "stub",
  version: 1,
  stateSize: 0,
  initState: () => new Float32Array(0),
  step: () => {},
  score: ({ rows }: { readonly rows: { readonly length: number } }) => new Float32Array(rows.length),
  place: (logit: number) => logit,
  unplace: (logit: number) => logit,
};

Deno.test("Service says that its process stood still, and blames no log for that", async () => {
  await using heard = await listen();
  let aheadMs = 0;
  const now = () => performance.now() + aheadMs;
  await using service = await Service.start(new MemoryLog(), { ...OPTIONS, now });
  await until(() => Promise.resolve(service.tasks.size > 0), "a task works");
  aheadMs = 60_000; // as after SIGSTOP, or a suspended machine
  const hears = (words: RegExp) => heard.messages.some((message) => words.test(message));
  await until(
    () => Promise.resolve(hears(/^this process stood still for [6-9]\d s: it was/)),
    "it is noticed",
  );
  assert.ok(!hears(/waits for the log/), heard.messages.join("\n"));
});
