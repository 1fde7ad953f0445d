/** Two processes share a deployment on a real broker, and one of them is killed in the middle of its work. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openLog, ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { Learning } from "../../streams/learning/learning.ts";
import { readAll } from "../../streams/log/reading.ts";
import { type Log, LogError } from "../../streams/log/log.ts";
import { Service } from "../../streams/service/service.ts";
import type { CommitReport } from "../../streams/log/metered_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { USER_FORMATS } from "../../src/users/user_codec.ts";
import { serve, topics as generations } from "../generations/built.ts";
import { builtWhole, contentsBy, legsOf } from "../generations/legs.ts";
import { Member } from "../generations/members.ts";
import { makeLearner } from "../learner/batches.ts";
import {
  answersOn,
  OPTIONS,
  recordsOf,
  requestsOf,
  sampledRequestsOn,
  shopEvents,
  until,
  untilCommitted,
} from "./deployment.ts";
import { breadth } from "../breadth.ts";
import { laterRelease } from "./later_release.ts";

type Contents = Awaited<ReturnType<typeof contentsBy>>;

const broker = await testBroker();
const WORKER = fileURLToPath(new URL("kafka_worker.ts", import.meta.url));
const PARTITIONS = 4;

if (broker !== undefined) {
  Deno.test("Service on Kafka reports the commits of a learner whose thread has connections of its own", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const topics = topicNames(prefix);
    const commits: CommitReport[] = [];
    await using log = await openLog(broker);
    const learnerThread = { committed: (commit: CommitReport) => commits.push(commit) };
    const learning = { ...OPTIONS.learning, checkpointBatches: 1, checkpointIntervalMs: 50 };
    const options = { ...OPTIONS, learning, prefix, partitions: 1, learnerThread };
    await using service = await Service.start(log, options);
    await log.append(recordsOf(shopEvents(100, 10), prefix));
    const isTold = () => commits.some(({ sizes }) => sizes.some(({ topic }) => topic === topics.checkpoints));
    await until(
      () => Promise.resolve((service.learner?.version ?? 0) > 1 && isTold()),
      "something is learnt and written",
    );
    await service.stop();
    await service.ended;
    assert.ok(commits.every(({ ok, ms }) => ok && ms > 0));
    const toldOf = (topic: string) =>
      commits.flatMap(({ sizes }) => sizes.filter((size) => size.topic === topic));
    for (const topic of [topics.parameters, topics.checkpoints]) {
      const newest = (await Array.fromAsync(readAll(log, topic, 0))).at(-1);
      const size = newest?.value?.length ?? 0;
      assert.ok(size > 1000 && toldOf(topic).some(({ bytes }) => bytes >= size), topic);
    }
  });

  Deno.test("Service on Kafka answers each request once when one of two processes is killed", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const topics = topicNames(prefix);
    await using log = await openLog(broker);
    await log.createTopics(topicSpecs(topics, PARTITIONS));
    const events = shopEvents(breadth(600, 1500), 60);
    const records = recordsOf(events, prefix);
    const third = Math.ceil(records.length / 3);
    await using victim = startWorker(broker.address, prefix);
    await using survivor = startWorker(broker.address, prefix);
    await log.append(records.slice(0, third));
    await untilCommitted(log, prefix);
    await log.append(records.slice(third, 2 * third));
    await until(
      async () => (await committedOf(topics.events)) > 1.3 * third,
      "half of the second third is done",
    );
    victim.kill("SIGKILL");
    await victim.status;
    await log.append(records.slice(2 * third));
    await untilCommitted(log, prefix);
    await until(async () => {
      const group = `${topics.samples}-learner-base`;
      let lag = 0;
      for (let p = 0; p < PARTITIONS; p++) {
        const { end } = await log.bounds(topics.samples, p);
        lag += end - (await log.committed(group, topics.samples, p) ?? 0);
      }
      return lag < 100;
    }, "the survivor has learnt");
    survivor.kill("SIGTERM");
    assert.ok((await survivor.status).success);

    const answered = (await answersOn(log, prefix)).map(({ request }) => request).sort();
    assert.deepEqual(answered, requestsOf(events).sort());
    const sampled = (await sampledRequestsOn(log, prefix)).sort();
    assert.deepEqual([...new Set(sampled)], sampled);
    // The learner judges each sample once: what it has judged and what is left add up to all of them.
    await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS.learning);
    await learning.drain(true);
    const rows = await rowsOf();
    assert.equal(learning.validation.rows.length, rows);

    async function committedOf(topic: string): Promise<number> {
      let sum = 0;
      for (let p = 0; p < PARTITIONS; p++) sum += await log.committed(`${topic}-tasks`, topic, p) ?? 0;
      return sum;
    }

    async function rowsOf(): Promise<number> {
      const answers = new Map(
        (await answersOn(log, prefix)).map(({ request, items }) => [request, items.length]),
      );
      return sampled.reduce((sum, request) => sum + (answers.get(request) ?? 0), 0);
    }
  });

  Deno.test("Member.build() on Kafka switches generations, in one process or two, and each request is answered once", async () => {
    await using log = await openLog(broker);
    await serve(log, { views: 60, partitions: 2 });
    await log.createTopics([{ name: generations.generations, partitions: 1, cleanup: "compact" }]);
    const events = shopEvents(200, 12);
    const rest = events.slice(shopEvents(60, 12).length);
    let pending = Promise.resolve();
    const send = (n: number) =>
      pending = pending.then(async () => {
        const records = recordsOf(rest.splice(0, n)).filter(({ topic }) => topic === generations.events);
        if (records.length > 0) await log.append(records);
      });
    const options = { tasks: { 1: 2, 2: 6 }, patienceMs: 10_000, onStep: () => void send(2) };
    await using logs = new AsyncDisposableStack();
    const start = async (own: Promise<Log> = openLog(broker)) =>
      await Member.start(logs.use(await own), options);
    const builder = await openLog(broker);
    let contents: Contents | undefined;
    const legs = legsOf(builder, async () => {
      const taken = await contentsBy(builder, 6);
      return () => contents ??= taken;
    });
    await using one = await start(Promise.resolve(builder));
    assert.ok((await one.build(2)).isSwitched);
    assert.deepEqual(withoutPlaces(contents!), withoutPlaces(await builtWhole(builder, legs)));
    await using other = await start();
    const shared = async (tasks: number) =>
      await until(
        () => Promise.resolve([one, other].every(({ place }) => place.service.tasks.size === tasks)),
        "tasks are shared",
      );
    await shared(3);
    await send(20);
    const [there, here] = await Promise.all([other.build(1), one.build(1)]);
    assert.notEqual(there.isSwitched, here.isSwitched, "only one of them has built it");
    await shared(1);
    await send(rest.length);
    const asked = requestsOf(events).sort();
    await until(async () => (await answersOn(log)).length >= asked.length, "all are answered");
    assert.deepEqual((await answersOn(log)).map(({ request }) => request).sort(), asked);
  });

  Deno.test("Service on Kafka is upgraded process by process; the older release stops when it meets a newer format", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const topics = topicNames(prefix);
    await using log = await openLog(broker);
    await log.createTopics(topicSpecs(topics, PARTITIONS));
    const events = shopEvents(300, 20);
    const records = recordsOf(events, prefix);
    const third = Math.ceil(records.length / 3);
    await using stack = new AsyncDisposableStack();
    const start = async (isLater: boolean) => {
      const own = stack.use(await openLog(broker));
      const options = { ...OPTIONS, prefix, partitions: PARTITIONS };
      const service = stack.use(
        await Service.start(isLater ? laterRelease(own, topics.state) : own, options),
      );
      return { service, failure: service.ended.then(() => undefined, (error: unknown) => error) };
    };
    const older = await start(false);
    await log.append(records.slice(0, third));
    await untilCommitted(log, prefix);

    // Side by side: each has partitions that the older one began.
    const later = await start(true);
    await until(async () => {
      const held = await Promise.all([older, later].map(({ service }) => service.status()));
      return held.every(({ partitions }) => partitions.some(({ restoring }) => !restoring));
    }, "both have partitions");
    await log.append(records.slice(third, 2 * third));
    await untilCommitted(log, prefix);
    const written = await formatsOn(log, topics.state);
    assert.ok(written.some((format) => format > USER_FORMATS.newest), "the later one has written");
    assert.ok(written.some((format) => format <= USER_FORMATS.newest), "and the older one");

    // Back: the older one gets the later one's partitions, cannot read them, says so, and changes nothing.
    await later.service.stop();
    await later.failure;
    const failure = await older.failure;
    assert.ok(failure instanceof LogError && failure.code === "corrupt");
    assert.match(
      failure.message,
      /format is \d+, this release reads 11 to \d+\).*; run the release that wrote it/,
    );
    assert.deepEqual(await formatsOn(log, topics.state), written);

    const last = await start(true);
    await log.append(records.slice(2 * third));
    await untilCommitted(log, prefix);
    await last.service.stop();
    assert.equal(await last.failure, undefined);
    const answered = (await answersOn(log, prefix)).map(({ request }) => request).sort();
    assert.deepEqual(answered, requestsOf(events).sort());
  });
}

/** What a generation holds, without offsets of `signals`, as ends of transactions take some on a broker. */
function withoutPlaces({ statistics, ...others }: Contents): unknown {
  return { ...others, statistics: [...statistics].filter(([key]) => !key.endsWith("/retrieval:others")) };
}

/** Formats of all users on the log, in order. */
async function formatsOn(log: Log, state: string): Promise<number[]> {
  const formats: number[] = [];
  for (let p = 0; p < PARTITIONS; p++) {
    for await (const { value } of readAll(log, state, p)) formats.push(value?.[0] ?? 0);
  }
  return formats;
}

/** A process that is stopped at the end of the test if it is still alive. */
function startWorker(address: string, prefix: string) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", WORKER, address, prefix],
    stderr: "inherit",
  }).spawn();
}
