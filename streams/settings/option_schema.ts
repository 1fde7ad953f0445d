/** Declared options as zod schemas; undeclared ones are errors. */

import { z } from "zod";
import type { Bounds, Declared, Given, Option, OptionKind, Reach } from "../../src/options/option.ts";

export function optionsSchema<D extends Declared>(declared: D): z.ZodObject & z.ZodType<Given<D>> {
  const shape = Object.entries(shapeOf(declared)).map(([name, schema]) => [
    name,
    declared[name]?.isWanted ? schema : schema.optional(),
  ]);
  return z.strictObject(Object.fromEntries(shape)) as never; // has the names of `declared`
}

/** Schemas by name, to be part of a larger object. */
export function shapeOf<D extends Declared>(
  declared: D,
): { readonly [K in keyof D]: z.ZodType<D[K]["value"]> } {
  return Object.fromEntries(
    Object.entries(declared).map(([name, option]) => [name, optionSchema(option)]),
  ) as never; // has the names of `declared`
}

/** The schema of an option, with its meaning and its default for editors and for docs/reference/configuration.md. */
export function optionSchema<T>(
  { kind, isNullable, reach, about, value, words }: Option<T>,
): z.ZodType<T> {
  const own = kindSchema(kind);
  const bareSchema = isNullable ? own.nullable() : own;
  const schema = reach === undefined ? bareSchema : reaching(bareSchema, reach);
  if (about === "") return schema as never; // its kind matches `value`
  const bare = value === undefined ? {} : { default: value };
  const fallback = words === undefined ? bare : { "x-default": words };
  return schema.meta({ description: about, ...fallback }) as never; // as above
}

/** Declares how far a change of a field or section reaches; a section's fields inherit that unless they declare it. */
export function reaching<Schema extends z.ZodType>(schema: Schema, reach: Reach): Schema {
  return schema.meta({ "x-reach": reach }) as Schema; // only its metadata differs
}

function kindSchema(kind: OptionKind): z.ZodType {
  switch (kind.kind) {
    case "number":
      return bounded(kind.isInteger ? z.int() : z.number(), kind.bounds);
    case "flag":
      return z.boolean();
    case "choice":
      return z.enum(kind.of);
    case "text": {
      const text = z.string().min(kind.minLength);
      if (kind.pattern !== undefined) {
        return text.regex(new RegExp(kind.pattern.source), kind.pattern.message);
      }
      return kind.maxLength === Infinity ? text : text.max(kind.maxLength);
    }
    case "list": {
      const bare = z.array(kindSchema(kind.of)).min(kind.minItems);
      const list = kind.maxItems === Infinity ? bare : bare.max(kind.maxItems);
      return kind.unique === true ? differing(list) : list;
    }
    case "group":
      return optionsSchema(kind.of);
    case "switch":
      return z.union([z.boolean(), optionsSchema(kind.of)]);
    case "texts":
      return z.record(z.string(), z.string());
    case "by-name":
      return z.record(z.string(), kindSchema(kind.of));
    case "scalar":
      return z.union([z.string(), z.number(), z.boolean(), z.null()]);
    case "either":
      return z.union(kind.of.map(kindSchema));
    case "forbidden":
      return z.never({ error: kind.message });
  }
}

/** Requires the entries of a list to be distinct. */
function differing(list: z.ZodArray): z.ZodType {
  return list.superRefine((entries, context) => {
    for (const [at, entry] of entries.entries()) {
      if (entries.indexOf(entry) < at) {
        context.addIssue({ code: "custom", path: [at], message: `"${entry}" appears twice` });
      }
    }
  }).meta({ uniqueItems: true });
}

function bounded(schema: z.ZodNumber, { minimum, maximum, above, below }: Bounds): z.ZodNumber {
  let bounded = schema;
  if (minimum !== undefined) bounded = bounded.min(minimum);
  if (above !== undefined) bounded = bounded.gt(above);
  if (maximum !== undefined) bounded = bounded.max(maximum);
  if (below !== undefined) bounded = bounded.lt(below);
  return bounded;
}
