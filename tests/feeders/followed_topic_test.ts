/** Where following a topic starts, what is too late, and what happens when the topic goes. */

import assert from "node:assert/strict";
import { TopicFeeder, type TopicFeederOptions } from "../../streams/feeders/topic_feeder.ts";
import { isTransient, LogError, type NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { parseStart } from "../../streams/mapping/start.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { listen, warnings } from "../log/warnings.ts";
import { hasCode } from "../contracts/log_suite.ts";
import type { ForeignTopic } from "../../streams/feeders/resumed_position.ts";
import { ownSource } from "../../streams/mapping/record_source.ts";

const topics = topicNames();
const TIME = 1_700_000_000_000;
const HOUR = 3_600_000;

/** A click of a user, `ms` after {@linkcode TIME}, that arrives at its time unless `came` says otherwise. */
function click(id: string, user: string, ms: number, came = ms, partition = 0): NewRecord {
  const event = { type: "interaction", id, user, item: "i", action: "click", time: TIME + ms };
  const value = new TextEncoder().encode(JSON.stringify(event));
  return { topic: "clicks", partition, key: null, value, time: TIME + came };
}

async function newLog(...records: readonly NewRecord[]): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 2, cleanup: "delete" }]);
  await log.append(records);
  return log;
}

async function feed(
  log: MemoryLog,
  more: Partial<ForeignTopic> = {},
  options: TopicFeederOptions = {},
): Promise<readonly string[]> {
  const source = { log, topic: "clicks", format: ownSource(), ...more } as const;
  await using feeder = await TopicFeeder.open(log, topics, source, {
    now: () => TIME + 10 * 365 * 24 * HOUR,
    ...options,
  });
  while (await feeder.feed() > 0);
  return await idsOn(log);
}

async function idsOn(log: MemoryLog): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { value } of readAll(log, topics.events, 0)) {
    ids.push(JSON.parse(new TextDecoder().decode(value ?? undefined)).id);
  }
  return ids;
}

async function rejectionsOn(
  log: MemoryLog,
): Promise<readonly { readonly code: string; readonly reason: string }[]> {
  const rejections = [];
  for await (const { value } of readAll(log, topics.rejected, 0)) {
    rejections.push(JSON.parse(new TextDecoder().decode(value ?? undefined)));
  }
  return rejections;
}

Deno.test("parseStart() takes words, times and offsets, and says what it expects otherwise", () => {
  assert.equal(parseStart("latest"), "latest");
  assert.deepEqual(parseStart("2026-11-01T10:30+02:00"), { time: Date.UTC(2026, 10, 1, 8, 30) });
  assert.deepEqual(parseStart("2028-02-29"), { time: Date.UTC(2028, 1, 29) });
  assert.deepEqual(parseStart("0:12,3:7"), { offsets: new Map([[0, 12], [3, 7]]) });
  const absent = ["2026-13-01", "2026-02-30", "2027-02-29T10:00Z"];
  for (const text of ["", "newest", ...absent, "2026-11-01T10:30", "12", "0:1,0:2", "-1:3", "0:1,"]) {
    assert.throws(() => parseStart(text), /as a start: expected earliest, latest, a time/, text);
  }
});

Deno.test("TopicFeeder starts at a time or at offsets, and later resumes from its position", async () => {
  const records = [0, 1, 2, 3, 4, 5].map((n) => click(`c${n}`, "ann", n * HOUR, n * HOUR, n % 2));
  for (
    const [start, want] of [
      [{ time: TIME + 2 * HOUR + 1 }, ["c3", "c4", "c5"]],
      [{ time: TIME + 99 * HOUR }, []],
      [parseStart("0:1"), ["c1", "c2", "c3", "c4", "c5"]],
      [parseStart("0:3,1:2"), ["c5"]],
    ] as const
  ) {
    await using log = await newLog(...records);
    assert.deepEqual(await feed(log, { start }), want);
    await log.append([click("c6", "ann", HOUR)]);
    assert.deepEqual(await feed(log, { start: "earliest" }), [...want, "c6"]);
  }
  await using log = await newLog(...records);
  await assert.rejects(
    feed(log, { start: parseStart("1:9") }),
    /Cannot start clicks\/1 at 9: it has offsets 0 to 3/,
  );
});

Deno.test("TopicFeeder takes late events, unless its source sets lateMs", async () => {
  const records = [
    ...Array.from({ length: 9 }, (_, n) => click(`a${n}`, `u${n}`, n, n)),
    click("now", "ann", HOUR, HOUR),
    click("late", "ann", 0, HOUR + 1),
    click("in time", "bob", HOUR / 2, HOUR + 2),
  ];
  const ids = records.map(({ value }) => JSON.parse(new TextDecoder().decode(value ?? undefined)).id);
  {
    await using log = await newLog(...records);
    assert.deepEqual(await feed(log), ids);
  }
  await using log = await newLog(...records);
  assert.deepEqual(await feed(log, { lateMs: HOUR - 1 }, { batch: 4 }), ids.filter((id) => id !== "late"));
  const [rejected, ...others] = await rejectionsOn(log);
  assert.equal(others.length, 0);
  assert.equal(rejected?.code, "too-late");
  assert.match(rejected.reason, /at most 3599999 ms older than the newest: it is 3600000 ms older/);
  await log.append([click("later", "eve", 0, HOUR + 3)]);
  await feed(log, { lateMs: HOUR - 1 });
  assert.equal((await rejectionsOn(log)).length, 2, "the newest time survives a restart");
});

Deno.test("a client years ahead makes no other client's events late, whether it comes first or later", async () => {
  const year = 365 * 24 * HOUR;
  const odd = (n: number) => click(`odd${n}`, "odd", year, 2 * year);
  for (const at of [0, 20]) {
    const fine = Array.from({ length: 40 }, (_, n) => click(`c${n}`, `u${n % 7}`, n * 1000, 2 * year));
    await using log = await newLog(...fine.slice(0, at), odd(0), odd(1), ...fine.slice(at));
    // The merge delays what is ahead only across partitions; within one, the order stays.
    assert.equal((await feed(log, { lateMs: HOUR })).length, 42);
    assert.deepEqual(await rejectionsOn(log), []);
  }
});

Deno.test("TopicFeeder resumes from another feeder's position on the topic, and fences it", async () => {
  await using log = await newLog(...[0, 1, 2, 3].map((n) => click(`c${n}`, "ann", n, n, n % 2)));
  const source = { log, topic: "clicks", format: ownSource() } as const;
  await using before = await TopicFeeder.open(log, topics, { ...source, name: "ingest" }, { batch: 2 });
  await before.feed();
  assert.deepEqual(await feed(log, { name: "run", after: ["none", "ingest"] }), ["c0", "c1", "c2", "c3"]);
  await assert.rejects(before.feed(), hasCode("fenced"));
  assert.deepEqual(
    await feed(log, { name: "run", after: ["none", "ingest"] }),
    ["c0", "c1", "c2", "c3"],
    "once",
  );
});

Deno.test("TopicFeeder fails as unreachable when a registry does not answer, and continues once it does", async () => {
  await using log = await newLog(click("c0", "ann", 0), click("c1", "ann", 1));
  let asked = 0;
  let isDown = true;
  const format = {
    ...ownSource(),
    ready: () => isDown && ++asked > 1 ? Promise.reject(new Error("503")) : Promise.resolve(),
  };
  await using feeder = await TopicFeeder.open(log, topics, { log, topic: "clicks", format });
  assert.equal(await feeder.feed(), 1, "what was taken before is committed");
  await assert.rejects(
    feeder.feed(),
    (error) =>
      error instanceof LogError && hasCode("unreachable")(error) && /clicks\/0 at 1: 503/.test(error.message),
  );
  isDown = false;
  while (await feeder.feed() > 0);
  assert.deepEqual(await idsOn(log), ["c0", "c1"]);
});

Deno.test("TopicFeeder goes ahead without a source whose registry is down for a minute, and takes its records, once each, later", async () => {
  const MINUTE_MS = 60_000;
  for (const comesBack of [true, false]) {
    await using heard = await listen();
    await using log = await newLog(...[0, 1, 2].map((n) => click(`c${n}`, "ann", n)));
    await log.createTopics([{ name: "views", partitions: 1, cleanup: "delete" }]);
    await log.append([5, 6].map((n) => ({ ...click(`v${n}`, "bob", n), topic: "views" })));
    let time = 0;
    let asked = 0;
    let answer: () => Promise<void> = () => Promise.reject(new Error("503"));
    const down = { ...ownSource(), ready: () => (asked++, answer()) };
    const sources = [
      { log, topic: "clicks", format: down },
      { log, topic: "views", format: ownSource() },
    ] as const;
    const options = { name: "sources", clock: () => time, stuckSince: new Map() };
    const open = () => TopicFeeder.open(log, topics, sources, options);
    for (time of [0, MINUTE_MS - 1]) {
      await using feeder = await open();
      await assert.rejects(feeder.feed(), hasCode("unreachable"), "the order is kept");
      assert.deepEqual(feeder.passed, []);
    }
    time = MINUTE_MS;
    await using feeder = await open();
    assert.equal(await feeder.feed(), 2);
    assert.deepEqual(await idsOn(log), ["v5", "v6"]);
    assert.match(feeder.passed.join(), /^clicks\/0 waits at 0 for 60 s: Cannot read .+503$/);
    assert.match(heard.messages.join("\n"), /clicks\/0 waits at 0, and other sources go ahead: .+503/);
    assert.equal((await feeder.lags())[0]?.lagMs, MINUTE_MS);
    answer = comesBack ? () => Promise.resolve() : () => new Promise(() => {}); // or is silent
    const before = asked;
    assert.equal(await feeder.feed(), 0);
    assert.equal(asked, before, "it is not asked all the time");
    time += 5000;
    await log.append([{ ...click("v7", "bob", 7), topic: "views" }]);
    let fed = 0;
    while (fed < (comesBack ? 4 : 1)) fed += await feeder.feed({ waitMs: 1 });
    assert.deepEqual(
      (await idsOn(log)).toSorted(),
      comesBack ? ["c0", "c1", "c2", "v5", "v6", "v7"] : ["v5", "v6", "v7"],
    );
    assert.equal(feeder.passed.length, comesBack ? 0 : 1);
    assert.equal(await feeder.lag(), comesBack ? 0 : 3);
  }
});

Deno.test("TopicFeeder goes ahead without a topic whose cluster is away for a minute, and takes its records, once each, later", async () => {
  const MINUTE_MS = 60_000;
  const away = new LogError("unreachable", "no broker answers");
  const gone = new LogError("topic-mismatch", "clicks does not exist");
  const damaged = new LogError("corrupt", "its gzip cannot be unpacked");
  for (
    const { fails, error, says } of [
      { fails: "open", error: away, says: /^clicks cannot be followed for 60 s: no broker answers$/ },
      { fails: "identify", error: gone, says: /^clicks cannot be followed for 60 s: clicks does not exist$/ },
      { fails: "bounds", error: away, says: /^clicks cannot be followed for 60 s: no broker answers$/ },
      { fails: "read", error: damaged, says: /^clicks\/0 waits at 0 for 60 s: its gzip cannot/ },
    ]
  ) {
    await using heard = await listen();
    await using log = await newLog();
    await log.createTopics([{ name: "views", partitions: 1, cleanup: "delete" }]);
    await log.append([5, 6].map((n) => ({ ...click(`v${n}`, "bob", n), topic: "views" })));
    await using others = await newLog(...[0, 1, 2].map((n) => click(`c${n}`, "ann", n)));
    let isAway = true;
    let asked = 0;
    const failing = (name: string) => isAway && name === fails && asked++ >= 0;
    const far = new Proxy(others, {
      get(inner, name: keyof MemoryLog) {
        if (failing(name as string)) return () => Promise.reject(error);
        const value = inner[name];
        return typeof value === "function" ? value.bind(inner) : value;
      },
    });
    const sources: readonly ForeignTopic[] = [
      {
        log: () => failing("open") ? Promise.reject(error) : Promise.resolve(far),
        topic: "clicks",
        format: ownSource(),
        start: { offsets: new Map([[0, 0]]) },
      },
      { log, topic: "views", format: ownSource() },
    ];
    let time = 0;
    const options = { name: "sources", clock: () => time, stuckSince: new Map() };
    const feedOnce = async () => {
      await using feeder = await TopicFeeder.open(log, topics, sources, options);
      await feeder.feed();
    };
    for (time of [0, MINUTE_MS - 1]) {
      await assert.rejects(feedOnce(), error, "the order is kept");
      assert.deepEqual(await idsOn(log), []);
    }
    time = MINUTE_MS;
    const onlyFar = async () => {
      await using feeder = await TopicFeeder.open(log, topics, sources.slice(0, 1), options);
      await feeder.feed();
    };
    if (fails !== "read") await assert.rejects(onlyFar(), error, "where nothing is left, it fails as before");
    await using feeder = await TopicFeeder.open(log, topics, sources, options);
    while (await feeder.feed() > 0);
    assert.deepEqual(await idsOn(log), ["v5", "v6"]);
    assert.match(feeder.passed.join(), says);
    assert.match(
      heard.messages.join("\n"),
      /clicks.*and other sources go ahead: its records will come after/,
    );
    assert.equal(Math.max(...(await feeder.lags()).map(({ lagMs }) => lagMs)), MINUTE_MS);
    const before = asked;
    assert.equal(await feeder.feed(), 0);
    assert.equal(asked, before, "it is not asked all the time");
    await feeder.check();
    time += 5000;
    await feeder.feed();
    isAway = false;
    time += 5000;
    await log.append([{ ...click("v7", "bob", 7), topic: "views" }]);
    for (let fed = 0; fed < 4;) fed += await feeder.feed();
    assert.deepEqual((await idsOn(log)).toSorted(), ["c0", "c1", "c2", "v5", "v6", "v7"]);
    assert.deepEqual([feeder.passed, await feeder.lag()], [[], 0]);
    await feeder[Symbol.asyncDispose]();
    await feedOnce();
    assert.equal((await idsOn(log)).length, 6, "its position was kept");
    time += MINUTE_MS;
    isAway = true;
    await others.append([click("c3", "ann", 3)]);
    await assert.rejects(feedOnce(), error, "the next minute begins anew");
  }
});

Deno.test("TopicFeeder fails transiently when its topic goes while it is read, but not on corrupt records", async () => {
  const cases = [
    [new LogError("unknown-topic", "gone"), "closed"],
    [new LogError("beyond-end", "it ends at 0"), "closed"],
    [new LogError("corrupt", "half a record"), "corrupt"],
  ] as const;
  for (const [error, code] of cases) {
    const log = new class extends MemoryLog {
      override async read(...args: Parameters<MemoryLog["read"]>) {
        if (args[0] === "clicks") throw error;
        return await super.read(...args);
      }
    }();
    await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
    await using feeder = await TopicFeeder.open(log, topics, { log, topic: "clicks", format: ownSource() });
    await assert.rejects(
      feeder.feed(),
      (rejected) => hasCode(code)(rejected) && isTransient(rejected) === (code === "closed"),
    );
  }
});

Deno.test("TopicFeeder takes in what has replaced records that it had fed, although it was not there", async () => {
  await using log = new AdministeredLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 2, cleanup: "delete" }]);
  const feed = async (...ids: readonly string[]) => {
    await log.append(ids.map((id, n) => click(id, "ann", n)));
    await using feeder = await TopicFeeder.open(log, topics, { log, topic: "clicks", format: ownSource() });
    while (await feeder.feed() > 0);
    return feeder.events;
  };
  assert.equal(await feed("a", "b", "c"), 3);
  await log.lose("clicks");
  const said = await warnings(async () => assert.equal(await feed("x", "y", "z", "w"), 4));
  assert.match(said.join(), /^clicks\/0 has lost what a source had read from 0 on/);
  assert.deepEqual(await warnings(async () => assert.equal(await feed("v"), 1)), []);
});

Deno.test("TopicFeeder.lags() says per partition how many records wait, and for how long", async () => {
  await using log = await newLog(click("c0", "ann", 0), click("c1", "ann", 5000), click("c2", "ann", 7000));
  const options = { now: () => TIME + 9000, batch: 1 };
  await using feeder = await TopicFeeder.open(
    log,
    topics,
    { log, topic: "clicks", format: ownSource() },
    options,
  );
  await feeder.feed();
  const of = { source: "meander", topic: "clicks" };
  assert.deepEqual(await feeder.lags(), [
    { ...of, partition: 0, lag: 2, lagMs: 4000, lost: 0 },
    { ...of, partition: 1, lag: 0, lagMs: 0, lost: 0 },
  ]);
  for (const [lag, lagMs] of [[1, 2000], [0, 0]]) {
    await feeder.feed();
    assert.deepEqual((await feeder.lags())[0], { ...of, partition: 0, lag, lagMs, lost: 0 });
  }
});

Deno.test("TopicFeeder logs the first rejected record of each code, without its content", async () => {
  await using heard = await listen();
  const broken = (text: string): NewRecord => ({
    ...click("", "ann", 0),
    value: new TextEncoder().encode(text),
  });
  const nobody = broken(JSON.stringify({ type: "interaction", item: "i", action: "click", time: TIME }));
  await using log = await newLog(broken('{"secret'), broken('{"secret'), nobody);
  await feed(log);
  assert.deepEqual(heard.messages, [
    "meander rejects clicks/0@0 as truncated-json; others like it are not logged, but `meander rejected list` " +
    "counts them",
    "meander rejects clicks/0@2 as missing-field; others like it are not logged, but `meander rejected list` " +
    "counts them",
  ]);
});

Deno.test("TopicFeeder.open() counts the minute from when a topic was last there, also while others are away", async () => {
  await using log = await newLog();
  await using others = await newLog();
  const away = new Set<string>();
  const sources = ["a", "b"].map((name): ForeignTopic => ({
    log: () => away.has(name) ? Promise.reject(new LogError("unreachable", name)) : Promise.resolve(others),
    topic: "clicks",
    name,
    format: ownSource(),
  }));
  let time = 0;
  const options = { name: "sources", clock: () => time, stuckSince: new Map() };
  for (const [at, gone] of [[0, "a"], [30_000, "b"], [60_000, "a"]] as const) {
    time = at;
    away.clear();
    away.add(gone);
    await assert.rejects(TopicFeeder.open(log, topics, sources, options), { message: gone });
  }
});
