/**
 * Suggests a mapping for a source from the names and values of its records' fields. Somebody who knows the data must review it.
 */

import { catalogueAttributes, catalogueRules } from "./catalogue.ts";
import { changesOf, itemsOfChanges, rulesOfChanges } from "./changes.ts";
import { aboutKinds, aboutLists, aboutOthers, aboutOutcomes, aboutSessions, MAX_TOLD } from "./doubts.ts";
import { ranked, WORDS, wordsOf } from "./field_names.ts";
import type { MappingSettings, RuleSettings } from "../mapping_options.ts";
import { type Roles, rolesOf, timeAmong, timeSpec } from "./roles.ts";
import { rulesOf } from "./rules.ts";
import { survey, type SurveyedField } from "./survey.ts";

/** A mapping that may fit, and open questions. */
export interface Suggestion {
  /** The mapping; without rules when there is no user or no item. */
  readonly mapping: MappingSettings;
  /** What only somebody who knows the data can answer, one sentence each. */
  readonly open: readonly string[];
}

/** Names of ids of people who may not have logged in. */
const DEVICE = /^(anon|device|cookie|session|visitor|install)/;
/** Share of records that have an id: of a topic, some are broken. */
const MOST = 0.9;

/** Names of flags for visitors that are programs. */
const BOT = /^(is)?(bot|robot|crawler|spider|automated)$/;

/** What is known of records besides their fields. */
export interface SuggestOptions {
  /** Whether they are of a topic, and have keys. @default {false} */
  readonly isKeyed?: boolean;
  /** Whether other records say whose a device is. @default {false} */
  readonly hasLogins?: boolean;
}

/** Suggests a mapping of records. */
export function suggest(records: readonly unknown[], options: SuggestOptions = {}): Suggestion {
  const fields = survey(records);
  const changes = changesOf(fields, records.length);
  if (changes === undefined) return suggestRules(fields, records, options);
  const rows = Math.max(...changes.row.map((field) => field.records));
  const [item] = catalogueRules(changes.row, rows, false);
  if (item !== undefined) return suggestItems(itemsOfChanges(item, changes), changes.row);
  const { mapping, open } = suggestRules(changes.fields, records, options);
  const rules = rulesOfChanges(mapping.rules ?? [], changes);
  return rules === undefined ? { mapping, open } : {
    mapping: { ...mapping, rules },
    open: [
      ...open,
      "only new rows count (op c and r): an update would count again. A deleted row stays counted, as no event takes " +
      "another back: if rows become an event later, such as orders that are paid, take that update by its fields",
    ],
  };
}

function suggestItems(rules: readonly RuleSettings[], fields: readonly SurveyedField[]): Suggestion {
  const others = catalogueAttributes(fields, rules);
  const open = [
    "these look like a catalogue: which fields should be attributes, to filter by or to learn from?" +
    (others.length === 0 ? "" : ` There are also ${others.slice(0, MAX_TOLD).join(", ")}`),
  ];
  if (rules.some(({ fields }) => fields?.["hidden"] !== undefined)) {
    open.push("items that are not for sale or out of stock are hidden from lists: is that right?");
  }
  return { mapping: { rules }, open };
}

function suggestRules(
  fields: readonly SurveyedField[],
  records: readonly unknown[],
  { isKeyed = false, hasLogins = false }: SuggestOptions,
): Suggestion {
  const items = catalogueRules(fields, records.length, isKeyed);
  if (items.length > 0) return suggestItems(items, fields);
  const open: string[] = [];
  const roles = rolesOf(fields, records, open);
  if (roles === undefined) return suggestLogins(fields, records.length) ?? { mapping: { rules: [] }, open };
  const main = rulesOf(roles);
  const bots = botRules(fields);
  const others = otherWords(roles);
  const rules = [...bots, ...main, ...irrelevantRules(roles, others)];
  open.push(...aboutLists(roles, main));
  if (bots.length > 0) open.push("records of bots become nothing: is that right?");
  open.push(...aboutOthers(roles, others), ...(hasLogins ? [] : aboutSessions(fields, roles, others)));
  if (roles.kind === undefined) open.push(...aboutKinds(fields, roles, rules));
  open.push(...aboutOutcomes(roles, rules));
  const used = JSON.stringify(rules);
  const parse = fields.filter(({ types, path }) => types.includes("json") && used.includes(`"${path}.`))
    .map(({ path }) => path);
  return { mapping: { ...(parse.length > 0 && { parse }), rules }, open };
}

/** An alias for each record that names a device and its user, but no item. */
function suggestLogins(fields: readonly SurveyedField[], records: number): Suggestion | undefined {
  const plain = fields.filter(({ steps }) => !steps.includes(null));
  const inMost = ranked(plain, WORDS.user).filter((field) => field.records >= records * MOST);
  const isDevice = ({ steps }: SurveyedField) => DEVICE.test(wordsOf(steps).at(-1) ?? "");
  const device = inMost.find(isDevice), user = inMost.find((field) => !isDevice(field));
  if (device === undefined || user === undefined) return undefined;
  const time = timeAmong(plain);
  const ids = { user: device.path, of: user.path };
  return {
    mapping: {
      rules: [{ name: "logins", as: "alias", fields: { ...ids, ...(time && { time: timeSpec(time) }) } }],
    },
    open: [
      `these look like logins: what ${ids.user} did until then becomes what ${ids.of} did: is that right?`,
    ],
  };
}

function botRules(fields: readonly SurveyedField[]): RuleSettings[] {
  return fields.filter(({ steps, types }) =>
    types.join() === "flag" && !steps.includes(null) && BOT.test(wordsOf(steps).at(-1) ?? "")
  ).map(({ path }) => ({ name: "bots", as: "nothing", when: { [path]: true } }));
}

/** Values of the field that tells kinds apart that are neither a shown list nor an action. */
function otherWords({ kind, shown, actions }: Roles): string[] {
  return [...kind?.values.keys() ?? []].filter((word) =>
    !shown.includes(word) && !Object.hasOwn(actions, word)
  );
}

function irrelevantRules({ kind }: Roles, others: readonly string[]): RuleSettings[] {
  if (kind === undefined || others.length === 0) return [];
  return [{ name: "irrelevant", as: "nothing", when: { [kind.path]: others } }];
}
