import assert from "node:assert/strict";
import { Ajv } from "ajv";
import specification from "@asyncapi/specs/schemas/3.0.0-without-$id.json" with { type: "json" };
import { asyncApi } from "../../streams/topics/async_api.ts";
import { SAMPLES_ENDING, surfaceTopicSpecs } from "../../streams/topics/surfaces.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

// deno-lint-ignore no-explicit-any -- a document of any shape
type Any = any;
const document = JSON.parse(JSON.stringify(asyncApi("1.2.3"))) as Any;
const check = new Ajv({ strict: false, validateFormats: false }).compile(specification);
const faultsOf = (value: Any) => check(value) ? [] : check.errors;

Deno.test("asyncApi() is a document of AsyncAPI 3, and the specification would notice if it were not", () => {
  assert.deepEqual(faultsOf(document), []);
  assert.ok(
    !JSON.stringify(document).includes("schemaFormat"),
    "AsyncAPI's own parser knows JSON Schema alone",
  );
  const broken = structuredClone(document);
  broken.channels.items.bindings.kafka.partitions = "one";
  assert.notDeepEqual(faultsOf(broken), []);
});

Deno.test("asyncApi() has every topic as it is created, those of surfaces and of samples for others too", () => {
  const topics = topicNames("{prefix}");
  const specs = [
    ...topicSpecs(topics, 4),
    ...surfaceTopicSpecs(topics, 4, { home: "{ending}", [""]: SAMPLES_ENDING }),
  ];
  const channels = Object.values(document.channels).map(({ address, bindings }: Any) => ({
    name: address,
    partitions: bindings.kafka.partitions ?? 4,
    cleanup: bindings.kafka.topicConfiguration["cleanup.policy"][0],
  }));
  assert.deepEqual(channels, specs);
});

Deno.test("asyncApi() refers to what is there", () => {
  let references = 0;
  JSON.stringify(document, (key, value) => {
    if (key !== "$ref") return value;
    references++;
    const [root, ...path] = value.split("/");
    assert.equal(root, "#");
    assert.ok(path.reduce((at: Any, part: string) => at?.[part], document), value);
    return value;
  });
  assert.ok(references > 20);
});
