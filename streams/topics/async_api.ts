/**
 * The AsyncAPI 3 document of a deployment's topics: what other programs may write and read, and what is internal to
 * meander.
 *
 * @module
 */

import { type JsonSchema, jsonSchemas, recordSchema } from "../../src/events/json_schema.ts";
import { JOINED_FIELDS } from "../../src/samples/joined_list.ts";
import { keysOf } from "../../src/values/record.ts";
import { INPUT } from "./delivery.ts";
import { SAMPLES_ENDING, surfaceTopic } from "./surfaces.ts";
import { DEFAULT_PREFIX, topicNames, TOPICS, type Topics } from "./topics.ts";

type Name = keyof Topics;

/** Topics that others write, and that meander reads. */
const WRITTEN_BY_OTHERS: readonly Name[] = ["events", "items"];
/** Topics that others may read: meander writes them. */
const READ_BY_OTHERS: readonly Name[] = ["recommendations", "lists", "rejected"];
/** Outputs of a task, whose records name the event that they result from. */
const OUTPUTS: readonly Name[] = ["recommendations", "lists", "samples"];

/** The channel of the topics of surfaces, which are configured. */
const SURFACE = "surface";
const ON_SURFACE =
  "Answers to requests of one surface, or of all; they are also on `recommendations` (see `surfaceTopics`).";

/** The channel of samples for other programs. */
const OUTCOMES = "outcomes";
const ON_OUTCOMES =
  "Lists with their outcomes, if configured (`outputs.samples`). A record without a value: the user was erased.";

const PREFIX_VARIABLE = "{prefix}";

/**
 * Makes the document.
 *
 * Channels have the address `{prefix}<topic>`. Values of topics that only meander reads are opaque.
 *
 * @param version version of the program
 */
export function asyncApi(version: string): JsonSchema {
  const names = topicNames(PREFIX_VARIABLE);
  const channels: Record<string, JsonSchema> = {};
  const messages: Record<string, JsonSchema> = {};
  for (const topic of keysOf(TOPICS)) {
    channels[topic] = channel(topic, names[topic]);
    messages[topic] = message(topic);
  }
  channels[SURFACE] = surfaceChannel(names.recommendations);
  messages[OUTCOMES] = outcomesMessage();
  channels[OUTCOMES] = {
    ...channel("recommendations", surfaceTopic(names, SAMPLES_ENDING)),
    title: OUTCOMES,
    summary: ON_OUTCOMES,
    messages: { [OUTCOMES]: { $ref: `#/components/messages/${OUTCOMES}` } },
  };
  const operations: Record<string, JsonSchema> = {};
  const given = (action: "receive" | "send", topic: Name) => operation(action, TOPICS[topic].summary, topic);
  for (const topic of WRITTEN_BY_OTHERS) operations[`take_${topic}`] = given("receive", topic);
  for (const topic of READ_BY_OTHERS) operations[`give_${topic}`] = given("send", topic);
  operations[`give_${SURFACE}`] = operation("send", ON_SURFACE, SURFACE, "recommendations");
  operations[`give_${OUTCOMES}`] = operation("send", ON_OUTCOMES, OUTCOMES);
  return {
    asyncapi: "3.0.0",
    info: {
      title: "meander",
      version,
      description:
        "Topics of a deployment on Kafka. Write to `events` and `items`, read `recommendations`, `lists`, " +
        "`rejected`, and topics of surfaces and outcomes; the others are internal, and their values may change with " +
        "a release. If the configuration has `outputs`, `lists` and the topics of surfaces are Avro or Protobuf in " +
        "Confluent's wire format instead, as outcomes always are; the schemas here describe decoded values. Read " +
        "with the isolation level read_committed if delivery is exactly-once.",
      license: { name: "Apache 2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    defaultContentType: "application/json",
    channels,
    operations,
    components: { messages, schemas: schemas() },
  };
}

/** The published schemas, without the keywords that only a schema's own document has. */
function schemas(): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(jsonSchemas()).map(([name, { $comment: _, $schema: __, ...schema }]) => [name, schema]),
  );
}

function channel(topic: Name, address: string): JsonSchema {
  const { summary, isSingle, cleanup } = TOPICS[topic];
  return {
    address,
    title: topic,
    summary,
    parameters: {
      prefix: { description: "The value of `--prefix`.", default: DEFAULT_PREFIX },
    },
    messages: { [topic]: { $ref: `#/components/messages/${topic}` } },
    bindings: {
      kafka: {
        bindingVersion: "0.5.0",
        ...(isSingle ? { partitions: 1 } : {}),
        topicConfiguration: { "cleanup.policy": [cleanup] },
      },
    },
  };
}

/** The topics of surfaces, which consumers read instead of all recommendations. */
function surfaceChannel(recommendations: string): JsonSchema {
  const own = channel("recommendations", surfaceTopic({ recommendations }, "{ending}"));
  const parameters = {
    ...own["parameters"] as JsonSchema, // of `channel()`
    ending: { description: "The ending that `surfaceTopics` gives the surface." },
  };
  return { ...own, title: SURFACE, summary: ON_SURFACE, parameters };
}

function message(topic: Name): JsonSchema {
  const { summary, key, value } = TOPICS[topic];
  const isBinary = value === "binary";
  return {
    name: topic,
    summary,
    contentType: isBinary ? "application/octet-stream" : "application/json",
    payload: isBinary || value === "json" ? {} : { $ref: `#/components/schemas/${value}` },
    ...(OUTPUTS.includes(topic) ? { headers: inputHeader() } : {}),
    ...(key === null ? {} : {
      bindings: {
        kafka: { bindingVersion: "0.5.0", key: { type: "string", description: `Key: ${key}.` } },
      },
    }),
  };
}

function outcomesMessage(): JsonSchema {
  return {
    ...message("samples"),
    name: OUTCOMES,
    summary: ON_OUTCOMES,
    payload: recordSchema(Object.entries(JOINED_FIELDS)),
  };
}

function inputHeader(): JsonSchema {
  return {
    type: "object",
    required: [INPUT],
    properties: {
      [INPUT]: {
        type: "string",
        pattern: "^\\d+/\\d+/\\d+$",
        description:
          "`<partition>/<offset>/<index>`: the event that the record results from, and its index among the outputs " +
          "of that event. A record with the same value again is a repeat.",
      },
    },
  };
}

function operation(
  action: "receive" | "send",
  summary: string,
  channel: string,
  message: string = channel,
): JsonSchema {
  return {
    action,
    summary,
    channel: { $ref: `#/channels/${channel}` },
    messages: [{ $ref: `#/channels/${channel}/messages/${message}` }],
  };
}
