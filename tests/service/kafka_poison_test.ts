/**
 * Malformed records of other programs, which our own producer would refuse, on every topic of a running deployment on a
 * real broker. Nothing ends or loops unless docs/reference/topics.md says so, and what follows is handled.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Kafka, logLevel, type Message, Partitioners } from "kafkajs";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { LogError } from "../../streams/log/log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { unreadable } from "../../streams/log/unreadable.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames, type Topics, topicSpecs } from "../../streams/topics/topics.ts";
import { openLog, ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { OPTIONS, recordsOf, requestsOf, shopEvents, until, untilCommitted } from "./deployment.ts";

const broker = await testBroker();
const PREFIX = ownPrefix(import.meta.url, "poison");
const PARTITIONS = 2;
const topics = topicNames(PREFIX);
const random = mulberry32(24);
const NOT_UTF8 = Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80]);
const HUGE = Buffer.alloc(200_000, "k");
const HEADERS = { input: [NOT_UTF8, "0/1/2", NOT_UTF8], others: NOT_UTF8, pending: ["", "1"], "\u0000": "" };
const NOISE = Buffer.from(Uint8Array.from({ length: 64 }, () => random() * 256));
/** Values that no topic accepts. */
const VALUES = [Buffer.alloc(0), Buffer.from('{"user":"ann"'), NOISE, Buffer.alloc(64, 0xff)];
/** What surrounds a value. A compacted topic refuses records without a key. */
const FRAMES: readonly Omit<Message, "value">[] = [
  { key: "poison" },
  { key: "" },
  { key: NOT_UTF8 },
  { key: HUGE },
  { key: "poison", timestamp: "-1" },
  { key: "poison", headers: HEADERS },
  { key: null },
];

/** Every value in every frame. */
function poisonOf(topic: string): Message[] {
  const isCompact = topicSpecs(topics, 1).some(({ name, cleanup }) =>
    name === topic && cleanup === "compact"
  );
  const frames = isCompact ? FRAMES.filter(({ key }) => key !== null) : FRAMES;
  return frames.flatMap((frame) => VALUES.map((value) => ({ ...frame, value })));
}

if (broker !== undefined) {
  const produce = async (topic: string, messages: readonly Message[], partition = 0) => {
    const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING, retry: { retries: 0 } });
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    try {
      await producer.send({ topic, messages: messages.map((message) => ({ ...message, partition })) });
    } finally {
      await producer.disconnect();
    }
  };
  const start = (log: KafkaLog) => Service.start(log, { ...OPTIONS, prefix: PREFIX, partitions: PARTITIONS });
  /** What stops a service. */
  const failureOf = async (log: KafkaLog): Promise<string> => {
    try {
      await using service = await start(log);
      await service.ended;
    } catch (error) {
      assert.ok(error instanceof LogError && error.code === "corrupt", String(error));
      return error.message;
    }
    return assert.fail("it ended without an error");
  };
  const leftOut = (key: keyof Topics) => unreadable.counts.get(topics[key]) ?? 0;
  /** The values of a topic that are JSON, as ours are and poison is not. */
  const jsonOf = async (log: KafkaLog, topic: string) => {
    const found: Record<string, unknown>[] = [];
    for (let p = 0; p < PARTITIONS; p++) {
      for await (const { value } of readAll(log, topic, p)) {
        try {
          found.push(JSON.parse(new TextDecoder().decode(value ?? undefined)));
        } catch {
          continue;
        }
      }
    }
    return found;
  };
  const rejectedOf = async (log: KafkaLog, topic: string) => {
    const counts: Record<string, number> = {};
    for (const { topic: of, code } of await jsonOf(log, topics.rejected)) {
      if (of === topic) counts[String(code)] = (counts[String(code)] ?? 0) + 1;
    }
    return counts;
  };
  const answered = async (log: KafkaLog) =>
    (await jsonOf(log, topics.recommendations)).map(({ request }) => String(request)).sort();

  Deno.test("Service on Kafka skips or rejects malformed records of other programs, and handles what follows", async () => {
    const events = shopEvents(60, 10);
    const parts = [events.slice(0, 60), events.slice(60, 120), events.slice(120)] as const;
    await using log = await openLog(broker);
    {
      await using service = await start(log);
      let failure: unknown;
      service.ended.catch((error) => failure = error);
      const changes = new ExperimentRegistry(log, topics, { models: ["base"], now: Date.now });
      await log.append(recordsOf(parts[0], PREFIX));
      await untilCommitted(log, PREFIX);
      const variants = [{ name: "A" }, { name: "B", version: "at-start" as const }];
      await until(
        () => changes.start({ name: "e", variants }).then(() => true, () => false),
        "there is a version",
      );

      for (const key of Object.keys(topics) as (keyof Topics)[]) {
        if (key === "checkpoints") continue;
        const { partitions = 0 } = (await log.topics(topics[key])).get(topics[key]) ?? {};
        for (let p = 0; p < partitions; p++) await produce(topics[key], poisonOf(topics[key]), p);
      }
      await assert.rejects(
        produce(topics.items, [{ key: null, value: "{}" }]),
        "a compacted topic requires keys",
      );
      const time = Date.now();
      const click = (user: string) =>
        Buffer.from(encodeEvent({ type: "interaction", user, item: "behind", action: "click", time }));
      await produce(topics.events, [{ key: "late", value: click("late"), timestamp: "-1" }]);
      await produce(
        topics.events,
        FRAMES.filter(({ timestamp }) => timestamp === undefined).map((frame) => ({
          ...frame,
          value: click("odd"),
        })),
        partitionOf("odd", PARTITIONS),
      );
      await produce(topics.items, [
        {
          key: "behind",
          value: Buffer.from(encodeItem({ item: "behind", time })),
          timestamp: "-1",
          headers: HEADERS,
        },
        { key: NOT_UTF8, value: null },
        { key: HUGE, value: null },
      ]);
      await log.append(recordsOf(parts[1], PREFIX));
      await untilCommitted(log, PREFIX);
      const before = requestsOf([...parts[0], ...parts[1]]).sort();
      await until(async () => (await answered(log)).length >= before.length, "all is answered");
      assert.deepEqual(await answered(log), before);
      // JSON that is cut off or empty, bytes that are not UTF-8, and the record without a time.
      assert.deepEqual(await rejectedOf(log, topics.events), {
        "time-out-of-range": 1,
        "truncated-json": FRAMES.length * 2 * PARTITIONS,
        "invalid-utf8": FRAMES.length * 2 * PARTITIONS,
      });
      const keyed = FRAMES.length - 1;
      assert.deepEqual(await rejectedOf(log, topics.items), { // by each task
        "string-too-long": PARTITIONS,
        "truncated-json": keyed * 2 * PARTITIONS,
        "invalid-utf8": keyed * 2 * PARTITIONS,
      });
      for (const { state } of service.tasks.values()) {
        assert.equal(state.catalogue.get("behind")?.listed, true);
      }
      const odd = service.tasks.get(partitionOf("odd", PARTITIONS))?.state.users.get("odd");
      assert.ok(odd !== undefined && odd.lastOffset > 0);
      const all = FRAMES.length * VALUES.length;
      await until(
        () => Promise.resolve(leftOut("samples") >= 2 * all),
        "learner and monitor have passed them",
      );
      await until(
        () => Promise.resolve(leftOut("signals") >= 1.5 * all),
        "tasks have passed what others learnt",
      );
      await until(() => Promise.resolve(leftOut("parameters") >= all), "versions are read");
      await until(
        () => Promise.resolve(leftOut("experiments") >= keyed * VALUES.length),
        "experiments are read",
      );
      assert.equal(failure, undefined);
    }

    // A user state with open lists, as its header says, is read at the start, and stops the service.
    const remedy = new RegExp(`${topics.state}/\\d@\\d+ cannot be read .*key "poison" and no value`);
    assert.match(await failureOf(log), remedy);
    assert.ok(leftOut("statistics") > 0 && leftOut("state") > 0);
    for (let p = 0; p < PARTITIONS; p++) await produce(topics.state, [{ key: "poison", value: null }], p);
    for (const [topic, key] of [[topics.statistics, /^i/], [topics.checkpoints, /^/]] as const) {
      const keys = new Set<string>();
      for await (const record of readAll(log, topic, 0)) {
        if (key.test(record.key ?? "")) keys.add(record.key ?? "");
      }
      const some = [...keys].filter((key) => key !== "" && key.length < 100 && !key.includes("\ufffd"));
      assert.ok(some.length > 0, topic);
      await produce(topic, some.map((key) => ({ key, value: NOISE })));
      assert.match(await failureOf(log), new RegExp(`${topic}/0@\\d+.*no value`));
      await produce(topic, some.map((key) => ({ key, value: null })));
    }
    await using _service = await start(log);
    await log.append(recordsOf(parts[2], PREFIX));
    await untilCommitted(log, PREFIX);
    await until(async () => (await answered(log)).length >= requestsOf(events).length, "all is answered");
    assert.deepEqual(await answered(log), requestsOf(events).sort());
  });
}
