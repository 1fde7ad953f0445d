/**
 * Options of a source whose records are mapped: which of them become what, and where their fields are.
 *
 * @module
 */

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
  /** Paths or templates; the first counts that gives a value, no empty text, which `values` does not drop. */
  readonly first?: readonly string[] | undefined;
  /** The same for every record. */
  readonly value?: Scalar | undefined;
  /** A text with paths in braces: `{type}-{id}`; without a value when one of them has none. */
  readonly template?: string | undefined;
  /** An expression of JMESPath on the record, or on the entry of the list that a rule goes through. */
  readonly expression?: string | undefined;
  /** What stands for what; `*` for anything else, null for nothing. */
  readonly values?: Readonly<Record<string, Scalar>> | undefined;
  /** The value where there is none. */
  readonly default?: Scalar | undefined;
  /** Unit of a time. @default {"any"} */
  readonly unit?: TimeUnit | undefined;
  /** What separates the entries of a text that is a list. */
  readonly split?: string | undefined;
  /** What an attribute is taken as. @default {"any"} */
  readonly as?: "any" | "text" | "number" | "flag" | undefined;
  /** Names that are left out of an object. */
  readonly except?: readonly string[] | undefined;
}

/** A path, or more than that. */
export type ValueSpec = string | ValueSettings;

/** What a value has to be; all that is said must hold. */
export interface ConditionSettings {
  /** One of these. */
  readonly is?: readonly Scalar[] | undefined;
  /** None of these. */
  readonly not?: readonly Scalar[] | undefined;
  /** Whether there is one. */
  readonly exists?: boolean | undefined;
  /** A text that begins so. */
  readonly startsWith?: string | undefined;
  /** A text that ends so. */
  readonly endsWith?: string | undefined;
  /** A number above this. */
  readonly above?: number | undefined;
  /** A number below this. */
  readonly below?: number | undefined;
}

/** A scalar that a value must equal (`null` = it must be missing), several of which it must equal one, or further tests. */
export type ConditionSpec = Scalar | readonly Scalar[] | ConditionSettings;

/** What a rule makes of a record: a type of event, an item, the removal of one, or nothing. */
export type RuleResult = Event["type"] | "item" | "removal" | "nothing";

/** All of them. */
export const RULE_RESULTS: readonly RuleResult[] = [...keysOf(EVENT_FIELDS), "item", "removal", "nothing"];

/** What becomes of some records. */
export interface RuleSettings {
  /** What messages call it. @default {its place} */
  readonly name?: string | undefined;
  /** Tests by path, all of which must hold. */
  readonly when?: Readonly<Record<string, ConditionSpec>> | undefined;
  /** What a record becomes. */
  readonly as: RuleResult | undefined;
  /** Path of a list of which each entry becomes one; the paths of its fields begin with `@`. */
  readonly each?: string | undefined;
  /** Fields of what it becomes, by name. */
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
  /** The first rule that holds makes of a record what it says. */
  readonly rules?: readonly RuleSettings[] | undefined;
  /** What becomes of a record for which no rule holds. @default {"reject"} */
  readonly otherwise?: "reject" | "skip" | undefined;
}

const NONE = absent("none");

const VALUE_OPTIONS = {
  path: text(NONE, "where it is"),
  first: list(
    text<string>("", ""),
    {},
    "paths or templates, of which the first counts that is there, not empty and not dropped by `values`",
  ),
  value: scalar("the same for every record"),
  template: text(NONE, "a text with paths in braces, `{type}-{id}`"),
  expression: text(NONE, "JMESPath, on the record or on the entry of `each`"),
  values: by(scalar(""), "what stands for what; `*` for all else, `null` for nothing"),
  default: scalar("what it is where there is none"),
  unit: choice(TIME_UNITS, "any", "of a time; `any` tells numbers by their size, and takes dates"),
  split: text(NONE, "what separates the entries of a text that is a list"),
  as: choice(["any", "text", "number", "flag"], "any", "what an attribute is taken as"),
  except: list(text<string>("", ""), {}, "names that are left out of an object"),
} satisfies OptionsOf<ValueSettings>;

const CONDITION_OPTIONS = {
  is: list(scalar(""), { minimum: 1 }, "one of these"),
  not: list(scalar(""), { minimum: 1 }, "none of these"),
  exists: flag(NONE, "whether there is one"),
  startsWith: text(NONE, "a text that begins so"),
  endsWith: text(NONE, "a text that ends so"),
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
    "path of a list, each entry of which becomes an event or item; paths of fields call the entry `@`",
  ),
  fields: by(value, "by name: a path, or how to get the value"),
  attributes: by(value, "by name: a path, or how to get the value"),
  context: by(value, "by name: a path, or how to get the value"),
  goOn: flag(false, "whether later rules apply too"),
} satisfies OptionsOf<RuleSettings>;

// A group types each option as one that may be absent; `as` is wanted, so it is there.
const rule = group(RULE_OPTIONS) as unknown as Option<RuleSettings>;

/** The options of {@linkcode MappingSettings}. */
export const MAPPING_OPTIONS = {
  record: list(
    text<string>("", ""),
    {},
    "paths at which the record may be within the message; the first that exists counts",
  ),
  parse: list(text<string>("", ""), {}, "paths of texts that are JSON, or base64 of it"),
  rules: list(rule, { maximum: 200 }, "the first rule that matches says what a record becomes"),
  otherwise: choice(["reject", "skip"], "reject", "what becomes of a record that no rule matches"),
} satisfies OptionsOf<MappingSettings>;
