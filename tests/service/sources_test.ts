/** A service that takes in foreign topics. */

import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { type Log, LogError, type NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { type FollowedSource, SourcesJob } from "../../streams/service/jobs/sources_job.ts";
import { SharedThread } from "../../streams/service/jobs/shared_thread.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { startHttp } from "../../streams/server/http.ts";
import { Service } from "../../streams/service/service.ts";
import { feederId } from "../../streams/feeders/feeder.ts";
import { lookAtSources } from "../../streams/service/sources_view.ts";
import { feederPosition, type TopicPosition } from "../../streams/topics/feeder_position.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { ownSource } from "../../streams/mapping/record_source.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { CrashingLog } from "../replay/crashing_log.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { OPTIONS, recordsOf, until, untilCommitted } from "./deployment.ts";

const topics = topicNames();
const HOUR = 3_600_000;

/** Requests with what was shown, and clicks that name no request: only their order joins them. */
const events = syntheticRecords({ views: 150, users: 12, seed: 3 }).flatMap((record): Event[] => {
  if (record.kind !== "event" || record.event.type === "forget") return [];
  const { event } = record;
  if (event.type !== "interaction") return [event];
  const { request: _, ...unnamed } = event;
  return [unnamed];
}).toSorted((a, b) => a.time - b.time).map((event, i) => ({ ...event, time: event.time + i }));

/** Clicks in one topic and everything else in another, loaded an hour after the last event. */
function loaded(): readonly NewRecord[] {
  const time = Math.max(...events.map((event) => event.time)) + HOUR;
  return events.map((event, n) => {
    const [topic, partitions] = event.type === "interaction" ? ["clicks", 2] : ["views", 3];
    return {
      topic,
      partition: (n * 7) % partitions,
      key: `session-${n % 5}`,
      value: encodeEvent(event),
      time,
    };
  });
}

const source = (topic: string): FollowedSource => ({ topic, format: ownSource(), name: `source:${topic}` });
const options = {
  ...OPTIONS,
  task: { ...OPTIONS.task, impressions: "logged" as const },
  partitions: 1,
  roles: ["task", "learner"] as const,
};

async function labelsOn(log: Log): Promise<readonly string[]> {
  const labels: string[] = [];
  for await (const { value } of readAll(log, topics.samples, 0)) {
    const { request, rows } = decodeSample(value ?? new Uint8Array());
    labels.push(`${request} ${rows.map(({ label }) => label).join("")}`);
  }
  return labels;
}

Deno.test("Service joins clicks of one topic with lists of another as if they had come in order", async () => {
  await using ordered = new MemoryLog();
  {
    await using _service = await Service.start(ordered, options);
    await ordered.append(recordsOf(events));
    await untilCommitted(ordered);
  }
  await using log = new MemoryLog();
  await log.createTopics([
    ...topicSpecs(topics, 1),
    { name: "views", partitions: 3, cleanup: "delete" },
    { name: "clicks", partitions: 2, cleanup: "delete" },
  ]);
  await log.append([...recordsOf([]), ...loaded()]);
  {
    await using service = await Service.start(log, {
      ...options,
      sources: [source("clicks"), source("views")],
    });
    await until(async () => (await service.status()).sources?.lags.length === 5, "the sources are open");
    await until(async () => (await log.bounds(topics.events, 0)).end === events.length, "all is taken in");
    await untilCommitted(log);
    await until(
      async () => (await service.status()).sources?.lags.every(({ lag }) => lag === 0) === true,
      "nothing waits",
    );
    assert.deepEqual(await service.unready(), []);
  }
  const want = await labelsOn(ordered);
  assert.ok(want.filter((labels) => labels.includes("1")).length > 10, "there are clicks to join");
  assert.deepEqual(await labelsOn(log), want);
});

Deno.test("Service takes in each record once while processes come and go", async () => {
  await using log = new AdministeredLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 2, cleanup: "delete" }]);
  const clicks = events.filter(({ type }) => type === "interaction");
  const feed = (from: number, to: number) =>
    log.append(
      clicks.slice(from, to).map((event, n) => ({
        topic: "clicks",
        partition: n % 2,
        key: `k${n}`,
        value: encodeEvent(event),
        time: event.time,
      })),
    );
  const start = () => Service.start(log, { ...options, roles: ["task"], sources: [source("clicks")] });
  const fed = (count: number) =>
    until(async () => (await log.bounds(topics.events, 0)).end >= count, `${count} are taken in`);
  const third = Math.floor(clicks.length / 3);
  {
    await using first = await start();
    await using _second = await start();
    await feed(0, third);
    await fed(third);
    await first.stop();
    await feed(third, 2 * third);
    await fed(2 * third);
  }
  log.deleteGroup(`${topics.events}-source-sources`);
  await feed(2 * third, clicks.length);
  await using _third = await start();
  await fed(clicks.length);
  const found: string[] = [];
  for await (const { value } of readAll(log, topics.events, 0)) {
    found.push(new TextDecoder().decode(value ?? undefined));
  }
  const want = clicks.map((event) => new TextDecoder().decode(encodeEvent(event)));
  assert.deepEqual(found.toSorted(), want.toSorted());
});

Deno.test("Service counts what a source's topic drops unread, over restarts, and lookAtSources() reports it", async () => {
  await using log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 2, cleanup: "delete" }]);
  const sources = [source("clicks")];
  const click = { type: "interaction", user: "ann", item: "tent", action: "click", time: 0 } as const;
  const feed = (count: number) =>
    log.append(Array.from({ length: count }, (_, n) => {
      const time = Date.now();
      return { topic: "clicks", partition: n % 2, key: null, value: encodeEvent({ ...click, time }), time };
    }));
  const look = async (knownUnfed?: number) => {
    const { lags, problems } = await lookAtSources(log, topics, sources, { now: Date.now, knownUnfed });
    return [lags.map(({ lost }) => lost), problems.map(({ what }) => what)];
  };
  const taken = async (ends: readonly number[], want: readonly number[]) => {
    await using service = await Service.start(log, { ...options, roles: ["task"], sources });
    await until(async () => {
      const found = await feederPosition<TopicPosition>(log, topics, feederId(topics, "source:clicks"));
      return String(found?.next) === String(ends);
    }, `it is taken in up to ${ends}`);
    const lost = async () => (await service.status()).sources?.lags.map(({ lost }) => lost);
    await until(async () => String(await lost()) === String(want), `it says that ${want} are lost`);
  };
  await feed(10);
  await taken([5, 5], [0, 0]);
  await feed(10);
  await log.trim("clicks", 0, 8);
  assert.deepEqual(await look(), [[3, 0], ["3 offsets of clicks were dropped before they were fed"]]);
  await taken([10, 10], [3, 0]);
  await feed(10);
  await log.trim("clicks", 1, 11);
  await taken([15, 15], [3, 1]);
  assert.deepEqual(await look(), [[3, 1], ["4 offsets of clicks were dropped before they were fed"]]);
  assert.deepEqual(await look(4), [[3, 1], []]);
});

Deno.test("Service takes in no record twice when positions are recreated, and starts over under another name", async () => {
  await using log = new AdministeredLog();
  await log.createTopics([
    ...topicSpecs(topics, 1),
    ...["clicks", "views"].map((name) => ({ name, partitions: 2, cleanup: "delete" as const })),
  ]);
  const records = events.slice(0, 40).map((event, n) => ({
    topic: n % 2 === 0 ? "clicks" : "views",
    partition: (n >> 1) % 2,
    key: null,
    value: encodeEvent(event),
    time: event.time,
  }));
  const takeIn = async (count: number, ...sources: FollowedSource[]) => {
    await using service = await Service.start(log, { ...options, roles: ["task"], sources });
    const lags = async () => (await service.status()).sources?.lags ?? [];
    await until(async () => {
      const all = await lags();
      return all.length === 2 * sources.length && all.every(({ lag }) => lag === 0);
    }, "all is taken in");
    assert.equal((await log.bounds(topics.events, 0)).end, count);
  };
  await log.append(records.slice(0, 20));
  await takeIn(20, source("clicks"), source("views"));
  const problems = async (...sources: FollowedSource[]) =>
    (await lookAtSources(log, topics, sources, { now: Date.now })).problems.map((
      { what, remedy },
    ) => [what, remedy]);
  const both = [source("clicks"), source("views")];
  assert.deepEqual(await problems(...both), []);
  await log.recreate(topics.positions);
  assert.deepEqual(
    await problems(...both),
    ["clicks", "views"].map((name) => [
      `${topics.positions} has lost the position in ${name}`,
      `resumes at 5,5, the offsets of ${topics.events}-source-sources; to feed it again, delete that group`,
    ]),
  );
  const other = { ...source("clicks"), open: () => Promise.resolve(new CrashingLog(log)) };
  const [[what = ""] = []] = await problems(other);
  assert.equal(what, `clicks is fed from earliest, because ${topics.positions} has no positions at all`);
  await log.append(records.slice(20));
  await takeIn(40, source("clicks"), source("views"));
  assert.deepEqual(await problems(...both), []);
  await takeIn(40, source("clicks"), source("views"));
  await takeIn(60, { ...source("clicks"), name: "source:clicks-again" }, source("views"));
});

Deno.test("Service stays ready while a source's topic is missing, says so, and takes it in when it appears", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: "views", partitions: 1, cleanup: "delete" }]);
  let opened = 0;
  const others = new MemoryLog();
  const open = () =>
    ++opened === 1
      ? Promise.reject(new Error("no broker answers"))
      : Promise.resolve(new CrashingLog(others));
  const sources = [source("views"), { ...source("clicks"), open }];
  await using service = await Service.start(log, { ...options, sources });
  await log.append(recordsOf([]));
  const fault = async () => (await service.status()).sources?.fault ?? "";
  await until(async () => /Cannot feed topic clicks: it does not exist/.test(await fault()), "it says so");
  await until(async () => (await service.unready()).length === 0, "it is ready all the same");
  assert.equal((await service.status()).sources?.isReading, false);
  await using http = await startHttp({
    hostname: "127.0.0.1",
    port: 0,
    log,
    service,
    metrics: new Metrics(topics),
  });
  const metrics = async () => await (await fetch(`${http.url}/metrics`)).text();
  assert.match(await metrics(), /^meander_sources_reading 0$/m);
  await others.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }]);
  await until(async () => (await service.status()).sources?.isReading === true, "it is open");
  assert.equal(await fault(), "");
  await until(
    async () => (await service.status()).sources?.lags.length === 2,
    "it knows how far behind it is",
  );
  assert.match(await metrics(), /^meander_source_lag_seconds\{source="meander",partition="0"\} 0$/m);
  assert.match(await metrics(), /^meander_source_lost\{source="meander",partition="0"\} 0$/m);
});

Deno.test("Service goes on while a source's topic is damaged, says so, and takes in the rest once it is mended", async () => {
  await using log = new MemoryLog();
  const others = new MemoryLog();
  await others.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }]);
  await others.append(loaded().slice(0, 20).map((record) => ({ ...record, topic: "clicks", partition: 0 })));
  let isDamaged = true;
  const open = () =>
    Promise.resolve(
      new Proxy<Log>(new CrashingLog(others), {
        get(target, name) {
          if (name === "read" && isDamaged) {
            return () => Promise.reject(new LogError("corrupt", "its gzip cannot be unpacked"));
          }
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
    );
  await using service = await Service.start(log, {
    ...options,
    pauseMs: 1,
    sources: [{ ...source("clicks"), open }],
  });
  const fault = async () => (await service.status()).sources?.fault ?? "";
  await until(async () => /its gzip cannot be unpacked/.test(await fault()), "it says so");
  await log.append(recordsOf(events.slice(30, 40)));
  await untilCommitted(log);
  isDamaged = false;
  await until(async () => (await log.bounds(topics.events, 0)).end === 30, "all is taken in");
  assert.equal(await fault(), "");
});

Deno.test("Service.start() rejects a source that is a topic of its own", async () => {
  await using log = new MemoryLog();
  const start = Service.start(log, { ...options, sources: [source(topics.events)] });
  await assert.rejects(start, /Cannot follow meander\.events as a source: it is a topic of this deployment/);
});

/** A log that counts what is done to it; closing it leaves it open. */
function counted(log: Log) {
  const seen = { closed: 0, looks: 0 };
  const get = (inner: Log, name: keyof Log) => {
    if (name === Symbol.asyncDispose) return () => Promise.resolve(seen.closed++);
    if (name === "identify") seen.looks++;
    return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
  };
  return { log: new Proxy(log, { get }), seen };
}

Deno.test("SourcesJob opens a log once for all its sources, looks at their topics once a second, and closes it", async () => {
  await using log = new MemoryLog();
  await using others = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const names = ["clicks", "views"];
  await others.createTopics(names.map((name) => ({ name, partitions: 1, cleanup: "delete" })));
  const { log: counting, seen } = counted(others);
  let opened = 0;
  const open = () => Promise.resolve((opened++, counting));
  let time = 0;
  const now = () => time;
  const { signal } = new AbortController();
  const sources = names.map((name) => ({ ...source(name), open }));
  const surroundings = { now, signal, thread: new SharedThread(now) };
  const job = await SourcesJob.open(log, topics, sources, surroundings);
  const looksOf = async () => {
    const before = seen.looks;
    await others.append(
      names.map((topic) => ({ topic, key: null, value: encodeEvent(events[0]!), time: 0 })),
    );
    await job.step(signal);
    return seen.looks - before;
  };
  const looks = await looksOf();
  assert.deepEqual([opened, looks > 0, await looksOf()], [1, true, 0]);
  time += 1000;
  assert.equal(await looksOf(), looks);
  await job[Symbol.asyncDispose]();
  assert.equal(seen.closed, 1);
  const { log: late, seen: of } = counted(others);
  const stop = new AbortController();
  const opening = Promise.withResolvers<Log>();
  const other = [{ ...source("clicks"), open: () => opening.promise }];
  const never = SourcesJob.open(log, topics, other, { ...surroundings, signal: stop.signal });
  stop.abort(new Error("stopped"));
  await assert.rejects(never, /stopped/);
  opening.resolve(late);
  await until(() => Promise.resolve(of.closed === 1), "a log that opens too late is closed");
});

Deno.test("SourcesJob goes on without a cluster that is away for a minute, says so, and follows it once it is back", async () => {
  await using log = new MemoryLog();
  await using others = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "views", partitions: 1, cleanup: "delete" }]);
  await others.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }]);
  const feed = (into: Log, topic: string) =>
    into.append([{ topic, key: null, value: encodeEvent(events[0]!), time: 0 }]);
  let isAway = true;
  const { log: counting, seen } = counted(others);
  const open = () => isAway ? Promise.reject(new Error("connection refused")) : Promise.resolve(counting);
  const sources = [{ ...source("clicks"), open }, source("views")];
  const { signal } = new AbortController();
  let skippedMs = 0;
  const now = () => performance.now() + skippedMs;
  const stuckSince = new Map<string, number>();
  const surroundings = { now, signal, thread: new SharedThread(now), stuckSince };
  await assert.rejects(
    SourcesJob.open(log, topics, sources, surroundings),
    /Cannot reach .+ clicks: connection/,
  );
  skippedMs += 60_000;
  await feed(log, "views");
  await feed(others, "clicks");
  {
    await using job = await SourcesJob.open(log, topics, sources, surroundings);
    const taken = async (count: number) => {
      while ((await log.bounds(topics.events, 0)).end < count) await job.step(signal);
    };
    await taken(1);
    assert.match(
      job.complaint ?? "",
      /^clicks cannot be followed for \d+ s: Cannot reach the log of topic clicks: connection/,
    );
    assert.ok(
      job.lags.some(({ source, lagMs }) => source === "meander" && lagMs >= 60_000),
      "it is an alert",
    );
    isAway = false;
    skippedMs += 5000;
    await feed(log, "views");
    await taken(3);
    assert.equal(job.complaint, undefined);
  }
  assert.equal(seen.closed, 1);
});
