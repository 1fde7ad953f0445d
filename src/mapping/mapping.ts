/**
 * Mappings of the records of another system to events and items, by rules. Compiled once; a pure function of the
 * record, so feeding a record again gives the same result.
 *
 * The cost of a record is bounded: it becomes at most {@linkcode MAX_MAPPED} events and items, and takes time in
 * proportion to its size and to that of the rules.
 */

import {
  checkEvent,
  checkEventFields,
  checkItem,
  checkItemFields,
  type DecodedEvent,
  type DecodedItem,
} from "../events/check.ts";
import type { Field, Kind } from "../events/field.ts";
import { nearName, noSuch } from "../events/keys/near_name.ts";
import type { OwnRecord } from "../events/own_record.ts";
import { reject, type Rejected, rejectViolation, shown, within } from "../events/rejected.ts";
import { EVENT_FIELDS, ITEM_FIELDS } from "../events/schema.ts";
import { isRecord } from "../values/record.ts";
import { type Coercion, coercionTo, flagOf, numberOf, textOf } from "./coerce.ts";
import { compileCondition, type Condition } from "./condition.ts";
import { inEntry, MadeRecords, type MappedRecords, MAX_MAPPED } from "./entries.ts";
import { MappingError, placed } from "./mapping_error.ts";
import {
  MAPPING_OPTIONS,
  type MappingSettings,
  type RuleResult,
  type RuleSettings,
  type ValueSpec,
} from "./mapping_options.ts";
import { settle } from "../options/option.ts";
import { compilePath, type Path } from "./path.ts";
import { compileValue, type ExpressionCompiler, type Value } from "./reader.ts";
import { Misfit, type RecordMeta, type Scope } from "./scope.ts";
import { parseTextJson } from "./text_json.ts";

/** A compiled mapping. */
export interface Mapping {
  /**
   * Maps a record, or each record of a list, to events and items. Each record and each entry of `each` is taken or
   * rejected by itself. A tombstone becomes nothing, unless a rule's `when` has `$tombstone`. Does not throw.
   */
  readonly map: (value: unknown, meta: RecordMeta) => MappedRecords;
}

/** What {@linkcode compileMapping} needs in addition to the settings. */
export interface MappingContext {
  /** Compiles expressions. @default {there are none} */
  readonly expressions?: ExpressionCompiler | undefined;
}

/**
 * Compiles a mapping.
 *
 * @throws MappingError with the place in the settings
 */
export function compileMapping(settings: MappingSettings, context: MappingContext = {}): Mapping {
  const { record, parse = [], rules = [], otherwise } = settle(MAPPING_OPTIONS, settings);
  const paths = (record ?? []).map((path, i) => placed(["record", i], () => compilePath(path)));
  const texts = parse.map((path, i) => placed(["parse", i], () => parserOf(path)));
  const compiled = rules.map((rule, i) => compileRule(rule, i, context));
  const ofTombstones = compiled.filter(({ settings }) => Object.hasOwn(settings.when ?? {}, "$tombstone"));
  const mapOne = (own: unknown, meta: RecordMeta, into: MadeRecords): Rejected | undefined => {
    for (const parseText of texts) {
      const rejected = parseText(own, meta);
      if (rejected !== undefined) return rejected;
    }
    const scope = { record: own, element: own, index: 0, meta };
    let isMapped = meta.tombstone === true;
    for (const rule of meta.tombstone ? ofTombstones : compiled) {
      if (!allHold(rule.conditions, scope)) continue;
      const rejected = apply(rule, scope, into);
      if (rejected !== undefined) return rejected;
      isMapped = true;
      if (!rule.goOn) break;
    }
    return isMapped || otherwise === "skip" ? undefined : rejectUnmapped(own, rules);
  };
  return {
    map(value, meta) {
      const into = new MadeRecords();
      for (const [at, wrapped] of listOf(value).entries()) {
        const outer = Array.isArray(value) ? `[${at}]` : "";
        const unwrapped = meta.tombstone ? wrapped : unwrap(wrapped, paths, meta);
        const isList = Array.isArray(unwrapped);
        for (const [i, own] of listOf(unwrapped).entries()) {
          into.begin(isList ? `${outer}[${i}]` : outer);
          const rejected = own === undefined ? rejectWrapped(wrapped, record ?? []) : mapOne(own, meta, into);
          if (rejected !== undefined) into.rejectRecord(inRecord(rejected, into.place));
          if (into.isOver) return into.result();
        }
      }
      return into.result();
    },
  };
}

/** @param place of the record, `[2]`; empty for one that is the whole message */
function inRecord(rejected: Rejected, place: string): Rejected {
  if (place === "") return rejected;
  return inEntry(rejected, `record ${place.slice(place.lastIndexOf("[") + 1, -1)} of the list`);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** The value at the first of some paths that holds an object or a list; without paths, the whole value. */
function unwrap(value: unknown, paths: readonly Path[], meta: RecordMeta): unknown {
  if (paths.length === 0) return value;
  const scope = { record: value, element: value, index: 0, meta };
  for (const { read } of paths) {
    const inner = read(scope);
    if (typeof inner === "object") return inner;
  }
  return undefined;
}

function rejectWrapped(value: unknown, paths: readonly string[]): Rejected {
  return reject(
    "missing-field",
    `Cannot find the record at ${paths.join(" or ")}: current value is ${shown(value)}`,
  );
}

function rejectUnmapped(value: unknown, rules: readonly RuleSettings[]): Rejected {
  const asked = new Set(rules.flatMap(({ when = {} }) => Object.keys(when)));
  const scope = { record: value, element: value, index: 0, meta: {} };
  const states = [...asked].slice(0, 4).map((path) => `${path} is ${shown(compilePath(path).read(scope))}`);
  const state = states.length === 0 ? shown(value) : states.join(", ");
  return reject("unmapped", `Cannot map the record: no rule matches; ${state}`);
}

/** Replaces the text at a path with the JSON that it contains, plain or in base64. */
function parserOf(path: string): (record: unknown, meta: RecordMeta) => Rejected | undefined {
  const names = path.split(".");
  const last = names.pop() ?? "";
  const outer = names.length === 0 ? undefined : compilePath(names.join("."));
  compilePath(path); // rejects names that no record may have
  if (/[[\]]/.test(path)) {
    throw new SyntaxError(`Cannot take ${shown(path)} as the path of a text: it contains brackets`);
  }
  return (record, meta) => {
    const holder = outer === undefined ? record : outer.read({ record, element: record, index: 0, meta });
    if (typeof holder !== "object" || holder === null || Array.isArray(holder)) return undefined;
    const fields = holder as Record<string, unknown>; // ours: the parser made it
    const text = fields[last];
    if (typeof text !== "string" || text === "") return undefined;
    const parsed = parseTextJson(text, `text at ${path}`);
    if (!parsed.ok) return parsed;
    fields[last] = parsed.value;
    return undefined;
  };
}

interface Rule {
  readonly name: string;
  readonly as: RuleResult;
  /** What the record becomes, for messages. */
  readonly what: string;
  readonly conditions: readonly Condition[];
  /** Conditions on entries of the list. */
  readonly filters: readonly Condition[];
  readonly each: Path | undefined;
  /** Whether the entries of that list have one id in common. */
  readonly isIdShared: boolean;
  readonly fields: readonly (readonly [name: string, value: Value])[];
  readonly groups:
    readonly (readonly [name: string, values: readonly (readonly [name: string, value: Value])[]])[];
  readonly goOn: boolean;
  readonly check: (value: unknown) => DecodedEvent | DecodedItem;
  /** Whether no field sets the time. */
  readonly isUntimed: boolean;
  readonly settings: RuleSettings;
}

/** Most names of a record that are compared with one that it lacks. */
const MAX_NAMES = 100;
const REMOVAL_FIELDS = { item: ITEM_FIELDS.item, time: ITEM_FIELDS.time };
const GROUPS = ["attributes", "context"] as const;
const COERCIONS: Readonly<Record<string, Coercion>> = {
  text: textOf,
  number: numberOf,
  flag: flagOf,
  any: (value) => {
    if (typeof value === "bigint") return Number(value);
    if (!Array.isArray(value) || value.every((entry) => typeof entry === "number")) return value;
    return value.map(textOf);
  },
};

function compileRule(settings: RuleSettings, at: number, { expressions }: MappingContext): Rule {
  const { name = `rule ${at + 1}`, as = "nothing", when = {}, each, goOn = false } = settings;
  const place = ["rules", at];
  const targets = targetsOf(as);
  const compile = (
    part: "fields" | "attributes" | "context",
    coercion: (name: string, spec: ValueSpec) => Coercion,
  ) =>
    Object.entries(settings[part] ?? {}).map(([field, spec]) => {
      const path = [...place, part, field];
      return [field, compileValue(spec, coercion(field, spec), path, expressions)] as const;
    });
  const fields = compile("fields", (field, spec) => {
    const kind = Object.hasOwn(targets, field) ? targets[field] : undefined;
    if (kind === undefined) {
      throw new MappingError(
        [...place, "fields", field],
        noSuch(`field of ${as}`, field, Object.keys(targets)),
      );
    }
    return coercionTo(kind, typeof spec === "string" ? "any" : spec.unit ?? "any");
  });
  const groups = GROUPS.flatMap((group) => {
    if (settings[group] === undefined) return [];
    if (!Object.hasOwn(targets, group)) throw new MappingError([...place, group], `${as} has no ${group}`);
    const values = compile(
      group,
      (_, spec) => COERCIONS[(typeof spec === "string" ? undefined : spec.as) ?? "any"]!,
    );
    return [[group, values] as const];
  });
  const conditions = Object.entries(when).map(([path, spec]) =>
    compileCondition(path, spec, [...place, "when", path])
  );
  const isPlain = [...fields, ...groups.flatMap(([, values]) => values)].every(([, value]) =>
    !value.isExpression
  );
  return {
    name,
    as,
    what: as === "item" || as === "removal" ? "item" : `${as} event`,
    conditions: each === undefined ? conditions : conditions.filter(({ isOfElement }) => !isOfElement),
    filters: each === undefined ? [] : conditions.filter(({ isOfElement }) => isOfElement),
    each: each === undefined ? undefined : placed([...place, "each"], () => compilePath(each)),
    isIdShared: fields.some(([name, { isOfElement }]) => name === "id" && !isOfElement),
    fields,
    groups,
    goOn,
    check: checkOf(as, isPlain),
    isUntimed: !Object.hasOwn(settings.fields ?? {}, "time"),
    settings,
  };
}

function targetsOf(as: RuleResult): Readonly<Record<string, Field | Kind>> {
  if (as === "nothing") return {};
  if (as === "item") return ITEM_FIELDS;
  return as === "removal" ? REMOVAL_FIELDS : EVENT_FIELDS[as];
}

/** The check of a mapped record. @param isPlain whether it consists only of texts and parts of a checked record */
function checkOf(as: RuleResult, isPlain: boolean): Rule["check"] {
  if (as === "item" || as === "removal") return isPlain ? checkItemFields : checkItem;
  return isPlain ? checkEventFields : checkEvent;
}

/** Applies a rule to a record. Returns why the record is rejected; rejected entries go to `into`. */
function apply(rule: Rule, scope: Scope, into: MadeRecords): Rejected | undefined {
  if (rule.as === "nothing") return undefined;
  const { each } = rule;
  if (each !== undefined) return applyToEach(rule, each.read(scope), scope, into);
  const made = make(rule, scope);
  if ("ok" in made) return made;
  if (into.room === 0) into.rejectAll(rejectMany(rule, MAX_MAPPED + 1));
  else into.add(made);
  return undefined;
}

function applyToEach(rule: Rule, list: unknown, scope: Scope, into: MadeRecords): Rejected | undefined {
  const { filters, isIdShared: isShared, settings: { each = "" } } = rule;
  if (!Array.isArray(list)) {
    const code = list === undefined ? "missing-field" : "wrong-type";
    const wrong = { code, wanted: "a list", got: shown(list), path: `.${each}` } as const;
    return ofRule(rejectViolation(wrong, "record"), rule);
  }
  if (list.length > MAX_MAPPED) return rejectMany(rule, list.length);
  const base = into.place === "" ? each : `${into.place}.${each}`;
  for (let index = 0; index < list.length && !into.isOver; index++) {
    const inner = { ...scope, element: list[index], index };
    if (!allHold(filters, inner)) continue;
    const entry = { place: `${base}[${index}]`, index, isShared };
    const made = make(rule, inner);
    if ("ok" in made) {
      const rejected = inEntry(made, `entry ${index} of ${each}`);
      into.rejectEntry(inRecord(rejected, into.place), entry, idOf(rule, inner));
    } else if (into.room === 0) into.rejectAll(rejectMany(rule, MAX_MAPPED + 1));
    else into.add(made, entry);
  }
  if (rule.what !== "item") into.endList(list.length);
  return undefined;
}

/** The id that an event would have, if that can be read. */
function idOf(rule: Rule, scope: Scope): string | undefined {
  const id = rule.what === "item" ? undefined : rule.fields.find(([name]) => name === "id")?.[1];
  try {
    return id?.read(scope) as string | undefined; // what ids are converted to
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    return undefined;
  }
}

function allHold(conditions: readonly Condition[], scope: Scope): boolean {
  for (let i = 0; i < conditions.length; i++) if (!conditions[i]!.holds(scope)) return false;
  return true;
}

function rejectMany(rule: Rule, got: number): Rejected {
  return ofRule(
    reject(
      "too-many-items",
      `Cannot map the record to at most ${MAX_MAPPED} events and items: it has ${got}`,
    ),
    rule,
  );
}

/** Makes an event or item of a record, or of an entry. */
function make(rule: Rule, scope: Scope): OwnRecord | Rejected {
  const isItem = rule.what === "item";
  const made: Record<string, unknown> = isItem ? {} : { type: rule.as };
  const { fields, groups } = rule;
  let field = "";
  try {
    for (let i = 0; i < fields.length; i++) {
      const own = fields[i]!;
      field = own[0];
      const value = own[1].read(scope);
      if (value !== undefined) made[field] = value;
    }
    for (const [group, values] of groups) {
      const before = made[group];
      const own: Record<string, unknown> = isRecord(before) ? { ...before } : {};
      for (const [name, { read }] of values) {
        field = `${group}.${name}`;
        const value = read(scope);
        if (value !== undefined) own[name] = value;
      }
      made[group] = own;
    }
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    return ofField(rejectViolation(within(`.${field}`, error.violation), rule.what), rule, field);
  }
  if (rule.isUntimed && scope.meta.time !== undefined) made["time"] = scope.meta.time;
  const checked = rule.check(made);
  if (!checked.ok) {
    const wrong = /^Cannot take ([\w.]+)/.exec(checked.reason)?.[1] ?? "";
    return ofField(checked, rule, wrong, hintFor(checked, rule.settings.fields?.[wrong], scope.record));
  }
  if ("event" in checked) return { kind: "event", event: checked.event };
  return { kind: "item", item: checked.item, ...(rule.as === "removal" ? { isRemoved: true } : {}) };
}

/** What may mend a rejected field. */
function hintFor({ code }: Rejected, spec: ValueSpec | undefined, record: unknown): string | undefined {
  if (code === "duplicate-item") return '"distinct": true keeps the first of equal entries';
  const near = code === "missing-field" ? nearestTo(spec, record) : undefined;
  return near === undefined ? undefined : `is ${shown(near)} meant?`;
}

/** The name in a record that resembles one of a path which the record lacks. */
function nearestTo(spec: ValueSpec | undefined, record: unknown): string | undefined {
  const path = typeof spec === "string" ? spec : undefined;
  if (path === undefined || /[[\]@$]/.test(path)) return undefined;
  let own = record;
  for (const name of path.split(".")) {
    if (!isRecord(own)) return undefined;
    if (!Object.hasOwn(own, name)) return nearName(name, Object.keys(own).slice(0, MAX_NAMES));
    own = own[name];
  }
  return undefined;
}

/** A rejection with the rule, and where the field comes from. @param hint what may mend it */
function ofField(rejected: Rejected, rule: Rule, field: string, hint?: string): Rejected {
  const [top = "", ...rest] = field.split(".");
  const values = rule.groups.find(([group]) => group === top)?.[1] ?? [];
  const value = rest.length > 0
    ? values.find(([name]) => name === rest.join("."))
    : rule.fields.find(([name]) => name === top);
  const from = value === undefined ? `it does not set ${top || "that"}` : `${field} is ${value[1].words}`;
  return ofRule(rejected, rule, hint === undefined ? from : `${from}; ${hint}`);
}

function ofRule(rejected: Rejected, { name }: Rule, from?: string): Rejected {
  return {
    ...rejected,
    reason: `${rejected.reason} (${name}${from === undefined ? "" : `: ${from}`})`,
    rule: name,
  };
}
