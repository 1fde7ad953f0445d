/**
 * Suggests a mapping for a source from the names and values of its fields. Somebody who knows the data must review it.
 *
 * @module
 */

import { catalogueAttributes, catalogueRules } from "./catalogue.ts";
import { changesOf, itemsOfChanges, rulesOfChanges } from "./changes.ts";
import { aboutKinds, aboutLists, aboutOthers, aboutOutcomes, aboutSessions, MAX_TOLD } from "./doubts.ts";
import { wordsOf } from "./field_names.ts";
import type { MappingSettings, RuleSettings } from "../mapping_options.ts";
import { type Roles, rolesOf } from "./roles.ts";
import { rulesOf } from "./rules.ts";
import type { SurveyedField } from "./survey.ts";

/** A mapping that may fit, and open questions. */
export interface Suggestion {
  /** The mapping; without rules when there is no user or no item. */
  readonly mapping: MappingSettings;
  /** What only somebody who knows the data can answer, one sentence each. */
  readonly open: readonly string[];
}

/** Names of flags for visitors that are programs. */
const BOT = /^(is)?(bot|robot|crawler|spider|automated)$/;

/** Suggests a mapping. @param records how many were surveyed @param isKeyed whether they are of a topic, and have keys */
export function suggest(fields: readonly SurveyedField[], records: number, isKeyed = false): Suggestion {
  const changes = changesOf(fields, records);
  if (changes === undefined) return suggestRules(fields, records, isKeyed);
  const rows = Math.max(...changes.row.map((field) => field.records));
  const [item] = catalogueRules(changes.row, rows, false);
  if (item !== undefined) return suggestItems(itemsOfChanges(item, changes), changes.row);
  const { mapping, open } = suggestRules(changes.fields, records, isKeyed);
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

function suggestRules(fields: readonly SurveyedField[], records: number, isKeyed: boolean): Suggestion {
  const items = catalogueRules(fields, records, isKeyed);
  if (items.length > 0) return suggestItems(items, fields);
  const open: string[] = [];
  const roles = rolesOf(fields, records, open);
  if (roles === undefined) return { mapping: { rules: [] }, open };
  const main = rulesOf(roles);
  const bots = botRules(fields);
  const others = otherWords(roles);
  const rules = [...bots, ...main, ...irrelevantRules(roles, others)];
  open.push(...aboutLists(roles, main));
  if (bots.length > 0) open.push("records of bots become nothing: is that right?");
  open.push(...aboutOthers(roles, others), ...aboutSessions(fields, roles, others));
  if (roles.kind === undefined) open.push(...aboutKinds(fields, roles, rules));
  open.push(...aboutOutcomes(roles, rules));
  const used = JSON.stringify(rules);
  const parse = fields.filter(({ types, path }) => types.includes("json") && used.includes(`"${path}.`))
    .map(({ path }) => path);
  return { mapping: { ...(parse.length > 0 && { parse }), rules }, open };
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
