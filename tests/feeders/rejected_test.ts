/** Rejected records are listed, counted, and taken by a mended mapping: each once. */

import assert from "node:assert/strict";
import { countRejected, readRejected, rejectedAt } from "../../streams/feeders/rejected_records.ts";
import { replayRejected } from "../../streams/feeders/rejected_replay.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";

const topics = topicNames();
const TIME = Date.UTC(2026, 10, 27, 10);
const fields = { user: "u", item: "i", action: { value: "click" }, surface: "$headers.page" };
const clicks = (name: string) =>
  compileSource("clicks", {
    rules: [{ name: "clicks", as: "interaction", when: { kind: name }, fields }],
  });
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** A deployment on which 30 of 40 records of `clicks` were rejected, since the rule expected another word. */
async function fed(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 2), { name: "clicks", partitions: 1, cleanup: "delete" }]);
  await log.append(Array.from({ length: 40 }, (_, n) => ({
    topic: "clicks",
    key: `k${n}`,
    headers: { page: "home" },
    value: encode({ kind: n % 4 === 0 ? "clik" : n % 8 === 1 ? "zoom" : "click", u: `u${n}`, i: `i${n}` }),
    time: TIME + n,
  })));
  const source = { log, topic: "clicks", format: clicks("clik") };
  await using feeder = await TopicFeeder.open(log, topics, source, { now: () => TIME + 1000 });
  while (await feeder.feed() > 0);
  return log;
}

async function users(log: Log): Promise<readonly string[]> {
  const all: string[] = [];
  for (const partition of [0, 1]) {
    for await (const { key, time, value } of readAll(log, topics.events, partition)) {
      const event = JSON.parse(new TextDecoder().decode(value ?? undefined));
      assert.deepEqual([event.user, event.time, event.surface], [key, time, "home"]);
      all.push(event.user);
    }
  }
  return all.toSorted();
}

const reasons = async (log: Log) =>
  (await countRejected(readRejected(log, topics))).map(({ code, count }) => [code, count]);

Deno.test("rejected records are counted by reason, and each can be read with its bytes", async () => {
  await using log = await fed();
  assert.deepEqual(await reasons(log), [["unmapped", 30]]);
  const [counted] = await countRejected(readRejected(log, topics, { source: "clicks", code: "unmapped" }));
  assert.deepEqual([counted?.from, counted?.source, counted?.rule], ["clicks", "clicks", null]);
  assert.deepEqual(await countRejected(readRejected(log, topics, { source: "others" })), []);
  const one = await rejectedAt(log, topics, 0, 0);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(one?.rejection.bytes ?? ""))), {
    kind: "zoom",
    u: "u1",
    i: "i1",
  });
  assert.deepEqual([one?.key, one?.headers], ["k1", { page: "home" }]);
  assert.equal(await rejectedAt(log, topics, 0, 1_000_000), null);
  assert.equal(await rejectedAt(log, topics, 7, 0), null);
});

Deno.test("replayRejected() takes what the mended mapping accepts, once, with time and headers", async () => {
  await using log = await fed();
  const replay = () => replayRejected(log, topics, clicks("click"), { now: () => TIME + 1000 });
  assert.deepEqual(await replay(), { records: 30, taken: 25, rejected: 5, leftOut: 0, cut: 0 });
  assert.equal((await users(log)).length, 35);
  assert.equal(new Set(await users(log)).size, 35);
  assert.deepEqual(await reasons(log), [["unmapped", 5]]);
  assert.deepEqual((await countRejected(readRejected(log, topics))).map(({ again }) => again), [5]);
  assert.deepEqual(await replay(), { records: 5, taken: 0, rejected: 5, leftOut: 0, cut: 0 });
  const zoom = clicks("zoom");
  assert.deepEqual(await replayRejected(log, topics, zoom), {
    records: 5,
    taken: 5,
    rejected: 0,
    leftOut: 0,
    cut: 0,
  });
  assert.equal(new Set(await users(log)).size, 40);
  assert.deepEqual(await reasons(log), []);
});

Deno.test("replayRejected() takes each record once after a crash at any operation of the log", async () => {
  for (let at = 1;; at++) {
    await using log = await fed();
    let isCrashed = false;
    try {
      const crashing = new CrashingLog(log, at);
      await replayRejected(crashing, topics, clicks("click"), { batch: 7 });
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      isCrashed = true;
    }
    await replayRejected(log, topics, clicks("click"), { batch: 7 });
    const taken = await users(log);
    assert.deepEqual([taken.length, new Set(taken).size], [35, 35], `crashed at ${at}`);
    assert.deepEqual(await reasons(log), [["unmapped", 5]], `crashed at ${at}`);
    if (!isCrashed) break;
    assert.ok(at < 100);
  }
});

Deno.test("replayRejected() passes over other programs' records and cut ones", async () => {
  await using log = await fed();
  const cut = {
    topic: "clicks",
    partition: 0,
    offset: 99,
    source: "clicks",
    code: "too-large",
    reason: "r",
    cut: true,
  };
  const bytes = encode({ kind: "click" }).toBase64();
  await log.append([
    { topic: topics.rejected, partition: 1, key: null, value: encode("no rejection"), time: TIME },
    { topic: topics.rejected, partition: 1, key: null, value: null, time: TIME },
    {
      topic: topics.rejected,
      partition: 1,
      key: null,
      value: encode({ ...cut, cut: false, bytes: "?" }),
      time: TIME,
    },
    { topic: topics.rejected, partition: 1, key: null, value: encode({ ...cut, bytes }), time: TIME },
  ]);
  const replayed = await replayRejected(log, topics, clicks("click"));
  assert.deepEqual(replayed, { records: 31, taken: 25, rejected: 5, leftOut: 0, cut: 1 });
  assert.deepEqual(await reasons(log), [["unmapped", 5], ["too-large", 1]]);
});

Deno.test("replayRejected() takes rejections without a source by their topic, and skips incomplete ones", async () => {
  await using log = await fed();
  const rejection = (topic: string, user: string) => ({
    topic,
    partition: 0,
    offset: 7,
    code: "unmapped",
    reason: "no rule",
    bytes: encode({ kind: "click", u: user, i: "i" }).toBase64(),
  });
  const { code: _, ...uncoded } = { ...rejection("clicks", "uncoded"), source: "clicks" };
  const { bytes: __, ...empty } = { ...rejection("clicks", "empty"), source: "clicks" };
  const all = [rejection("views", "other"), rejection("clicks", "own"), uncoded, empty];
  const headers = { page: "home" };
  const place = { topic: topics.rejected, partition: 1, key: "own", headers, time: TIME };
  await log.append(all.map((one) => ({ ...place, value: encode(one) })));
  const options = { from: "clicks", now: () => TIME + 1000 };
  assert.deepEqual(await replayRejected(log, topics, clicks("click"), options), {
    records: 31,
    taken: 26,
    rejected: 5,
    leftOut: 0,
    cut: 0,
  });
  const taken = await users(log);
  assert.deepEqual([taken.length, taken.filter((user) => !user.startsWith("u"))], [36, ["own"]]);
});

Deno.test("replayRejected() skips nothing and takes nothing twice when runs with and without a topic alternate", async () => {
  const rejection = (topic: string, user: string) => ({
    topic,
    partition: 0,
    offset: 7,
    code: "unmapped",
    reason: "no rule",
    bytes: encode({ kind: "click", u: user, i: "i" }).toBase64(),
  });
  const headers = { page: "home" };
  const append = (log: Log, topic: string, user: string) =>
    log.append([{
      topic: topics.rejected,
      partition: 1,
      key: "own",
      headers,
      time: TIME,
      value: encode(rejection(topic, user)),
    }]);
  const runs = [undefined, "clicks", "views"];
  const orders = runs.flatMap((a) => runs.flatMap((b) => runs.map((c) => [a, b, c])));
  for (const order of orders.filter((order) => new Set(order).size === 3)) {
    await using log = await fed();
    for (const user of ["c1", "c2"]) await append(log, "clicks", user);
    await append(log, "views", "v1");
    for (const from of [...order, ...order]) {
      await replayRejected(log, topics, clicks("click"), { from, now: () => TIME + 1000 });
    }
    const taken = await users(log);
    const others = taken.filter((user) => !user.startsWith("u")).sort();
    assert.deepEqual([taken.length, others], [38, ["c1", "c2", "v1"]], `${order}`);
    assert.deepEqual(await reasons(log), [["unmapped", 5]], "taken records are not listed any more");
  }
});
