/**
 * The format of lists for other programs, on `lists` and on topics of surfaces. Topics that meander itself reads,
 * such as `recommendations`, are not affected.
 */

import type { Recommendation } from "../../src/events/recommendation.ts";
import { joinedList } from "../../src/samples/joined_list.ts";
import type { Sample } from "../../src/samples/sample.ts";
import {
  choice,
  flag,
  group,
  type Option,
  type OptionsOf,
  orAbsent,
  settle,
  text,
} from "../../src/options/option.ts";
import { avroEncoder, protobufEncoder } from "./output_encoder.ts";
import { avroSchema, type Given, protobufSchema } from "./output_schema.ts";
import { RegistryClient, type RegistryContext, RegistryError } from "./registry_client.ts";
import { REGISTRY_OPTIONS, type RegistrySettings } from "./registry_settings.ts";

/** How lists are written for other programs. */
export interface OutputSettings {
  /** The format, whose schema is in a registry. */
  readonly format: "avro" | "protobuf" | undefined;
  /** The registry. */
  readonly registry: RegistrySettings | undefined;
  /**
   * Subject of each schema: `{record}` stands for `Recommendation` or `Sample`, `{topic}` for the name of the topic.
   *
   * @default {"meander.{record}"}
   */
  readonly subject?: string | undefined;
  /** Whether to register the schema when it is missing; otherwise it must exist. @default {true} */
  readonly register?: boolean | undefined;
  /** Whether lists with their outcomes are written too. @default {false} */
  readonly samples?: boolean | undefined;
}

const OUTPUT_OPTIONS = {
  format: choice(["avro", "protobuf"], "avro", "format of records, in Confluent's wire format"),
  registry: group(REGISTRY_OPTIONS) as unknown as Option<RegistrySettings | undefined>, // all or none
  subject: text<string>(
    "meander.{record}",
    "subject of each schema: `{record}` is `Recommendation` or `Sample`, `{topic}` the topic, as in `{topic}-value`",
  ),
  register: flag(true, "whether to register schemas that the registry lacks; otherwise they must exist"),
  samples: flag(false, "whether lists with their outcomes are written too, to `recommendations.samples`"),
} satisfies OptionsOf<OutputSettings>;

/** The option of {@linkcode OutputSettings}; absent, lists are JSON. */
export const OUTPUTS: Option<OutputSettings | undefined> = orAbsent(
  group(
    OUTPUT_OPTIONS,
    "format of `lists` and of the topics of `surfaceTopics`, instead of JSON; see [topics](topics.md#lists)",
  ),
) as unknown as Option<OutputSettings | undefined>; // a group types every option as optional

/** Encodes a recommendation as the value of a record of a topic. */
export type OutputEncoder = (recommendation: Recommendation, topic: string) => Uint8Array;

const encoder = new TextEncoder();

export function encodeAsJson(recommendation: Recommendation): Uint8Array {
  return encoder.encode(JSON.stringify(recommendation));
}

/** Encoders of records for other programs. */
export interface Outputs {
  readonly encodeLists: OutputEncoder;
  /** Encodes samples of lists, `null` = the sample has no list; absent = samples are not written. */
  readonly encodeSamples?: ((sample: Sample) => Uint8Array | null) | undefined;
}

/** Whether lists and samples share a subject, under which no registry accepts two schemas. */
export function isOneSubject({ samples, subject }: OutputSettings): boolean {
  return samples === true && subject !== undefined && !/\{(record|topic)\}/.test(subject);
}

/**
 * Makes encoders of lists and samples in the format of the settings, with the registry's ids for their schemas.
 *
 * @param topics those of lists, and that of samples
 * @throws RegistryError when the registry cannot be reached, lacks a schema that may not be registered, or has an
 * incompatible earlier one
 */
export async function openOutputs(
  settings: OutputSettings | undefined,
  topics: { readonly lists: readonly string[]; readonly samples: string },
  context: RegistryContext = {},
): Promise<Outputs> {
  if (settings === undefined) return { encodeLists: encodeAsJson };
  const { format, registry, subject, register, samples } = settle(OUTPUT_OPTIONS, settings);
  using client = new RegistryClient(registry ?? { url: undefined }, context);
  const open = async (of: Given, into: readonly string[]) => {
    const schema = format === "avro"
      ? { schema: JSON.stringify(avroSchema(of)) }
      : { schema: protobufSchema(of), schemaType: "PROTOBUF" };
    const ids = new Map<string, number>();
    for (const topic of into) {
      const own = subject.replaceAll("{record}", of).replaceAll("{topic}", topic);
      ids.set(topic, await idOf(client, { subject: own, schema, register }));
    }
    const encode = await (format === "avro" ? avroEncoder(of) : protobufEncoder(of));
    return (value: object, topic: string) => {
      const body = encode(value);
      const bytes = new Uint8Array(5 + body.length);
      new DataView(bytes.buffer).setUint32(1, ids.get(topic)!);
      bytes.set(body, 5);
      return bytes;
    };
  };
  const encodeLists: OutputEncoder = await open("Recommendation", topics.lists);
  if (!samples) return { encodeLists };
  const encode = await open("Sample", [topics.samples]);
  return {
    encodeLists,
    encodeSamples(sample) {
      const list = joinedList(sample);
      return list && encode(list, topics.samples);
    },
  };
}

/** The id of a schema; a missing one is registered if it may be. */
async function idOf(
  client: RegistryClient,
  { subject, schema, register }: {
    readonly subject: string;
    readonly schema: object;
    readonly register: boolean;
  },
): Promise<number> {
  const path = `/subjects/${encodeURIComponent(subject)}`;
  const there = await client.ask<{ readonly id: number }>(path, schema);
  if (there !== null) return there.id;
  const cannot = (why: string) =>
    new RegistryError(
      `Cannot write lists by the schema ${subject} of the registry ${client.url}: ${why}`,
      false,
    );
  if (!register) throw cannot("it is missing, and outputs.register is off");
  const latest = `/compatibility${path}/versions/latest`;
  const checked = await client.ask<{ readonly is_compatible?: boolean }>(latest, schema);
  if (checked?.is_compatible === false) {
    throw cannot("our schema is incompatible with its latest version; set another outputs.subject");
  }
  const made = await client.ask<{ readonly id?: number }>(`${path}/versions`, schema);
  if (made?.id === undefined) throw cannot("the registry returned no id for our schema");
  return made.id;
}
