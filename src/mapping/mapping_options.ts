/** Options of a source with mapped records: what each record becomes, and where its fields are. */

import type { Event } from "../events/event.ts";
import { EVENT_FIELDS } from "../events/schema.ts";
import {
  absent,
  by,
  choice,
  either,
  flag,
  group,
  list,
  number,
  type Option,
  type OptionsOf,
  scalar,
  text,
  wanted,
} from "../options/option.ts";
import { keysOf } from "../values/record.ts";
import { TIME_UNITS, type TimeUnit } from "./times.ts";

/** A text, a number, true, false or null. */
export type Scalar = string | number | boolean | null;

/** Where a value comes from (one of the first five fields), and how it is converted. */
export interface ValueSettings {
  /** Its path. */
  readonly path?: string | undefined;
  /** Paths or templates; the first one counts whose value is present, not empty and not dropped by `values`. */
  readonly first?: readonly string[] | undefined;
  /** The same for every record. */
  readonly value?: Scalar | undefined;
  /** A text with paths in braces: `{type}-{id}`; missing when one of them has no value. */
  readonly template?: string | undefined;
  /** A JMESPath expression on the record, or on the entry of the list that a rule iterates over. */
  readonly expression?: string | undefined;
  /** Replacements by value; `*` matches all others, `null` drops the value. */
  readonly values?: Readonly<Record<string, Scalar>> | undefined;
  /** The value when there is none. */
  readonly default?: Scalar | undefined;
  /** Unit of a time. @default {"any"} */
  readonly unit?: TimeUnit | undefined;
  /** What separates the entries of a text that is a list. */
  readonly split?: string | undefined;
  /** Type of an attribute. @default {"any"} */
  readonly as?: "any" | "text" | "number" | "flag" | undefined;
  /** Names that are left out of an object. */
  readonly except?: readonly string[] | undefined;
  /** Whether of equal entries of a list only the first is kept. @default {false} */
  readonly distinct?: boolean | undefined;
}

/** A path, or where a value comes from and how it is converted. */
export type ValueSpec = string | ValueSettings;

/** A condition on a value; all given tests must hold. */
export interface ConditionSettings {
  /** One of these. */
  readonly is?: readonly Scalar[] | undefined;
  /** None of these. */
  readonly not?: readonly Scalar[] | undefined;
  /** Whether there is a value. */
  readonly exists?: boolean | undefined;
  /** The beginning of a text. */
  readonly startsWith?: string | undefined;
  /** The end of a text. */
  readonly endsWith?: string | undefined;
  /** A number above this. */
  readonly above?: number | undefined;
  /** A number below this. */
  readonly below?: number | undefined;
}

/** The scalar that a value must equal (`null` = it must be missing), a list of which it equals one, or further tests. */
export type ConditionSpec = Scalar | readonly Scalar[] | ConditionSettings;

/** What a rule makes of a record: a type of event, an item, the removal of one, or nothing. */
export type RuleResult = Event["type"] | "item" | "removal" | "nothing";

/** All results of rules. */
export const RULE_RESULTS: readonly RuleResult[] = [...keysOf(EVENT_FIELDS), "item", "removal", "nothing"];

/** What some records become. */
export interface RuleSettings {
  /** Name in messages. @default {its place} */
  readonly name?: string | undefined;
  /** Conditions by path. All of them must hold. */
  readonly when?: Readonly<Record<string, ConditionSpec>> | undefined;
  /** What a record becomes. */
  readonly as: RuleResult | undefined;
  /** Path of a list, each entry of which becomes an event or item; paths into the entry begin with `@`. */
  readonly each?: string | undefined;
  /** Fields of the result, by name. */
  readonly fields?: Readonly<Record<string, ValueSpec>> | undefined;
  /** Attributes, by name. */
  readonly attributes?: Readonly<Record<string, ValueSpec>> | undefined;
  /** Context, by name. */
  readonly context?: Readonly<Record<string, ValueSpec>> | undefined;
  /** Whether later rules apply too. @default {false} */
  readonly goOn?: boolean | undefined;
}

/** How records of a source are mapped. */
export interface MappingSettings {
  /** Where the record is in the message: the first of these paths that exists. A list there holds several records. */
  readonly record?: readonly string[] | undefined;
  /** Paths of texts that are JSON, or base64 of it. */
  readonly parse?: readonly string[] | undefined;
  /** Rules; the first that matches determines what a record becomes. */
  readonly rules?: readonly RuleSettings[] | undefined;
  /** What happens to a record that no rule matches. @default {"reject"} */
  readonly otherwise?: "reject" | "skip" | undefined;
}

const NONE = absent("none");

const VALUE_OPTIONS = {
  path: text(NONE, "where it is"),
  first: list(
    text<string>("", ""),
    {},
    "paths or templates; the first one counts whose value is present, not empty and not dropped by `values`",
  ),
  value: scalar("the same for every record"),
  template: text(NONE, "a text with paths in braces, `{type}-{id}`"),
  expression: text(NONE, "JMESPath, on the record or on the entry of `each`"),
  values: by(scalar(""), "replacements by value; `*` matches all others, `null` drops the value"),
  default: scalar("the value when there is none"),
  unit: choice(TIME_UNITS, "any", "of a time; `any` infers it from the size of a number, and accepts dates"),
  split: text(NONE, "what separates the entries of a text that is a list"),
  as: choice(["any", "text", "number", "flag"], "any", "type of an attribute"),
  except: list(text<string>("", ""), {}, "names that are left out of an object"),
  distinct: flag(false, "whether of equal entries of a list only the first is kept"),
} satisfies OptionsOf<ValueSettings>;

const CONDITION_OPTIONS = {
  is: list(scalar(""), { minimum: 1 }, "one of these"),
  not: list(scalar(""), { minimum: 1 }, "none of these"),
  exists: flag(NONE, "whether there is a value"),
  startsWith: text(NONE, "the beginning of a text"),
  endsWith: text(NONE, "the end of a text"),
  above: number(NONE, {}, "a number above this"),
  below: number(NONE, {}, "a number below this"),
} satisfies OptionsOf<ConditionSettings>;

const value = either<ValueSpec>([text(NONE, ""), group(VALUE_OPTIONS)], "");
const condition = either<ConditionSpec>([
  scalar(""),
  list(scalar(""), { minimum: 1 }, ""),
  group(CONDITION_OPTIONS),
], "");

const RULE_OPTIONS = {
  name: text(absent("its place"), "name of the rule in messages"),
  when: by(condition, "what must hold, by path: a value, a list that has the value, or a condition"),
  as: wanted(choice(RULE_RESULTS, "nothing", "what a record becomes")),
  each: text(
    NONE,
    "path of a list, each entry of which becomes an event or item; paths into the entry begin with `@`",
  ),
  fields: by(value, "by name: a path, or how to get the value"),
  attributes: by(value, "by name: a path, or how to get the value"),
  context: by(value, "by name: a path, or how to get the value"),
  goOn: flag(false, "whether later rules apply too"),
} satisfies OptionsOf<RuleSettings>;

// A group types every option as optional; `as` is required, so it is present.
const rule = group(RULE_OPTIONS) as unknown as Option<RuleSettings>;

export const MAPPING_OPTIONS = {
  record: list(
    text<string>("", ""),
    {},
    "paths at which the message may hold the record; the first that exists counts",
  ),
  parse: list(text<string>("", ""), {}, "paths of texts that are JSON, or base64 of it"),
  rules: list(rule, { maximum: 200 }, "the first rule that matches determines what a record becomes"),
  otherwise: choice(["reject", "skip"], "reject", "what happens to a record that no rule matches"),
} satisfies OptionsOf<MappingSettings>;
