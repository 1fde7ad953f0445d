/**
 * Ingestion of the same clicks as JSON, and as Avro and Protobuf with a schema registry, from a topic of a broker that
 * it starts itself to `events` of the same broker, exactly once, by the same rules; compared with a bare kafkajs
 * consumer that only counts. Each figure is the best of the rounds. Needs Java and Maven.
 *
 * `deno run -A tests/bench/formats.ts [records, 50000] [rounds, 3]`
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { Kafka, logLevel } from "kafkajs";
import protobuf from "protobufjs";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { compileSource, take } from "../../streams/mapping/record_source.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { startMeasuredBroker } from "./end_with.ts";

const [records = 50_000, rounds = 3] = Deno.args.map(Number);
const PARTITIONS = 4;
const START = Date.UTC(2026, 10, 27);
const BATCH = 1000;
const PROTO = `syntax = "proto3"; message Click {
  string user = 1; int64 at = 2; string sku = 3; Kind kind = 4; double price = 5; Context ctx = 6;
  enum Kind { VIEW = 0; CLICK = 1; }
  message Context { string page = 1; string session = 2; repeated string tags = 3; }
}`;
const AVRO = {
  type: "record",
  name: "Click",
  fields: [
    { name: "user", type: "string" },
    { name: "at", type: "long" },
    { name: "sku", type: "string" },
    { name: "kind", type: { type: "enum", name: "Kind", symbols: ["VIEW", "CLICK"] } },
    { name: "price", type: "double" },
    {
      name: "ctx",
      type: {
        type: "record",
        name: "Context",
        fields: [
          { name: "page", type: "string" },
          { name: "session", type: "string" },
          { name: "tags", type: { type: "array", items: "string" } },
        ],
      },
    },
  ],
};
const encoder = new TextEncoder();
const Click = protobuf.parse(PROTO, { keepCase: true }).root.lookupType("Click");

const click = (i: number) => ({
  user: `u${i * 7919 % 20_000}`,
  at: START + 10 * i,
  sku: `sku-${i * 31 % 5000}`,
  kind: i % 3 === 0 ? 1 : 0,
  price: i % 100 + 0.5,
  ctx: { page: "home", session: `s${i % 997}`, tags: ["autumn", "sale"] },
});

function avro({ user, at, sku, kind, price, ctx }: ReturnType<typeof click>): Uint8Array {
  const writer = new ByteWriter();
  const text = (own: string) => {
    const bytes = encoder.encode(own);
    writer.int(bytes.length);
    for (const byte of bytes) writer.u8(byte);
  };
  text(user);
  writer.int(at);
  text(sku);
  writer.int(kind).f64(price);
  text(ctx.page);
  text(ctx.session);
  writer.int(ctx.tags.length);
  for (const tag of ctx.tags) text(tag);
  return writer.int(0).toBytes();
}

const framed = (id: number, body: Uint8Array) => new Uint8Array([0, 0, 0, 0, id, ...body]);
const FORMATS: Readonly<Record<string, (i: number) => Uint8Array>> = {
  json: (i) => encoder.encode(JSON.stringify({ ...click(i), kind: click(i).kind === 1 ? "CLICK" : "VIEW" })),
  avro: (i) => framed(1, avro(click(i))),
  protobuf: (i) => framed(2, new Uint8Array([0, ...Click.encode(click(i)).finish()])),
};
const SCHEMAS: Readonly<Record<string, object>> = {
  "/schemas/ids/1": { schema: JSON.stringify(AVRO) },
  "/schemas/ids/2": { schema: PROTO, schemaType: "PROTOBUF" },
};
const get = (url: string | URL | Request) =>
  Promise.resolve(Response.json(SCHEMAS[new URL(String(url)).pathname]));

await using broker = await startMeasuredBroker();
const brokers = [broker.address];
await using log = await KafkaLog.open({ brokers });
await using filler = await KafkaLog.open({ brokers, compression: "none" }); // kafkajs reads no zstd
for (const [format, bytesOf] of Object.entries(FORMATS)) {
  await log.createTopics([{ name: format, partitions: PARTITIONS, cleanup: "delete" }]);
  for (let from = 0; from < records; from += 10_000) {
    const count = Math.min(10_000, records - from);
    await filler.append(Array.from({ length: count }, (_, n) => ({
      topic: format,
      key: null,
      partition: (from + n) % PARTITIONS,
      value: bytesOf(from + n),
      time: START + 10 * (from + n),
    })));
  }
}
const contenders: Readonly<Record<string, () => Promise<number>>> = {
  json: () => ingest("json"),
  avro: () => ingest("avro"),
  protobuf: () => ingest("protobuf"),
  "json, read and mapped only": () => adapt("json"),
  "avro, read and mapped only": () => adapt("avro"),
  "protobuf, read and mapped only": () => adapt("protobuf"),
  "bare kafkajs consumer, of json": () => consumeBarely("json"),
  "bare kafkajs consumer, of protobuf": () => consumeBarely("protobuf"),
};
const best = new Map<string, number>();
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(contenders)) {
    best.set(name, Math.min(best.get(name) ?? Infinity, await run()));
  }
}
for (const [name, ms] of best) {
  const rate = Math.round(records / ms * 1000).toLocaleString("en");
  const own = name.endsWith("only") ? "json, read and mapped only" : "json";
  print(
    `${name.padEnd(40)} ${rate.padStart(9)} records/s  x${
      ((best.get(own) ?? NaN) / ms).toFixed(2)
    } of ${own}\n`,
  );
}

function sourceOf(format: string) {
  return compileSource("clicks", {
    ...(format === "json" ? {} : { format: "registry", registry: { url: "http://registry" } }),
    rules: [{
      as: "interaction",
      fields: {
        user: "user",
        time: "at",
        item: "sku",
        surface: "ctx.page",
        value: "price",
        action: { path: "kind", values: { VIEW: "view", CLICK: "click" } },
      },
    }],
  }, { fetch: get });
}

/** @returns milliseconds of wall-clock time */
async function ingest(format: string): Promise<number> {
  const topics = topicNames(`${format}-${crypto.randomUUID().slice(0, 8)}.`);
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  const adapter = sourceOf(format);
  await using feeder = await TopicFeeder.open(log, topics, { log, topic: format, format: adapter }, {
    batch: BATCH,
  });
  const begun = performance.now();
  while (feeder.events + feeder.rejected < records) await feeder.feed({ waitMs: 100 });
  const ms = performance.now() - begun;
  if (feeder.events !== records || feeder.rejected > 0) {
    throw new Error(feeder.firstRejection?.reason);
  }
  return ms;
}

/** @returns milliseconds of processor time, which other load on the machine does not affect */
async function adapt(format: string): Promise<number> {
  const source = sourceOf(format);
  const values = Array.from({ length: records }, (_, i) => FORMATS[format]!(i));
  await source.ready?.(values[0]!);
  const begun = cpuUsage();
  for (const value of values) if (!take(source, value, { time: START }).ok) throw new Error("rejected");
  const { user, system } = cpuUsage(begun);
  return (user + system) / 1000;
}

async function consumeBarely(topic: string): Promise<number> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: crypto.randomUUID(), maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = 0, begun = 0;
  await consumer.run({
    eachBatch: ({ batch }) => {
      begun ||= performance.now();
      seen += batch.messages.length;
      if (seen >= records) resolve();
      return Promise.resolve();
    },
  });
  await promise;
  const ms = performance.now() - begun;
  await consumer.disconnect();
  return ms;
}

function print(text: string): void {
  Deno.stdout.writeSync(encoder.encode(text));
}
