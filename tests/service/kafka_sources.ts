/**
 * Foreign topics on a real broker, taken in by processes that are killed. The tests share another file's broker.
 *
 * @module
 */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { followedSources } from "../../scripts/flags/followed_sources.ts";
import { startBroker } from "../../scripts/kafka/dev_broker.ts";
import { openLog as openAnyLog } from "../../scripts/flags/service_flags.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { isTransient, type Log, type NewRecord } from "../../streams/log/log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { offsetSince, readAll } from "../../streams/log/reading.ts";
import { SharedThread } from "../../streams/service/jobs/shared_thread.ts";
import { SourcesJob } from "../../streams/service/jobs/sources_job.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { addPartitions, administer, openLog, ownPrefix, type TestBroker } from "../log/kafka_broker.ts";
import { OPTIONS, until } from "./deployment.ts";

const WORKER = fileURLToPath(new URL("sources_worker.ts", import.meta.url));
const RECORDS = 7000;
const TIME = Date.UTC(2026, 10, 1);

/** Five partitions of views and three of clicks, by session and not by user; every 97th record is useless. */
function record(prefix: string, n: number): NewRecord {
  const [topic, partitions] = n % 3 === 0 ? [`${prefix}shop.clicks`, 3] : [`${prefix}shop.views`, 5];
  const value = n % 97 === 0 ? { evt: "heartbeat" } : {
    evt: n % 3 === 0 ? "click" : "view",
    no: `n${n}`,
    ctx: { uid: `u${n % 211}`, ts: TIME + 1000 * n },
    sku: `i${n % 50}`,
  };
  return {
    topic,
    partition: (n * 7) % partitions,
    key: `session-${n % 401}`,
    time: Date.now(),
    value: new TextEncoder().encode(JSON.stringify(value)),
  };
}

function configOf(prefix: string, brokers?: readonly string[]): string {
  const fields = {
    id: "no",
    user: "ctx.uid",
    time: "ctx.ts",
    item: "sku",
    action: { path: "evt", values: { view: "view", click: "click" } },
  };
  const source = (topic: string) => ({
    follow: { topic: `${prefix}shop.${topic}`, waitMs: 50, brokers },
    rules: [{ as: "interaction", when: { evt: ["view", "click"] }, fields }],
  });
  return JSON.stringify({ sources: { views: source("views"), clicks: source("clicks") } });
}

/** Ids of events by partition of `events`, with user and time. */
async function eventsOn(log: Log, prefix: string) {
  const { events } = topicNames(prefix);
  return await Promise.all([0, 1].map(async (partition) => {
    const found: { readonly id: string; readonly user: string; readonly time: number }[] = [];
    for await (const { value } of readAll(log, events, partition)) {
      found.push(JSON.parse(new TextDecoder().decode(value ?? undefined)));
    }
    return found;
  }));
}

/** Starts a process and kills it `ms` after its first commit: during its second, or after that. */
async function killed(args: readonly string[], ms: number): Promise<void> {
  const all = ["run", "-q", "-A", "--no-check", WORKER, ...args];
  const worker = new Deno.Command(Deno.execPath(), { args: all, stdout: "piped" }).spawn();
  const reader = worker.stdout.getReader();
  assert.equal((await reader.read()).done, false, "it has fed something");
  await delay(ms);
  worker.kill("SIGKILL");
  await Promise.all([reader.cancel(), worker.status]);
}

/** Registers the tests. */
export function testSources(broker: TestBroker): void {
  for (const place of ["kafka", "sqlite"]) {
    Deno.test(`SourcesJob feeds topics of any keys to ${place} in order of time, each record once, over kills`, async ({ name }) => {
      const prefix = ownPrefix(import.meta.url, name);
      const folder = await Deno.makeTempDir();
      const file = place === "sqlite" ? [`${folder}/log.sqlite`] : [];
      await using brokers = await openLog(broker);
      await brokers.createTopics([
        { name: `${prefix}shop.views`, partitions: 5, cleanup: "delete" },
        { name: `${prefix}shop.clicks`, partitions: 3, cleanup: "delete" },
      ]);
      await brokers.append(Array.from({ length: RECORDS }, (_, n) => record(prefix, n)));
      // With SQLite, only the sources have a cluster.
      const [own, text] = place === "kafka"
        ? [broker.address, configOf(prefix)]
        : ["127.0.0.1:1", configOf(prefix, [broker.address])];
      for (const ms of place === "kafka" ? [0, 25] : [5]) {
        await killed([own, text, prefix, ...file], ms);
      }
      const config = parseConfig(text, "meander.json");
      const flags = { log: place, brokers: [own], logPath: file[0], prefix };
      await using log = await openAnyLog(flags, { config });
      const sources = followedSources(flags, config);
      const before = (await eventsOn(log, prefix)).flat().length;
      assert.ok(before > 900 && before < RECORDS - RECORDS / 97, `${before} before the last start`);
      await using service = await Service.start(log, {
        ...OPTIONS,
        prefix,
        partitions: 2,
        roles: ["task"],
        sources,
      });
      await until(async () => {
        const { sources } = await service.status();
        return sources !== null && sources.lags.length === 8 && sources.lags.every(({ lag }) => lag <= 1);
      }, "all is taken in");
      const all = await eventsOn(log, prefix);
      const useless = Array.from({ length: RECORDS }, (_, n) => n).filter((n) => n % 97 === 0).length;
      const ids = all.flat().map(({ id }) => id);
      assert.deepEqual([ids.length, new Set(ids).size], [RECORDS - useless, RECORDS - useless]);
      let rejected = 0;
      for await (const _ of readAll(log, topicNames(prefix).rejected, 0)) rejected++;
      assert.equal(rejected, useless);
      for (const [partition, events] of all.entries()) {
        assert.ok(events.every(({ user }) => partitionOf(user, 2) === partition));
        const times = events.map(({ time }) => time);
        assert.deepEqual(times, times.toSorted((a, b) => a - b));
      }
      await Deno.remove(folder, { recursive: true });
    });
  }

  Deno.test("SourcesJob follows a topic that gains partitions, and reports one that is deleted", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const topic = `${prefix}shop.views`;
    await using log = await openLog(broker);
    for (const name of [topic, `${prefix}shop.clicks`]) {
      await log.createTopics([{ name, partitions: 1, cleanup: "delete" }]);
    }
    const config = parseConfig(configOf(prefix), "meander.json");
    const sources = followedSources({ log: "kafka", prefix }, config);
    await using service = await Service.start(log, {
      ...OPTIONS,
      prefix,
      partitions: 2,
      roles: ["task"],
      sources,
    });
    const feed = async (n: number, partition: number) => {
      await using producer = await openLog(broker); // it sees all partitions once the broker does
      await until(
        async () => ((await producer.topics()).get(topic)?.partitions ?? 0) > partition,
        "the topic has the partition",
      );
      await producer.append([{ ...record(prefix, n), topic, partition }]);
    };
    const fed = async () => (await eventsOn(log, prefix)).flat().length;
    await feed(1, 0);
    await until(async () => await fed() === 1, "it is followed");
    const ended = service.ended.then(() => "it has ended", (error) => (error as Error).message);
    const seen = async (condition: () => Promise<boolean>, what: string) =>
      assert.equal(await Promise.race([ended, until(condition, what).then(() => what)]), what);
    await addPartitions(broker, [topic], 3);
    await feed(2, 2);
    await seen(async () => await fed() === 2, "the new partition is followed");
    await administer(broker, (admin) => admin.deleteTopics({ topics: [topic] }));
    const fault = async () => (await service.status()).sources?.fault ?? "";
    await seen(async () => /it was deleted|it does not exist/.test(await fault()), "it says that it is gone");
  });

  Deno.test("SourcesJob goes on without a cluster that is away, and takes each of its records once it is back", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const topics = topicNames(prefix);
    const data = await Deno.makeTempDir();
    const [views, clicks] = [`${prefix}shop.views`, `${prefix}shop.clicks`];
    let other = await startBroker({ data, fresh: true });
    const port = Number(other.address.split(":")[1]);
    await using log = await openLog(broker);
    await log.createTopics([...topicSpecs(topics, 1), { name: views, partitions: 1, cleanup: "delete" }]);
    const from = (n: number, topic: string): NewRecord => ({ ...record(prefix, n), topic, partition: 0 });
    {
      await using far = await openLog(other);
      await far.createTopics([{ name: clicks, partitions: 1, cleanup: "delete" }]);
      await far.append([3, 6].map((n) => from(n, clicks)));
    }
    const config = parseConfig(configOf(prefix, ["127.0.0.1:1"]), "meander.json");
    const open = () => openLog({ address: `127.0.0.1:${port}` }, { retryMs: 500 });
    const sources = followedSources({ log: "kafka", prefix }, config).map((source) => ({
      ...source,
      open: source.topic === clicks ? open : undefined,
    }));
    let skippedMs = 0;
    const now = () => performance.now() + skippedMs;
    const { signal } = new AbortController();
    const surroundings = { now, signal, thread: new SharedThread(now), stuckSince: new Map() };
    const job = () => SourcesJob.open(log, topics, sources, surroundings);
    const fed = async () => {
      const events = await Array.fromAsync(readAll(log, topics.events, 0));
      return events.map(({ value }) => JSON.parse(new TextDecoder().decode(value ?? undefined)).id as string);
    };
    const takes = async (job: SourcesJob, count: number) => {
      while ((await fed()).length < count) await job.step(signal);
    };
    await log.append([from(1, views)]);
    {
      await using both = await job();
      await takes(both, 3);
      await other[Symbol.asyncDispose]();
      // It stops all at first: the order is worth a while.
      await assert.rejects(async () => {
        for (;;) await both.step(signal);
      }, (error) => isTransient(error));
    }
    await assert.rejects(job(), isTransient);
    skippedMs += 60_000;
    await log.append([from(2, views)]);
    await using one = await job();
    await takes(one, 4);
    assert.match(
      one.complaint ?? "",
      new RegExp(`^${clicks} cannot be followed for \\d+ s: .+127.0.0.1:${port}`),
    );
    other = await startBroker({ data, port });
    {
      await using far = await openLog(other);
      await far.append([from(9, clicks)]);
    }
    await takes(one, 5);
    assert.deepEqual([one.complaint, await fed()], [undefined, ["n1", "n3", "n6", "n2", "n9"]]);
    await other[Symbol.asyncDispose]();
    await Deno.remove(data, { recursive: true });
  });

  Deno.test("offsetSince() finds the first record at or after a time on a broker, as on other logs", async ({ name }) => {
    await using log = await openLog(broker);
    const topic = `${ownPrefix(import.meta.url, name)}dated`;
    await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    await log.append([0, 10, 20, 30].map((ms) => ({ topic, key: null, value: null, time: TIME + ms })));
    const found = (ms: number) => offsetSince(log, topic, 0, TIME + ms);
    assert.deepEqual([await found(-5), await found(10), await found(11), await found(31)], [0, 1, 2, 4]);
  });
}
