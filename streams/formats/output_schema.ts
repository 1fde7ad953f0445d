/**
 * Avro and Protobuf schemas of records for other programs, made from the same fields as the JSON Schemas.
 *
 * Fields added later are optional, with numbers never used before, so that readers with an older schema keep working.
 * The meaning of fields is left to the JSON Schema, so that a new wording does not make a new schema.
 */

import type { Kind, NamedFields } from "../../src/events/field.ts";
import { RECOMMENDATION_FIELDS } from "../../src/events/recommendation_schema.ts";
import { JOINED_FIELDS } from "../../src/samples/joined_list.ts";

/** The fields of these records, by the name of their type. */
export const GIVEN = {
  Recommendation: Object.entries(RECOMMENDATION_FIELDS),
  Sample: Object.entries(JOINED_FIELDS),
} as const satisfies Readonly<Record<string, NamedFields>>;

export type Given = keyof typeof GIVEN;

/** The package of the Protobuf types, and the namespace of the Avro ones. */
export const PACKAGE = "meander";

/** Fields by type, in the order of their numbers in Protobuf from 1: add names at the end, and remove none. */
const NUMBERED: Readonly<Record<string, readonly string[]>> = {
  Recommendation: (
    "request user time items model version orderedBy scoreKind modelShare stateVersion experiment variant exposures " +
    "shadows others empty degraded tookMicros phase"
  ).split(" "),
  RecommendationItems: ["item", "score", "position", "propensity", "source", "team", "order"],
  RecommendationExposures: ["experiment", "variant", "phase"],
  RecommendationShadows: ["variant", "model", "version", "items"],
  RecommendationShadowsItems: ["item", "score", "order"],
  RecommendationOthers: ["item", "score", "order"],
  Sample: "request user time closedTime purpose model version exposures items history".split(" "),
  SampleExposures: ["experiment", "variant", "phase"],
  SampleItems: ["item", "position", "propensity", "prediction", "label", "reward"],
  SampleHistory: ["item", "action", "time", "strength"],
};

/** The number of a field in Protobuf. @throws TypeError when it has none yet */
export function numberOf(type: string, field: string): number {
  const index = NUMBERED[type]?.indexOf(field) ?? -1;
  if (index >= 0) return index + 1;
  throw new TypeError(`Cannot number ${field} of ${type}: add it at the end of its type`);
}

export function typeWithin(type: string, field: string): string {
  return `${type}${field.slice(0, 1).toUpperCase()}${field.slice(1)}`;
}

/** The Avro schema of a record, as JSON. */
export function avroSchema(of: Given = "Recommendation"): object {
  return avroRecord(of, GIVEN[of]);
}

function avroRecord(name: string, fields: NamedFields): object {
  return {
    type: "record",
    name,
    ...(Object.hasOwn(GIVEN, name) ? { ["namespace"]: PACKAGE } : {}),
    fields: fields.map(([field, { about: _, optional, ...kind }]) => {
      const type = avroType(kind, typeWithin(name, field));
      return optional ? { name: field, type: ["null", type], default: null } : { name: field, type };
    }),
  };
}

function avroType(kind: Kind, name: string): unknown {
  switch (kind.kind) {
    case "string":
    case "choice": // no enum: readers of Avro reject symbols that are added later
      return "string";
    case "number":
      return "double";
    case "integer":
      return "long";
    case "time":
      return { type: "long", logicalType: "timestamp-millis" };
    case "boolean":
      return "boolean";
    case "list":
      return { type: "array", items: avroType(kind.of, name) };
    case "object":
      return avroRecord(name, kind.fields);
    default:
      throw new TypeError(`Cannot take ${kind.kind} as a type of Avro`);
  }
}

/** The schema of a record as a Protobuf file, of which it is the first type. */
export function protobufSchema(of: Given = "Recommendation"): string {
  const types: string[] = [];
  addType(of, GIVEN[of], types);
  return `syntax = "proto3";\n\npackage ${PACKAGE};\n\n${types.join("\n")}`;
}

function addType(name: string, fields: NamedFields, into: string[]): void {
  const place = into.push("") - 1; // nested types come after it
  const lines = fields.map(([field, kind]) => {
    const of = kind.kind === "list" ? kind.of : kind;
    const within = typeWithin(name, field);
    if (of.kind === "object") addType(within, of.fields, into);
    const rule = kind.kind === "list" ? "repeated " : kind.optional ? "optional " : "";
    const type = of.kind === "object" ? within : protobufType(of);
    return `  ${rule}${type} ${field} = ${numberOf(name, field)};\n`;
  });
  into[place] = `message ${name} {\n${lines.join("")}}\n`;
}

function protobufType({ kind }: Kind): string {
  switch (kind) {
    case "string":
    case "choice":
      return "string";
    case "number":
      return "double";
    case "integer":
    case "time":
      return "int64";
    case "boolean":
      return "bool";
    default:
      throw new TypeError(`Cannot take ${kind} as a type of Protobuf`);
  }
}
