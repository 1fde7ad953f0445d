/** A topic that the configuration maps onto the topics of a deployment. */

import assert from "node:assert/strict";
import type { Rejection } from "../../src/events/rejection.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { ConfigError } from "../../streams/settings/config_fault.ts";
import { EXPERIMENT } from "../../streams/experiments/record.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { compileSource, take } from "../../streams/mapping/record_source.ts";
import { openMapped } from "../../streams/sources/mapped.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();
const TIME = Date.UTC(2026, 10, 27, 10);
const CONFIG = `{
  "sources": {
    "clicks": {
      "rules": [
        {
          "name": "views", "as": "interaction", "when": { "evt": "product_view" },
          "fields": {
            "user": "ctx.uid", "time": "ctx.ts", "item": "sku",
            "action": { "path": "evt", "values": { "product_view": "view" } }
          }
        },
        { "as": "removal", "when": { "evt": "product_gone" }, "fields": { "item": "sku" } },
        {
          "name": "wide", "as": "impression", "when": { "evt": "wide" }, "each": "users",
          "fields": { "user": "@", "items": "items[*]" }, "context": { "note": "note" }
        }
      ]
    }
  }
}`;
const clicks = compileSource("clicks", parseConfig(CONFIG, "meander.json").sources?.["clicks"] ?? {});
const encode = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

async function valuesOf(log: MemoryLog, topic: string): Promise<readonly unknown[]> {
  const values = [];
  for await (const { value } of readAll(log, topic, 0)) {
    values.push(value === null ? null : JSON.parse(new TextDecoder().decode(value)));
  }
  return values;
}

async function feed(values: readonly unknown[]): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
  await log.append(values.map((value) => ({ topic: "clicks", key: "k", value: encode(value), time: TIME })));
  await using feeder = await TopicFeeder.open(log, topics, {
    log,
    topic: "clicks",
    format: clicks,
  }, {
    now: () => TIME,
  });
  while (await feeder.feed() > 0);
  return log;
}

const view = { evt: "product_view", ctx: { uid: "u1", ts: "2026-11-27T10:00:00Z" }, sku: "A1" };

Deno.test("TopicFeeder feeds a topic by the mapping of the configuration", async () => {
  await using log = await feed([view, { evt: "product_gone", sku: "A2" }, { ...view, sku: 17 }]);
  const event = { type: "interaction", user: "u1", time: TIME, action: "view" };
  assert.deepEqual(await valuesOf(log, topics.events), [{ ...event, item: "A1" }, { ...event, item: "17" }]);
  assert.deepEqual(await valuesOf(log, topics.items), [null], "the removal of an item");
});

Deno.test("a record without a value becomes what a rule with $tombstone says, or nothing without one", async () => {
  const catalogue = compileSource("catalogue", {
    record: ["after"],
    rules: [
      { as: "removal", when: { $tombstone: true }, fields: { item: "$key" } },
      { as: "item", fields: { item: "sku" } },
    ],
  });
  const plain = compileSource("plain", { rules: [{ as: "item", fields: { item: "sku" } }] });
  const ours = compileSource("ours", { follow: { topic: "clicks" } });
  const value = encode({ item: "A1", time: TIME, sku: "A1", after: { sku: "A1" } });
  for (const [source, rejected] of [[catalogue, 1], [plain, 0], [ours, 0]] as const) {
    await using log = new MemoryLog();
    await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
    const at = { topic: "clicks", key: "A1", time: TIME };
    await log.append([{ ...at, value }, { ...at, value: null }, { ...at, key: null, value: null }]);
    const followed = { log, topic: "clicks", format: source };
    await using feeder = await TopicFeeder.open(log, topics, followed, { now: () => TIME });
    while (await feeder.feed() > 0);
    const [left] = await valuesOf(log, topics.items); // compacted
    assert.equal(left === null, source !== plain, `${source.name}: the item is gone`);
    assert.equal(
      (await valuesOf(log, topics.rejected)).length,
      rejected,
      `${source.name}: without a key there is no item`,
    );
  }
});

Deno.test("a record that cannot be mapped is rejected with its place, source, rule and bytes", async () => {
  const bad = { ...view, ctx: { uid: "u1", ts: "soon" } };
  await using log = await feed([view, bad, { evt: "other" }, '{"evt":"a","evt":"b"}']);
  const [first, second, third] = await valuesOf(log, topics.rejected) as Rejection[];
  assert.equal((await valuesOf(log, topics.events)).length, 1);
  assert.ok(first !== undefined && "topic" in first);
  const { topic, partition, offset, source, rule, code } = first;
  assert.deepEqual([topic, partition, offset, source, rule, code], [
    "clicks",
    0,
    1,
    "clicks",
    "views",
    "wrong-type",
  ]);
  assert.match(first.reason, /current value is "soon" \(views: time is ctx\.ts\)$/);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(first.bytes))), bad);
  assert.deepEqual([second?.code, third?.code], ["unmapped", "duplicate-key"]);
});

Deno.test("a source without rules that follows a topic takes our events and items as they are", async () => {
  const config = parseConfig('{"sources": {"ours": {"follow": {"topic": "clicks"}}}}', "meander.json");
  const ours = compileSource("ours", config.sources?.["ours"] ?? {});
  const event = { type: "interaction", user: "u1", item: "A1", action: "view", time: TIME };
  const item = { item: "A1", time: TIME };
  const log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
  const record = (value: unknown, headers = {}) => ({
    topic: "clicks",
    key: "k",
    value: encode(value),
    time: TIME,
    headers,
  });
  await log.append([
    ...[event, item, [event, { ...item, item: "A2" }], { ...event, user: 7 }].map((value) => record(value)),
    record({ name: "exp" }, { [EXPERIMENT]: "exp" }), // belongs to the deployment that it comes from
  ]);
  const source = { log, topic: "clicks", format: ours };
  await using feeder = await TopicFeeder.open(log, topics, source, { now: () => TIME });
  while (await feeder.feed() > 0);
  assert.deepEqual(await valuesOf(log, topics.events), [event, event]);
  assert.deepEqual(await valuesOf(log, topics.items), [item, { ...item, item: "A2" }]);
  const [rejected, ...others] = await valuesOf(log, topics.rejected) as Rejection[];
  assert.deepEqual([rejected?.code, rejected?.source, others.length], ["wrong-type", "ours", 0]);
});

Deno.test("one record cannot expand into events of many times its size", async () => {
  const wide = {
    evt: "wide",
    users: Array.from({ length: 1000 }, (_, i) => `u${i}`),
    items: Array.from({ length: 1000 }, (_, i) => `item-${i}`.padEnd(20, "x")),
    note: "n",
  };
  await using log = await feed([wide, view]);
  const [rejected] = await valuesOf(log, topics.rejected) as Rejection[];
  assert.equal(rejected?.code, "too-large");
  assert.equal((await valuesOf(log, topics.events)).length, 1);
});

Deno.test("Feeder feeds a file by the same mapping, and resumes from its position", async () => {
  const file = await Deno.makeTempFile({ suffix: ".jsonl" });
  try {
    const lines = Array.from(
      { length: 25 },
      (_, i) => i % 10 === 3 ? "{" : JSON.stringify({ ...view, sku: `A${i}` }),
    );
    await Deno.writeTextFile(file, `${lines.join("\n")}\n`);
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 1));
    for (const limit of [7, 100]) {
      await using feeder = await Feeder.open(log, topics, openMapped(file, clicks), {
        name: "f",
        batch: 4,
        limit,
      });
      while (await feeder.feed());
    }
    assert.equal((await valuesOf(log, topics.events)).length, 22);
    const rejected = await valuesOf(log, topics.rejected) as Rejection[];
    assert.deepEqual(
      rejected.map((one) => ["line" in one && one.line, one.source]),
      [4, 14, 24].map((n) => [n, "clicks"]),
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("rows of topics and bodies have no header, so their source must name the columns", () => {
  const rules = [{ as: "forget" as const, fields: { user: "who", time: "at" } }];
  const adapted = take(
    compileSource("gone", { format: "csv", rules }),
    encode("ann,1795773600"),
    { time: TIME },
  );
  assert.ok(!adapted.ok);
  assert.match(adapted.reason, /it has no header: set "columns" of its source/);
  assert.throws(
    () => compileSource("gone", { format: "csv", follow: { topic: "gone" }, rules }),
    { name: "MappingError", message: "rows of a topic have no header: name their columns" },
  );
});

Deno.test("rows of a file take their names from its header or from the source", async () => {
  const rules = [{
    as: "interaction" as const,
    fields: { user: "who", item: "what", action: { value: "click" }, time: "at", value: "price" },
  }];
  const file = await Deno.makeTempFile({ suffix: ".csv" });
  try {
    const row = 'ann,"a ""tent"", green",1795773600,';
    await Deno.writeTextFile(file, `who,what,at,price\n${row}\nbob,stove,1795773601,9.5\n`);
    const withHeader = await Array.fromAsync(openMapped(file, compileSource("s", { format: "csv", rules })));
    const event = { type: "interaction", user: "ann", item: 'a "tent", green', action: "click", time: TIME };
    assert.deepEqual(withHeader.map((one) => one.kind === "event" && one.event), [
      event,
      { ...event, user: "bob", item: "stove", time: TIME + 1000, value: 9.5 },
    ]);
    const columns = ["who", "what", "at", "price"];
    await Deno.writeTextFile(file, `${row}\n`);
    const without = await Array.fromAsync(
      openMapped(file, compileSource("s", { format: "csv", columns, rules })),
    );
    assert.deepEqual(without.map((one) => one.kind === "event" && one.event), [event]);
    const topic = compileSource("s", { format: "csv", columns, rules });
    const adapted = take(topic, encode(row), { time: TIME });
    assert.deepEqual(adapted, { ok: true, records: [{ kind: "event", event }] });
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("parseConfig() says what is wrong with a source, at which line, and suggests what was meant", () => {
  const faults = (text: string) => {
    try {
      parseConfig(text, "meander.json");
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      return error.message;
    }
    throw new Error("taken");
  };
  const misspelt = faults(CONFIG.replace('"user": "ctx.uid"', '"usr": "ctx.uid"'));
  assert.match(misspelt, /sources\.clicks\.rules\.0\.fields\.usr \(line 8\): .*did you mean user\?/);
  assert.match(faults('{"sources": {"a": {}}}'), /sources\.a\.rules: it has neither rules nor a preset/);
  assert.match(faults('{"sources": {"gorse": {"preset": "segment"}}}'), /gorse is already a format/);
  assert.match(faults('{"sources": {"a": {"presett": "segment"}}}'), /presett/);
  const loop = '{"path": "$.a"}';
  assert.match(
    faults(`{"sources": {"a": {"rules": [{"as": "item", "fields": {"item": ${loop}}}]}}}`),
    /as a path/,
  );
  const follows = (follow: unknown, more = {}) =>
    faults(JSON.stringify({ sources: { a: { preset: "segment", follow }, ...more } }));
  assert.match(
    follows({ topic: "t", start: "newest" }),
    /sources\.a\.follow\.start \(line 1\): .*"newest" as a start: expected/,
  );
  assert.match(follows({ start: "latest" }), /sources\.a\.follow.*topic/);
  const twice = { b: { preset: "snowplow", follow: { topic: "t" } } };
  assert.match(
    follows({ topic: "t" }, twice),
    /sources\.b\.follow\.topic \(line 1\): source a already follows t/,
  );
  const long = '{"expression": "a[*].[$]"}';
  assert.match(
    faults(`{"sources": {"a": {"rules": [{"as": "item", "fields": {"item": ${long}}}]}}}`),
    /expression/,
  );
});
