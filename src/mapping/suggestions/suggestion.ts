/**
 * Suggests a mapping for a source from the names and values of its fields. Somebody who knows the data must review it.
 *
 * @module
 */

import { catalogueAttributes, catalogueRules } from "./catalogue.ts";
import { changesOf, itemsOfChanges, rulesOfChanges } from "./changes.ts";
import { nameOf, wordsOf } from "./field_names.ts";
import type { MappingSettings, RuleSettings } from "../mapping_options.ts";
import { rolesOf } from "./roles.ts";
import { rulesOf } from "./rules.ts";
import { mayNameList } from "./shared_ids.ts";
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
/** Words for a session that becomes a user. */
const LOGIN = /log[ _-]?(in|on)|sign[ _-]?(in|up)|identif|regist/;
/** Names of numbers that say how much of an item somebody took. */
const SHARE = /progress|percent|pct|complet/i;
/** Most values of a field about which a question is asked. */
const MAX_TOLD = 10;

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
  const { link, kind, shown, actions } = roles;
  if (link !== undefined) {
    const acts = link.ofActs.map(({ path }) => path).join(", ");
    open.push(`${acts} names the list that was shown, by its values: they are those of ${link.ofList.path}`);
  }
  const rules = rulesOf(roles);
  const byPath = (path: string) => fields.find((field) => field.path === path);
  const uses = (path: string) => JSON.stringify(rules).includes(JSON.stringify(path));
  if (roles.listId !== undefined) {
    const { path } = roles.listId;
    open.push(
      `${path} differs in every list: it is its request, which clicks on the list have to name as theirs`,
    );
  }
  if (roles.list?.repeats && rules.some(({ as }) => as === "impression")) {
    open.push("some lists show an item twice: it counts where it is first");
  }
  if (rules.some(({ as }) => as === "nothing")) {
    open.push("records without items become nothing: is that right?");
  }
  const bots = fields.filter(({ steps, types }) =>
    types.join() === "flag" && !steps.includes(null) && BOT.test(wordsOf(steps).at(-1) ?? "")
  );
  rules.unshift(...bots.map(({ path }): RuleSettings => ({
    name: "bots",
    as: "nothing",
    when: { [path]: true },
  })));
  if (bots.length > 0) open.push("records of bots become nothing: is that right?");
  const others = kind === undefined
    ? []
    : [...kind.values.keys()].filter((word) => !shown.includes(word) && !Object.hasOwn(actions, word));
  if (kind !== undefined && others.length > 0) {
    rules.push({ name: "irrelevant", as: "nothing", when: { [kind.path]: others } });
    open.push(
      `records whose ${kind.path} is ${others.slice(0, 8).join(" or ")} become nothing: is that right?`,
    );
  }
  const login = others.find((word) => LOGIN.test(word.toLowerCase()));
  const { user } = roles;
  const [known, device] = typeof user === "object" ? (user.first ?? []).map((path) => byPath(path)) : [];
  if (login === undefined && known && device && known.records + device.records > records) {
    open.push(
      `records without ${known.path} are taken as those of a user ${device.path}: to hand these over after a login, let a ` +
        `first rule with "goOn": true take records that have both "as": "alias": "user" is ${device.path}, "of" ${known.path}`,
    );
  }
  if (login !== undefined && typeof roles.user === "object" && "first" in roles.user) {
    open.push(
      `does ${login} tell whose a session is? If so, a rule "as": "alias" moves what it did: "user" is the session's ` +
        'id, "of" that of the user',
    );
  }
  if (kind === undefined) {
    const acts = rules.filter(({ as }) => as === "interaction").map(({ when = {}, fields = {} }) => {
      const { value } = fields["action"] as { readonly value: string }; // of `actRules()`
      return `those with ${Object.keys(when).join()} are taken as ${value}`;
    });
    if (acts.length > 0) open.push(`no field tells kinds of records apart: ${acts.join(", ")}`);
    const told = fields.filter(({ steps, values, isTime }) =>
      values.size > 1 && values.size <= MAX_TOLD && !isTime && !steps.includes(null)
    )
      .map(({ path, values }) => `${path} (${[...values.keys()].slice(0, 4).join(", ")})`);
    if (told.length > 0) {
      open.push(`does the kind of record depend on ${told.slice(0, 4).join(", ")}? If so, use "when"`);
    }
    const lists = roles.list === undefined ? roles.plain.filter((field) => mayNameList(field)) : [];
    for (const { path } of lists.filter(({ path }) => !uses(path))) {
      open.push(
        `does ${path} name the list that was shown? If so, add "request": "${path}" here and to the rule of lists`,
      );
    }
    const share = roles.plain.find(({ steps, types, path }) =>
      types.join() === "number" && SHARE.test(nameOf(steps)) && !uses(path)
    );
    if (acts.length > 0 && share !== undefined) {
      open.push(
        `does ${share.path} tell a skip from a play? If so, let a rule before this one take those of ` +
          `"when": { "${share.path}": { "below": 10 } } as another action`,
      );
    }
  }
  const acts = Object.entries(actions);
  const views = acts.filter(([, action]) => action === "view").map(([word]) => word);
  if (shown.length > 0 && views.length > 0 && !acts.some(([, action]) => action === "click")) {
    open.push(
      `no action is a click on a list that was shown: ${
        views.join(" or ")
      } becomes view, which is no positive ` +
        "outcome; is it a click?",
    );
  }
  if (!rules.some(({ as }) => as === "impression")) {
    open.push("there are no shown lists: unless another source has impressions, no click model learns");
  }
  const used = JSON.stringify(rules);
  const parse = fields.filter(({ types, path }) => types.includes("json") && used.includes(`"${path}.`))
    .map(({ path }) => path);
  return { mapping: { ...(parse.length > 0 && { parse }), rules }, open };
}
