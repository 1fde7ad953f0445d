/** Topics of Avro and Protobuf, with references and evolved schemas, and of JSON, by a real registry. */

import assert from "node:assert/strict";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { openOutputs } from "../../streams/formats/output_settings.ts";
import { SchemaRegistry } from "../../streams/formats/schema_registry.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { sourceAdapter } from "../../streams/sources/adapters.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { hasApicurio, startApicurio } from "./apicurio.ts";
import { PERSON, SHOP, WRITTEN } from "./shop_proto.ts";

const TIME = Date.UTC(2026, 10, 27, 10);
const LIST = {
  ...{ request: "r1", user: "ann", time: TIME, model: "base", version: 1, stateVersion: 2, tookMicros: 300 },
  items: [{ item: "A1", score: 0.5, position: 0, propensity: 1, source: "popular" }],
};
const text = (value: string) => [value.length * 2, ...new TextEncoder().encode(value)];

Deno.test({
  name:
    "topics of Avro, Protobuf and JSON are fed by the schemas of a real registry, to the record, and lists given by ours",
  ignore: !await hasApicurio(),
  async fn() {
    await using registry = await startApicurio();
    const schema = (fields: readonly object[]) =>
      JSON.stringify({ type: "record", name: "Click", namespace: "com.shop", fields });
    const person = {
      type: "record",
      name: "Person",
      namespace: "com.shop",
      fields: [{ name: "id", type: "string" }],
    };
    const who = { name: "who", type: "com.shop.Person" }, sku = { name: "sku", type: "string" };
    await registry.register("person-value", { schema: JSON.stringify(person) });
    const references = [{ name: "com.shop.Person", subject: "person-value", version: 1 }];
    const first = await registry.register("clicks-value", { schema: schema([who, sku]), references });
    const evolved = await registry.register("clicks-value", {
      schema: schema([{ name: "page", type: ["null", "string"], default: null }, who, sku]),
      references,
    });
    const json = await registry.register("likes-value", {
      schemaType: "JSON",
      schema: JSON.stringify({
        $schema: "http://json-schema.org/draft-07/schema#",
        type: "object",
        properties: {},
      }),
    });
    await registry.register("people", { schemaType: "PROTOBUF", schema: PERSON });
    const imported = [{ name: "people/person.proto", subject: "people", version: 1 }];
    const shop = await registry.register("seen-value", {
      ...{ schemaType: "PROTOBUF", schema: SHOP },
      references: imported,
    });
    const later = await registry.register("seen-value", {
      schemaType: "PROTOBUF",
      schema: SHOP.replace("message Line {", "google.protobuf.BoolValue last = 33; message Line {"),
      references: imported,
    });
    assert.equal(new Set([first, evolved, json, shop, later]).size, 5);
    const framed = (id: number, body: readonly number[]) => {
      const bytes = new Uint8Array(5 + body.length);
      new DataView(bytes.buffer).setUint32(1, id);
      bytes.set(body, 5);
      return bytes;
    };
    const like = new TextEncoder().encode('{"who": {"id": "cid"}, "sku": "A3"}');
    const values = [
      ...Array.from({ length: 10 }, () => framed(first, [...text("ann"), ...text("A1")])),
      ...Array.from(
        { length: 5 },
        () => framed(evolved, [2, ...text("home"), ...text("bob"), ...text("A2")]),
      ),
      ...Array.from({ length: 3 }, () => framed(json, [...like])),
      ...Array.from({ length: 4 }, () => framed(shop, [2, 2, ...WRITTEN])),
      ...Array.from({ length: 2 }, () => framed(later, [2, 2, ...WRITTEN, 0x8a, 2, 2, 8, 1])),
      framed(shop, [2, 2, ...WRITTEN.slice(0, 30)]),
      framed(12_345, []),
    ];
    const source = compileSource("clicks", {
      format: "registry",
      registry: { url: registry.url },
      rules: [{
        as: "interaction",
        fields: { user: "who.id", item: "sku", action: { value: "click" }, surface: "page" },
      }],
    });
    const topics = topicNames();
    await using log = new MemoryLog();
    await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
    await log.append(values.map((value) => ({ topic: "clicks", key: null, value, time: TIME })));
    await using feeder = await TopicFeeder.open(log, topics, {
      log,
      topic: "clicks",
      format: sourceAdapter(source),
    });
    while (await feeder.feed() > 0);
    for (const format of ["avro", "protobuf"] as const) {
      const settings = { format, registry: { url: registry.url }, subject: `lists-${format}` };
      await assert.rejects(openOutputs({ ...settings, register: false }), /it is not there/);
      const [first, again] = [
        (await openOutputs({ ...settings, samples: true })).encodeLists,
        (await openOutputs({ ...settings, register: false, samples: true })).encodeLists,
      ];
      assert.deepEqual(first(LIST), again(LIST));
      const lists = new SchemaRegistry({ url: registry.url });
      await lists.ready(first(LIST));
      const parsed = lists.read(first(LIST));
      const { user, items } = (parsed.ok ? parsed.value : parsed) as typeof LIST;
      assert.deepEqual([user, items[0]?.item], ["ann", "A1"]);
    }
    assert.deepEqual([feeder.events, feeder.rejected, feeder.firstRejection?.code], [
      24,
      2,
      "undecodable",
    ]);
  },
});
