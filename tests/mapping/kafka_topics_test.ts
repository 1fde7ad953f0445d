/**
 * Other systems' topics on a real broker with a real registry: eleven common shapes, mapped by one configuration and no
 * code; what we write there, read by Python; and the tutorial's first hour, followed to the letter.
 */

import assert from "node:assert/strict";
import { decodeEvent, decodeRecommendation, encodeEvent } from "../../src/events/codec.ts";
import { joinedList } from "../../src/samples/joined_list.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { openOutputs, type OutputEncoder } from "../../streams/formats/output_settings.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { Task } from "../../streams/task/task.ts";
import { SAMPLES_ENDING, surfaceTopicSpecs } from "../../streams/topics/surfaces.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { readPage, ROOT } from "../docs/pages.ts";
import { hasApicurio, type Registry, startApicurio } from "../formats/apicurio.ts";
import { PERSON, SHOP, WRITTEN } from "../formats/shop_proto.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { openLog, testBroker } from "../log/kafka_broker.ts";
import { until } from "../service/deployment.ts";
import { pythonClients } from "../log/python_clients.ts";
import { syntheticRecords } from "../sources/synthetic.ts";

const TIME = Date.UTC(2026, 10, 27, 10);
const PARTITIONS = 3;
const encoder = new TextEncoder();
const json = (value: unknown) => encoder.encode(JSON.stringify(value));
const text = (word: string) => [2 * word.length, ...encoder.encode(word)];
const user = (n: number) => `u${n % 7}`;

/** Confluent's frame around a body. */
function framed(id: number, body: Iterable<number>): Uint8Array {
  return Uint8Array.from([0, id >> 24, id >> 16, id >> 8, id, ...body]);
}

const click = { user: "who.id", item: "sku", action: { value: "click" } };

/** The content of `meander.json`. */
const configOf = (url: string) => ({
  sources: {
    calls: { preset: "segment" },
    rudder: { preset: "segment" },
    cloud: { preset: "cloudevents" },
    rows: { preset: "debezium" },
    snow: { preset: "snowplow" },
    own: {
      rules: [
        { as: "nothing", when: { evt: "ping" } },
        {
          as: "interaction",
          when: { evt: ["product_view", "product_like"] },
          fields: {
            user: "ctx.uid",
            time: "ctx.ts",
            item: "sku",
            action: { path: "evt", values: { product_view: "view", product_like: "like" } },
          },
        },
      ],
    },
    baskets: {
      rules: [{
        as: "interaction",
        each: "lines",
        fields: {
          user: "buyer",
          item: "@.sku",
          time: { path: "at_us", unit: "us" },
          action: { value: "purchase" },
          value: { expression: '"@".price' },
          id: { template: "{order}-{#}" },
        },
      }],
    },
    lines: {
      format: "csv",
      columns: ["who", "what", "sku", "at"],
      rules: [{
        as: "interaction",
        fields: { user: "who", item: "sku", time: { path: "at", unit: "s" }, action: "what" },
      }],
    },
    avro: {
      format: "registry",
      registry: { url },
      rules: [{ as: "interaction", fields: { ...click, surface: "page" } }],
    },
    typed: {
      format: "registry",
      registry: { url },
      rules: [{ as: "interaction", fields: { ...click, time: "at" } }],
    },
    proto: {
      format: "registry",
      registry: { url },
      rules: [{ as: "interaction", fields: { ...click, time: "at" } }],
    },
  },
});

type Value = Uint8Array | { readonly value: Uint8Array; readonly headers: Readonly<Record<string, string>> };

interface SampleTopic {
  readonly values: readonly Value[];
  /** Events, items (with removals) and rejected records that they become. */
  readonly counts: readonly [events: number, items: number, rejected: number];
}

async function sampleOf(name: string): Promise<readonly Uint8Array[]> {
  const all = await Deno.readTextFile(new URL(`samples/${name}`, import.meta.url));
  return all.trimEnd().split("\n").map((line) => encoder.encode(line));
}

const times = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n));

/** Other systems' topics. */
async function samplesOf(registry: Registry): Promise<Readonly<Record<string, SampleTopic>>> {
  const string = (name: string) => ({ name, type: "string" });
  const record = (name: string, fields: readonly object[]) =>
    JSON.stringify({ type: "record", name, namespace: "com.shop", fields });
  const who = { name: "who", type: "com.shop.Person" },
    page = { name: "page", type: ["null", "string"], default: null };
  const references = [{ name: "com.shop.Person", subject: "person-value", version: 1 }];
  await registry.register("person-value", { schema: record("Person", [string("id")]) });
  const avro = await registry.register("avro-value", {
    schema: record("Click", [who, string("sku")]),
    references,
  });
  const later = await registry.register("avro-value", {
    schema: record("Click", [page, who, string("sku")]),
    references,
  });
  const typed = await registry.register("typed-value", {
    schemaType: "JSON",
    schema: JSON.stringify({
      $schema: "http://json-schema.org/draft-07/schema#",
      type: "object",
      properties: {},
    }),
  });
  await registry.register("people", { schemaType: "PROTOBUF", schema: PERSON });
  const proto = await registry.register("proto-value", {
    schemaType: "PROTOBUF",
    schema: SHOP,
    references: [{ name: "people/person.proto", subject: "people", version: 1 }],
  });
  const protoLater = await registry.register("proto-value", {
    schemaType: "PROTOBUF",
    schema: SHOP.replace("message Line {", "google.protobuf.BoolValue last = 33; message Line {"),
    references: [{ name: "people/person.proto", subject: "people", version: 1 }],
  });
  assert.equal(new Set([avro, later, typed, proto, protoLater]).size, 5);
  const iso = (n: number) => new Date(TIME + n).toISOString();
  const track = (n: number, event: string, properties: object) => ({
    type: "track",
    channel: "web",
    rudderId: `r${n}`,
    messageId: `m${n}`,
    anonymousId: `a${n}`,
    userId: user(n),
    event,
    properties,
    originalTimestamp: iso(n),
    sentAt: iso(n),
    timestamp: iso(n),
    receivedAt: iso(n + 5),
  });
  const binary = {
    value: json({ user: "ann", item: "tent", action: "click" }),
    headers: {
      ce_specversion: "1.0",
      ce_type: "shop.interaction",
      ce_id: "7",
      ce_time: "2026-11-27T10:00:00Z",
    },
  };
  const own = (n: number, evt: string, ts: unknown = iso(n)) =>
    json({ evt, ctx: { uid: user(n), ts }, sku: `A${n}` });
  const basket = (n: number) => ({
    order: `o${n}`,
    buyer: user(n),
    at_us: (TIME + n) * 1000,
    lines: times(1 + n % 3, (k) => ({ sku: `A${k}`, price: 2.5 })),
  });
  return {
    calls: { values: await sampleOf("segment.jsonl"), counts: [12, 0, 2] },
    rudder: {
      values: [
        ...times(20, (n) => json(track(n, "Product Viewed", { product_id: `A${n}` }))),
        ...times(
          5,
          (n) =>
            json(track(n, "Product List Viewed", { products: [{ product_id: "A1" }, { product_id: "A2" }] })),
        ),
        json({ type: "page", messageId: "p", userId: "u1", timestamp: iso(1) }),
      ],
      counts: [25, 0, 0],
    },
    cloud: {
      values: [...await sampleOf("cloudevents.jsonl"), ...times(6, () => binary)],
      counts: [11, 2, 2],
    },
    rows: { values: await sampleOf("debezium.jsonl"), counts: [3, 5, 1] },
    snow: { values: await sampleOf("snowplow.tsv"), counts: [7, 0, 2] },
    own: {
      values: [
        ...times(30, (n) => own(n, n % 3 === 0 ? "product_like" : "product_view")),
        ...times(4, (n) => own(n, "ping")),
        ...times(3, (n) => own(n, "unheard")),
        own(1, "product_view", "soon"),
        encoder.encode("{"),
      ],
      counts: [30, 0, 5],
    },
    baskets: {
      values: [...times(12, (n) => json(basket(n))), json({ ...basket(1), lines: "none" })],
      counts: [24, 0, 1],
    },
    lines: {
      values: [
        ...times(15, (n) => encoder.encode(`${user(n)},view,"A,${n}",${TIME / 1000 + n}`)),
        encoder.encode("u1,view"),
        encoder.encode(`u1,view,A1,yesterday`),
      ],
      counts: [15, 0, 2],
    },
    avro: {
      values: [
        ...times(10, (n) => framed(avro, [...text(user(n)), ...text("A1")])),
        ...times(5, (n) => framed(later, [2, ...text("home"), ...text(user(n)), ...text("A2")])),
        framed(avro, text("ann")),
        framed(12_345, []),
      ],
      counts: [15, 0, 2],
    },
    typed: {
      values: [
        ...times(8, (n) => framed(typed, json({ who: { id: user(n) }, sku: "A3", at: iso(n) }))),
        framed(typed, json({ sku: "A3", at: iso(1) })),
      ],
      counts: [8, 0, 1],
    },
    proto: {
      values: [
        ...times(6, () => framed(proto, [2, 2, ...WRITTEN])),
        ...times(2, () => framed(protoLater, [2, 2, ...WRITTEN, 0x8a, 2, 2, 8, 1])),
        framed(proto, [2, 2, ...WRITTEN.slice(0, 30)]),
      ],
      counts: [8, 0, 1],
    },
  };
}

async function countOn(log: Log, topic: string): Promise<number> {
  const each = times(PARTITIONS, async (partition) => {
    const { end } = await log.bounds(topic, partition).catch(() => ({ end: 0 }));
    return end === 0 ? 0 : (await Array.fromAsync(readAll(log, topic, partition))).length;
  });
  return (await Promise.all(each)).reduce((sum, n) => sum + n, 0);
}

/** A command of the repository, run in the given folder. */
function command(cwd: string, args: readonly string[], env: Record<string, string> = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", "--config", new URL("deno.json", ROOT).pathname, ...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", ...env },
  });
}

/** Reads a stream until its text matches; the stream can be read further. */
async function waitFor(stream: ReadableStream<string>, wanted: RegExp): Promise<string> {
  let all = "";
  for await (const part of stream.values({ preventCancel: true })) {
    const [, found] = wanted.exec(all += part) ?? [];
    if (found !== undefined) return found;
  }
  throw new Error(`It ended before ${wanted}: ${all}`);
}

/** A value without nulls and empty lists, which Avro and Protobuf have where JSON has nothing. */
function bare(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, own) => own === null || own.length === 0 ? undefined : own);
}

// Its topics are named as in the docs.
const broker = await hasApicurio() ? await testBroker({}) : undefined;
let registry: Registry | undefined;
if (broker !== undefined) {
  Deno.test.afterAll(async () => await registry?.[Symbol.asyncDispose]());

  Deno.test("eleven topics of other systems become events by one configuration, with exact counts", async () => {
    registry ??= await startApicurio();
    await using log = await openLog(broker);
    const samples = await samplesOf(registry);
    const { sources = {} } = parseConfig(JSON.stringify(configOf(registry.url)), "meander.json");
    assert.deepEqual(Object.keys(sources).toSorted(), Object.keys(samples).toSorted());
    for (const [name, { values, counts }] of Object.entries(samples)) {
      const topics = topicNames(`${name}.`), topic = `theirs-${name}`;
      await log.createTopics([...topicSpecs(topics, PARTITIONS), {
        name: topic,
        partitions: PARTITIONS,
        cleanup: "delete",
      }]);
      await log.append(values.map((one, n): NewRecord => {
        const { value, headers = {} } = one instanceof Uint8Array ? { value: one } : one;
        return { topic, partition: n % PARTITIONS, key: null, value, headers, time: TIME + n };
      }));
      const format = compileSource(name, sources[name] ?? {});
      await using feeder = await TopicFeeder.open(log, topics, { log, topic, format });
      while (await feeder.feed() > 0);
      const { events, items, rejected, firstRejection } = feeder;
      assert.deepEqual([events, items, rejected], counts, `${name}: ${JSON.stringify(firstRejection)}`);
      const found = await Promise.all(
        [topics.events, topics.items, topics.rejected].map((one) => countOn(log, one)),
      );
      assert.deepEqual(found, counts, name);
      for (const partition of times(PARTITIONS, (n) => n)) {
        for await (const { value, key } of readAll(log, topics.events, partition)) {
          const decoded = decodeEvent(value ?? new Uint8Array());
          assert.ok(decoded.ok && decoded.event.user === key, name);
        }
      }
    }
  });

  const python = await pythonClients();
  const formats = [["avro", undefined], ["protobuf", "{topic}-value"]] as const;
  for (const [format, subject] of python === undefined ? [] : formats) {
    Deno.test(`Python reads every list, recommendation and sample that we write in ${format} by the registry's schemas`, async () => {
      const { url } = registry ??= await startApicurio();
      await using log = await openLog(broker);
      const topics = topicNames(`given-${format}.`), surfaceTopics = { "*": "all", home: "front" };
      const specs = surfaceTopicSpecs(topics, 2, { ...surfaceTopics, [""]: SAMPLES_ENDING });
      const [all = "", front = "", samples = ""] = specs.map(({ name }) => name);
      // Without compaction, so that Python sees each record.
      const whole = topicSpecs(topics, 2).map((spec) => ({ ...spec, cleanup: "delete" as const }));
      await log.createTopics([...whole, ...specs]);
      const into = { lists: [topics.lists, all, front], samples };
      const settings = { format, registry: { url }, samples: true, ...(subject && { subject }) };
      await assert.rejects(openOutputs({ ...settings, register: false }, into), /it is missing/);
      const outputs = await openOutputs(settings, into);
      const again = await openOutputs({ ...settings, register: false }, into);
      const held = new Map<string, unknown[]>([...into.lists, samples].map((topic) => [topic, []]));
      const encodeLists: OutputEncoder = (list, topic) => {
        const value = outputs.encodeLists(list, topic);
        held.get(topic)?.push([list.user, list]);
        assert.deepEqual(again.encodeLists(list, topic), value);
        return value;
      };
      const encodeSamples = (sample: Sample) => {
        const value = outputs.encodeSamples!(sample);
        if (value !== null) held.get(samples)?.push([sample.user, joinedList(sample)]);
        return value;
      };
      for (const record of syntheticRecords({ views: 60, users: 9, seed: 2 })) {
        if (record.kind !== "event") continue;
        const { event } = record, { user: key, time } = event;
        const own = event.type === "request" && key < "u5" ? { ...event, surface: "cart" } : event;
        await log.append([{ topic: topics.events, key, value: encodeEvent(own), time }]);
      }
      const options = { schema: SCHEMA, outcomeWindowMs: 300_000, userLists: { count: 3, everyMs: 0 } };
      for (const partition of [0, 1]) {
        const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
        const runtime = { surfaceTopics, encodeLists, encodeSamples };
        await using task = await Task.open({ log, topics, partition, options, serving, ...runtime });
        while (await task.step({ now: () => 0 }) > 0);
        await task.commit();
      }
      const read = (await python!(["decode", broker.address, url, ...held.keys()])).trimEnd().split("\n")
        .map((line) => JSON.parse(line));
      for (const [topic, own] of held) {
        const found = read.filter((record) => record.topic === topic && record.value !== null);
        assert.ok(found.length > 10, `${topic}: ${found.length}`);
        const byUser = (of: readonly unknown[]) =>
          Object.groupBy(of as [string, unknown][], ([user]) => user);
        assert.deepEqual(byUser(found.map(({ key, value }) => [key, bare(value)])), byUser(bare(own) as []));
      }
      assert.ok((held.get(front)?.length ?? 0) < (held.get(all)?.length ?? 0));
      assert.equal(await countOn(log, all), await countOn(log, topics.recommendations));
    });
  }

  Deno.test("docs/tutorial/kafka.md leads from clicks in Avro to the first list, command by command", async () => {
    registry ??= await startApicurio();
    const page = await readPage("docs/tutorial/kafka.md");
    const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, body = ""]) =>
      body.trim().split("\n")
    );
    assert.equal(commands.length, 5);
    const [start, , map = "", run = "", ask = ""] = commands;
    assert.equal(start, "deno task kafka --registry");
    const here = (line: string) =>
      line.replaceAll("http://127.0.0.1:8081/apis/ccompat/v7", registry?.url ?? "")
        .replaceAll("127.0.0.1:9092", broker.address);
    const folder = await Deno.makeTempDir({ prefix: "meander-tutorial-" });
    const env = { MEANDER_KAFKA_BROKERS: JSON.stringify([broker.address]) };
    const task = (line: string, ...more: string[]) => {
      const [, name = "", rest = ""] = /^deno task (?:meander )?([a-z]+) (.*)$/.exec(here(line)) ?? [];
      return command(
        folder,
        [new URL(`scripts/${name}.ts`, ROOT).pathname, ...rest.split(" "), ...more],
        env,
      );
    };
    const outputOf = async (one: Deno.Command) => {
      const { success, stdout, stderr } = await one.output();
      assert.ok(success, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    try {
      assert.equal(commands[1], "deno run -A fixtures/tutorial/clicks.ts");
      const clicks = await Deno.readTextFile(new URL("fixtures/tutorial/clicks.ts", ROOT));
      await Deno.writeTextFile(`${folder}/clicks.ts`, here(clicks));
      await outputOf(command(folder, ["clicks.ts"]));
      const said = await outputOf(task(map));
      assert.match(said, /1000 records: 1000 interaction, 0 nothing, 0 rejected/);
      const suggested = await Deno.readTextFile(`${folder}/meander.json`);
      {
        await using log = await openLog(broker);
        await log.append([{
          topic: "clicks",
          key: null,
          value: Uint8Array.of(0, 0, 0, 0, 1, 9),
          time: Date.now(),
        }]);
      }
      const broken = await outputOf(task(map.replace(" --write", ""), "--records", "3000"));
      assert.match(broken, /\n1 of them cannot be read; the first: Cannot decode the record as Avro [^;]*\n/);
      const alone = await outputOf(command(folder, [new URL("scripts/map.ts", ROOT).pathname], env));
      assert.match(
        alone,
        /\n1000 records: (1000 interaction, 0 nothing, 0|999 interaction, 0 nothing, 1) rejected\n/,
      );
      // A busy machine may take longer to answer than a service should.
      const patience = { ...JSON.parse(suggested), http: { answerTimeoutMs: 60_000 } };
      await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify(patience));
      await using service = task(run.replace(":8080", ":0")).spawn();
      const told = service.stderr.pipeThrough(new TextDecoderStream());
      const url = await waitFor(told, /HTTP at (http:\S+),/);
      const [, body = ""] = /--json '(.*)'$/.exec(ask) ?? [];
      assert.ok(ask.startsWith("curl -sS http://127.0.0.1:8080/v1/recommend"));
      const headers = { "content-type": "application/json" };
      let answer: { readonly items?: readonly unknown[]; readonly request?: string } = {};
      await until(async () => {
        answer = await (await fetch(`${url}/v1/recommend`, { method: "POST", headers, body })).json();
        return answer.items?.length === 3;
      }, "the clicks have been read");
      service.kill("SIGTERM");
      await service.stdout.cancel();
      assert.equal((await service.status).code, 0);
      await told.cancel();
      await using log = await openLog(broker);
      const topic = topicNames().recommendations;
      const { partitions = 0 } = await log.identify(topic) ?? {};
      const lists = await Promise.all(times(partitions, (p) => Array.fromAsync(readAll(log, topic, p))));
      const decoded = lists.flat().map(({ value }) => decodeRecommendation(value ?? new Uint8Array()));
      assert.ok(decoded.some((one) => one.ok && one.recommendation.request === answer.request));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
