/**
 * We read what Kafka's clients for Java and Python write, and they read what we write: places, texts, compressions,
 * transactions, and, in Python, values by the published JSON Schemas.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { decodeEvent, decodeItem, encodeEvent, encodeItem } from "../../src/events/codec.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { COMPRESSIONS } from "../../streams/log/kafka/protocol/codecs.ts";
import { lookAtRejected } from "../../streams/feeders/newest_rejected.ts";
import { Task } from "../../streams/task/task.ts";
import { surfaceTopic, surfaceTopicSpecs } from "../../streams/topics/surfaces.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { all, bytes, newPlace, texts } from "../contracts/log_suite.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { openLog, type TestBroker, testBroker } from "./kafka_broker.ts";
import { pythonClients } from "./python_clients.ts";

const PARTITIONS = 7;
const KEYS = Array.from({ length: 300 }, (_, i) => ["user-", "ž", "😀", "日本", ""][i % 5] + `${i * 7919}`);
const program = fileURLToPath(new URL("java/Clients.java", import.meta.url));
const schemas = fileURLToPath(new URL("../../docs/reference/schemas", import.meta.url));
const broker = await testBroker();
const python = broker && await pythonClients();

if (broker !== undefined) {
  Deno.test("KafkaLog reads what Java writes, and finds each key in the partition that partitionOf() says", async () => {
    await using log = await openLog(broker);
    const topics = COMPRESSIONS.map((compression) => ({ compression, name: newPlace() }));
    await log.createTopics(topics.map(({ name }) => ({ name, partitions: PARTITIONS, cleanup: "delete" })));
    const lines = KEYS.map((key) => `${key}\tvalue ${key}\n`).join("");
    await java(broker, ["write", ...topics.map(({ name, compression }) => `${name}=${compression}`)], lines);
    for (const { name, compression } of topics) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const records = await all(log, name, partition);
        const keys = KEYS.filter((key) => partitionOf(key, PARTITIONS) === partition);
        assert.deepEqual(records.map(({ key }) => key), keys, compression);
        assert.deepEqual(texts(records), keys.map((key) => `value ${key}`));
        assert.ok(records.every(({ time, headers }) => time === 1000 && headers.name === "žofie"));
      }
    }
  });

  Deno.test("Java reads what KafkaLog writes, with every compression, alone and in transactions", async () => {
    const written: string[][] = [];
    for (const compression of [...COMPRESSIONS, "auto"] as const) {
      await using log = await openLog(broker, { compression });
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: PARTITIONS, cleanup: "delete" }]);
      const records = KEYS.map((key, i) => ({
        topic,
        key,
        value: i % 10 === 0 ? null : bytes(`value ${key}`),
        time: 1000 + i,
        headers: { first: "žofie", second: `${i}` },
      }));
      const offsets = [
        ...await log.append(records.slice(0, 100)),
        ...await log.append(records.slice(100, 101)),
      ];
      await using writer = await log.writer(`${topic}.writer`);
      await writer.commit({ records: records.slice(101), group: topic, offsets: [] });
      await isVisible(log, topic, PARTITIONS);
      written.push(...records.map(({ key, time, value, headers }, i) => [
        topic,
        `${partitionOf(key, PARTITIONS)}`,
        i < offsets.length ? `${offsets[i]}` : "",
        `${time}`,
        key,
        value === null ? "null" : `value ${key}`,
        `first=${headers.first} second=${headers.second}`,
      ]));
    }
    const topics = [...new Set(written.map(([topic = ""]) => topic))];
    const lines = (await java(broker, ["read", ...topics], "")).trimEnd().split("\n");
    const read = new Map(lines.map((line) => line.split("\t")).map((one) => [`${one[0]}/${one[4]}`, one]));
    assert.equal(lines.length, written.length);
    for (const record of written) {
      const found = read.get(`${record[0]}/${record[4]}`);
      if (record[2] === "") record[2] = found?.[2] ?? ""; // a commit does not return its offsets
      assert.deepEqual(found, record);
    }
  });
}

/** What Python says of a record. */
interface ReadByPython {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** What is wrong with it by the schema. */
  readonly faults: readonly string[];
}

/** Values that are no events. */
const BAD = [
  "{",
  "[]",
  '{"type":"interaction","user":"ann"}',
  '{"type":"dance","user":"ann","time":1700000000000}',
];

if (broker !== undefined && python !== undefined) {
  Deno.test("Python writes events that we accept, and reads all that comes of them by the schemas, once", async () => {
    await using log = await openLog(broker);
    const prefix = `${newPlace()}.`, topics = topicNames(prefix), front = surfaceTopic(topics, "front");
    const surfaceTopics = { home: "front" };
    // Both have to read the same, and a broker may compact in between.
    const specs = [...topicSpecs(topics, 2), ...surfaceTopicSpecs(topics, 2, surfaceTopics)];
    await log.createTopics(
      specs.map((spec) => spec.name === topics.lists ? { ...spec, cleanup: "delete" } : spec),
    );
    const lines: string[] = [];
    const put = (topic: string, key: string, value: string) => {
      lines.push(`${JSON.stringify({ topic, key, value, headers: { from: "žofie" } })}\n`);
    };
    const text = (value: Uint8Array) => new TextDecoder().decode(value);
    for (const record of syntheticRecords({ views: 30, users: 9, seed: 2 })) {
      if (record.kind === "item") put(topics.items, record.item.item, text(encodeItem(record.item)));
      if (record.kind !== "event") continue;
      const { event } = record;
      const own = event.type === "request" ? { ...event, surface: "home" } : event;
      put(topics.events, event.user, text(encodeEvent(own)));
    }
    const time = Date.now();
    for (const [n, bad] of BAD.entries()) put(topics.events, `u${n}`, bad);
    put(topics.events, "u1", text(encodeEvent({ type: "forget", user: "u1", time })));
    await python(["write", broker.address], lines.join(""));

    const options = { schema: SCHEMA, userLists: { count: 3, everyMs: 0 } };
    for (const partition of [0, 1]) {
      const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
      await using task = await Task.open({ log, topics, partition, options, serving, surfaceTopics });
      while (await task.step({ now: () => 0 }) > 0);
      await task.commit();
      assert.equal(task.state.counters.misplaced, 0);
    }

    const read = { event: topics.events, item: topics.items, rejected: topics.rejected };
    const lists = [topics.recommendations, topics.lists, front].map((topic) => `${topic}=recommendation`);
    const all = [...Object.entries(read).map(([schema, topic]) => `${topic}=${schema}`), ...lists];
    for (const topic of [topics.rejected, ...lists.map((list) => list.split("=")[0] ?? "")]) {
      await isVisible(log, topic, 2);
    }
    const records = (await python(["read", broker.address, schemas, ...all])).trimEnd().split("\n")
      .map((line) => JSON.parse(line) as ReadByPython);
    const of = (topic: string) => records.filter((record) => record.topic === topic);
    for (const { topic, key, value, faults } of [...of(topics.events), ...of(topics.items)]) {
      const decode = topic === topics.items ? decodeItem : decodeEvent;
      const { ok } = decode(bytes(value ?? ""));
      assert.equal(faults.length === 0, ok, `${key} ${value}: schema and decoder differ: ${faults}`);
    }
    assert.equal(of(topics.events).length + of(topics.items).length, lines.length);
    assert.equal(of(topics.events).filter(({ faults }) => faults.length > 0).length, BAD.length);
    assert.ok(of(topics.rejected).length >= BAD.length);
    const look = await lookAtRejected(log, topics, {}, { records: 1000, bytes: 1e6 });
    assert.deepEqual([look.records.length, look.isAll], [of(topics.rejected).length, true]);
    for (const topic of [topics.rejected, topics.recommendations, topics.lists, front]) {
      assert.ok(of(topic).length > 3, `${topic}: ${of(topic).length}`);
      for (const record of of(topic)) {
        assert.deepEqual(record.faults, [], `${topic}: ${record.value}`);
        assert.equal(record.partition, partitionOf(record.key ?? "", 2));
      }
      const ours = (await Promise.all([0, 1].map((p) => Array.fromAsync(readAll(log, topic, p))))).flat()
        .map(({ partition, offset, key, value, headers }) => {
          return { partition, offset, key, value: value && text(value), headers };
        });
      const place = (one: { readonly partition: number; readonly offset: number }) =>
        one.partition * 1e6 + one.offset;
      const theirs = of(topic).map(({ topic: _, faults: __, ...record }) => record);
      assert.deepEqual(theirs.toSorted((a, b) => place(a) - place(b)), ours, topic);
    }
    assert.equal(
      of(topics.lists).findLast(({ key }) => key === "u1")?.value,
      null,
      "an erased user has no list",
    );
    const shown = (topic: string) => of(topic).map(({ value }) => value).toSorted();
    assert.deepEqual(shown(front), shown(topics.recommendations));
  });
}

/** Resolves when everybody sees what we have committed: brokers answer a commit before they mark its records. */
async function isVisible(log: Log, topic: string, partitions: number): Promise<void> {
  for (let p = 0; p < partitions; p++) await log.bounds(topic, p);
}

async function java({ jars, address }: TestBroker, args: readonly string[], input: string): Promise<string> {
  const [command = "", ...topics] = args;
  const child = new Deno.Command("java", {
    args: [
      "-XX:TieredStopAtLevel=1",
      "-Dfile.encoding=UTF-8",
      "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
      "-cp",
      `${jars}/*`,
    ]
      .concat(program, command, address, topics),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytes(input));
  await writer.close();
  const { success, stdout } = await child.output();
  assert.ok(success);
  return new TextDecoder().decode(stdout);
}
