/** Suggests rules for records that are changes of a database's rows, as Debezium describes them. */

import type { RuleSettings } from "../mapping_options.ts";
import { isWithin, pathOf, type Step, stepsOf } from "../path.ts";
import { ENDING, nameOf } from "./field_names.ts";
import type { SurveyedField } from "./survey.ts";

/** The operations on rows, of Debezium: created, read by a snapshot; updated, deleted, truncated, a message. */
const CREATIONS = ["c", "r"], OTHER_OPERATIONS = ["u", "d", "t", "m"];
/** What says where a change stands in a database's log, beside `source`: PostgreSQL, MySQL and MariaDB. */
const POSITIONS = [["lsn"], ["file", "pos", "row"]];

/** Records that are changes of a database's rows. */
export interface Changes {
  /** The steps to what holds `op`, `before` and `after`. */
  readonly root: readonly Step[];
  /** The path of their operation. */
  readonly op: string;
  /** The path of their time; `undefined` = not all have one. */
  readonly time: string | undefined;
  /** The paths that say where a change stands in the database's log; several rows may share a place. Empty if none do. */
  readonly position: readonly string[];
  /** The fields, without those of rows as they were before. */
  readonly fields: readonly SurveyedField[];
  /** The fields of the rows as they are afterwards. */
  readonly row: readonly SurveyedField[];
}

/** The changes of rows that records are, as Debezium describes them; `undefined` = they are none. */
export function changesOf(fields: readonly SurveyedField[], records: number): Changes | undefined {
  const isInAll = (path: string) => fields.some((field) => field.path === path && field.records === records);
  const isTime = (path: string) =>
    isInAll(path) && fields.some((field) => field.path === path && field.isTime);
  for (const { path: op, steps, values } of fields) {
    const isOperation = [...values.keys()].every((one) => [...CREATIONS, ...OTHER_OPERATIONS].includes(one));
    if (nameOf(steps) !== "op" || !isOperation || !isInAll(op)) continue;
    const root = steps.slice(0, -1);
    const position = POSITIONS.map((names) => names.map((name) => pathOf([...root, "source", name])))
      .find((paths) => paths.every(isInAll)) ?? [];
    const inRow = (field: SurveyedField, name: string) => isWithin(field.steps, [...root, name]);
    const row = fields.filter((field) => inRow(field, "after"));
    if (row.length === 0) continue;
    const time = [["source", "ts_ms"], ["ts_ms"]].map((names) => pathOf([...root, ...names])).find(isTime);
    return { root, op, time, position, fields: fields.filter((field) => !inRow(field, "before")), row };
  }
  return undefined;
}

/**
 * Rules for changes, from those for their rows: a row is an event when it is created, as an update would count it again.
 *
 * @returns `undefined` = no rule makes an event that has an id
 */
export function rulesOfChanges(rules: readonly RuleSettings[], changes: Changes): RuleSettings[] | undefined {
  if (!rules.some(hasId)) return undefined;
  const other: RuleSettings = {
    name: "no new rows",
    as: "nothing",
    when: { [changes.op]: OTHER_OPERATIONS },
  };
  return [other, ...rules.map((rule) => hasId(rule) ? withChangeId(rule, changes) : rule)];
}

/**
 * Rules for changes of a catalogue, from the rule for its rows: a row that is deleted is an item that is removed.
 *
 * @param rule whose item is in the row
 */
export function itemsOfChanges(rule: RuleSettings, { root, op, time }: Changes): RuleSettings[] {
  const item = stepsOf(String(rule.fields?.["item"])).slice(root.length + 1);
  const timed = time !== undefined && { time };
  return [
    {
      name: "removed",
      as: "removal",
      when: { [op]: "d" },
      fields: { item: pathOf([...root, "before", ...item]), ...timed },
    },
    { ...rule, when: { [op]: [...CREATIONS, "u"] }, fields: { ...rule.fields, ...timed } },
    { name: "no rows", as: "nothing", when: { [op]: ["t", "m"] } },
  ];
}

function hasId({ as }: RuleSettings): boolean {
  return as === "interaction" || as === "impression";
}

/** Gives events of a rule an id by which a change that comes again is known: its place, and what tells rows apart. */
function withChangeId(rule: RuleSettings, { position, row }: Changes): RuleSettings {
  if (position.length === 0) return rule;
  const users = JSON.stringify(rule.fields?.["user"]);
  const ids = row.filter(({ steps, path, types }) =>
    ENDING.test(nameOf(steps).toLowerCase()) && !users.includes(`"${path}"`) && !types.includes("list") &&
    !steps.includes(null)
  ).toSorted((a, b) => Number(b.hasMore) - Number(a.hasMore) || b.values.size - a.values.size);
  const paths = [...position, ...ids.slice(0, 1).map(({ path }) => path)];
  return {
    ...rule,
    fields: { ...rule.fields, id: { template: paths.map((path) => `{${path}}`).join("-") } },
  };
}
