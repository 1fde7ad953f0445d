/**
 * In which format lists are given to others: on `lists`, and on topics of surfaces. What meander reads itself,
 * `recommendations` among it, is as it was.
 *
 * @module
 */

import type { Recommendation } from "../../src/events/recommendation.ts";
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
import { avroSchema, protobufSchema } from "./output_schema.ts";
import { RegistryClient, type RegistryContext, RegistryError } from "./registry_client.ts";
import { REGISTRY_OPTIONS, type RegistrySettings } from "./registry_settings.ts";

/** How lists are given. */
export interface OutputSettings {
  /** The format; its schema is in a registry. */
  readonly format: "avro" | "protobuf" | undefined;
  /** The registry. */
  readonly registry: RegistrySettings | undefined;
  /** Subject of the schema. @default {"meander.Recommendation"} */
  readonly subject?: string | undefined;
  /** Whether to register the schema where it is not; otherwise it must be there. @default {true} */
  readonly register?: boolean | undefined;
}

const OUTPUT_OPTIONS = {
  format: choice(["avro", "protobuf"], "avro", "the format, in Confluent's wire format"),
  registry: group(REGISTRY_OPTIONS) as unknown as Option<RegistrySettings | undefined>,
  subject: text<string>("meander.Recommendation", "what the schema is registered as"),
  register: flag(true, "whether to register it where it is not there; otherwise it must be"),
} satisfies OptionsOf<OutputSettings>;

/** The option of {@linkcode OutputSettings}; absent, lists are JSON. */
export const OUTPUTS: Option<OutputSettings | undefined> = orAbsent(
  group(
    OUTPUT_OPTIONS,
    "format of lists for others, on `lists` and on the topics of `surfaceTopics`; see [topics](topics.md#lists)",
  ),
) as unknown as Option<OutputSettings | undefined>;

/** Encodes a recommendation as the value of a record. */
export type OutputEncoder = (recommendation: Recommendation) => Uint8Array;

const encoder = new TextEncoder();

/** As JSON. */
export const encodeAsJson: OutputEncoder = (recommendation) => encoder.encode(JSON.stringify(recommendation));

/**
 * What encodes lists in the format of the settings, with the id that the registry has for its schema.
 *
 * @throws RegistryError when the registry cannot be asked, does not have the schema and may not, or has an earlier one
 * that it does not go with
 */
export async function openOutputs(
  settings: OutputSettings | undefined,
  context: RegistryContext = {},
): Promise<OutputEncoder> {
  if (settings === undefined) return encodeAsJson;
  const { format, registry, subject, register } = settle(OUTPUT_OPTIONS, settings);
  using client = new RegistryClient(registry ?? { url: undefined }, context);
  const schema = format === "avro"
    ? { schema: JSON.stringify(avroSchema()) }
    : { schema: protobufSchema(), schemaType: "PROTOBUF" };
  const path = `/subjects/${encodeURIComponent(subject)}`;
  const there = await client.ask<{ readonly id: number }>(path, schema);
  const id = there?.id ?? await registered(client, path, { subject, schema, register });
  const encode = format === "avro" ? avroEncoder() : protobufEncoder();
  return (recommendation) => {
    const body = encode(recommendation);
    const bytes = new Uint8Array(5 + body.length);
    new DataView(bytes.buffer).setUint32(1, id);
    bytes.set(body, 5);
    return bytes;
  };
}

async function registered(
  client: RegistryClient,
  path: string,
  { subject, schema, register }: {
    readonly subject: string;
    readonly schema: object;
    readonly register: boolean;
  },
): Promise<number> {
  const cannot = (why: string) =>
    new RegistryError(
      `Cannot give lists by the schema ${subject} of the registry ${client.url}: ${why}`,
      false,
    );
  if (!register) throw cannot("it is not there, and outputs.register is off");
  const latest = `/compatibility${path}/versions/latest`;
  const checked = await client.ask<{ readonly is_compatible?: boolean }>(latest, schema);
  if (checked?.is_compatible === false) {
    throw cannot("ours does not go with the last one there; name another outputs.subject");
  }
  const made = await client.ask<{ readonly id?: number }>(`${path}/versions`, schema);
  if (made?.id === undefined) throw cannot("it gives no id for ours");
  return made.id;
}
