/**
 * Suggests a mapping for a source from the names and values of its fields. Somebody who knows the data must review it.
 *
 * @module
 */

import { catalogueAttributes, catalogueRules } from "./catalogue.ts";
import { changesOf, rulesOfChanges } from "./changes.ts";
import { alike, ENDING, fieldOf, nameOf, ranked, WORDS, wordsOf } from "./field_names.ts";
import { actionOf } from "../foreign_actions.ts";
import type { MappingSettings, RuleSettings, ValueSpec } from "../mapping_options.ts";
import { isWithin, pathOf, type Step } from "../path.ts";
import { type SharedId, sharedId } from "./shared_ids.ts";
import type { SurveyedField } from "./survey.ts";

/** A mapping that may fit, and open questions. */
export interface Suggestion {
  /** The mapping; without rules when there is no user or no item. */
  readonly mapping: MappingSettings;
  /** What only somebody who knows the data can answer, one sentence each. */
  readonly open: readonly string[];
}

/** Words for lists that were shown. */
const SHOWN = /impression|exposure|shown|displayed|list[ _-]?view|view.*list|served|render|plp/;
/** Words for lists of bought items. */
const BOUGHT = /line|order|basket|cart|purchase|bought|qty|quantity/;
/** Names of flags for visitors that are programs. */
const BOT = /^(is)?(bot|robot|crawler|spider|automated)$/;
/** Words for a session that becomes a user. */
const LOGIN = /log[ _-]?(in|on)|sign[ _-]?(in|up)|identif|regist/;
/** Words for "no user". */
const NOBODY = /^(n\/?a|null|none|nil|nan|\\n|undefined|unknown|anonymous|guest)$/i;
/** Dates that are not of ISO 8601: 27.11.2026, 11/27/26 10:00, 2026/11/27, 20261127. */
const OTHER_DATE =
  /^(\d{1,2}([./-])\d{1,2}\2\d{4}|\d{1,2}\/\d{1,2}\/\d\d|\d{4}[./]\d{1,2}[./]\d{1,2})(?!\d)|^(19|20)\d\d(0[1-9]|1[0-2])[0-3]\d$/;
/** Most kinds of records that are told apart. */
const MAX_KINDS = 50;
/** Most values of a field about which a question is asked. */
const MAX_TOLD = 10;
/** Share of records whose id another one may have: producers send some twice. */
const REPEATED = 0.1;
/** Fewest values of a field that is guessed to be a user or an item from its values alone. */
const MIN_GUESSED = 5;

/** The roles that fields are assumed to have. */
interface Roles {
  readonly records: number;
  /** Fields outside lists. */
  readonly plain: readonly SurveyedField[];
  /** Fields of entries of lists. */
  readonly inLists: readonly SurveyedField[];
  /** The text field with few values that tells kinds of records apart. */
  readonly kind: SurveyedField | undefined;
  readonly user: ValueSpec;
  /** Fields that hold one item, and the field that holds the items of a list; there is at least one of them. */
  readonly items: readonly SurveyedField[];
  readonly list: SurveyedField | undefined;
  /** The id that shown lists and the clicks on them have in common. */
  readonly link: SharedId | undefined;
  /** The field that holds the items of an order, beside records with one item or a shown list. */
  readonly bought: SurveyedField | undefined;
  /** Values of `kind` for shown lists, and our actions by its values for interactions. */
  readonly shown: readonly string[];
  readonly actions: Readonly<Record<string, string>>;
  /** Id, user and time of every event. */
  readonly shared: Readonly<Record<string, ValueSpec>>;
}

/** Suggests a mapping. @param records how many were surveyed @param isKeyed whether they are of a topic, and have keys */
export function suggest(fields: readonly SurveyedField[], records: number, isKeyed = false): Suggestion {
  const changes = changesOf(fields, records);
  if (changes === undefined) return suggestRules(fields, records, isKeyed);
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

function suggestRules(fields: readonly SurveyedField[], records: number, isKeyed: boolean): Suggestion {
  const items = catalogueRules(fields, records, isKeyed);
  if (items.length > 0) {
    const others = catalogueAttributes(fields, items);
    const open = [
      "these look like a catalogue: which fields should be attributes, to filter by or to learn from?" +
      (others.length === 0 ? "" : ` There are also ${others.slice(0, MAX_TOLD).join(", ")}`),
    ];
    if (items.some(({ fields }) => fields?.["hidden"] !== undefined)) {
      open.push("items that are not for sale or out of stock are hidden from lists: is that right?");
    }
    return { mapping: { rules: items }, open };
  }
  const open: string[] = [];
  const roles = rolesOf(fields, records, open);
  if (roles === undefined) return { mapping: { rules: [] }, open };
  const { link, kind, shown, actions } = roles;
  if (link !== undefined) {
    const acts = link.ofActs.map(({ path }) => path).join(", ");
    open.push(`${acts} names the list that was shown, by its values: they are those of ${link.ofList.path}`);
  }
  const rules = rulesOf(roles);
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
    open.push("there are no shown lists: without impressions, no click model learns");
  }
  const used = JSON.stringify(rules);
  const parse = fields.filter(({ types, path }) => types.includes("json") && used.includes(`"${path}.`))
    .map(({ path }) => path);
  return { mapping: { ...(parse.length > 0 && { parse }), rules }, open };
}

/** The likely roles of fields; `undefined` = there is no user or no item. @param open receives open questions */
function rolesOf(fields: readonly SurveyedField[], records: number, open: string[]): Roles | undefined {
  const scalars = fields.filter(({ types }) =>
    !["list", "flag", "json"].some((type) => types.includes(type))
  );
  const plain = scalars.filter(({ steps }) => !steps.includes(null));
  const kinds = plain.filter((field) => isKind(field, records));
  const kind = kindAmong(kinds);
  const inLists = scalars.filter(({ steps }) => steps.includes(null));
  const words = kind === undefined ? [] : [...kind.values.keys()];
  const shown = words.filter(isShown);
  const lists = ranked(inLists, `${WORDS.item} id`);
  const list = (shown.length > 0 ? lists.find((field) => !isBought(field)) : undefined) ?? lists[0];
  const named = { users: ranked(plain, WORDS.user), items: alike(plain, WORDS.item) };
  const dates = plain.filter(isOtherDate);
  const guesses = repeated(plain.filter((field) => field !== kind && !dates.includes(field)), records);
  const guess = (what: string, not: readonly SurveyedField[]) => {
    const [found, ...others] = guesses.filter((field) => !not.includes(field));
    const more = others.length === 0 ? "" : `, or ${others.slice(0, 4).map(({ path }) => path).join(", ")}`;
    open.push(
      found === undefined
        ? `no field looks like the id of ${what}`
        : `no field is named like the id of ${what}: judging by values, it may be ${found.path}${more}`,
    );
    return found === undefined ? [] : [found];
  };
  const users = named.users.length > 0 ? named.users : guess("a user", named.items);
  const items = named.items.length > 0 || list !== undefined ? named.items : guess("an item", users);
  const timed = plain.filter(({ isTime }) => isTime);
  const time = ranked(timed, WORDS.time)[0] ?? timed[0];
  if (time === undefined) {
    const [date] = dates;
    const examples = [...date?.values.keys() ?? []].slice(0, 2).join(", ");
    open.push(
      date === undefined
        ? "no field looks like a time in nearly all records; those of a topic have times of their own"
        : `${date.path} may be a time, ${examples}, but is not of ISO 8601: an expression makes it so`,
    );
  }
  const user = userOf(users, records, open);
  if (user === undefined || (items.length === 0 && list === undefined)) return undefined;
  const actions = words.flatMap((word) => {
    const action = shown.includes(word) ? undefined : actionOf(word);
    return action === undefined ? [] : [[word, action]];
  });
  const ids = plain.filter((field) => isUnique(field, records, REPEATED));
  return {
    records,
    plain,
    kind,
    user,
    items,
    list,
    link: list && (kind === undefined || shown.length > 0)
      ? sharedId(plain, branchOf(listOf(list)))
      : undefined,
    bought: lists.find((field) => isBought(field) && (field !== list || shown.length === 0)),
    shown,
    inLists,
    actions: Object.fromEntries(actions),
    shared: { ...fieldOf("id", ids), user, ...(time !== undefined && { time: time.path }) },
  };
}

function rulesOf(roles: Roles): RuleSettings[] {
  const { list, kind, items, inLists, shown, shared, link } = roles;
  const isOrder = kind === undefined && items.length === 0 && entriesBeside(list, inLists).some(isBought);
  const acts = [...orderRules(roles), ...actRules(roles)];
  if (list === undefined || isOrder || (kind !== undefined && shown.length === 0)) return acts;
  const from = kind === undefined ? fieldsFor(roles, branchOf(listOf(list))) : roles.plain;
  const lists: RuleSettings = {
    name: "lists",
    as: "impression",
    when: kind === undefined ? { [pathOf(listOf(list))]: { exists: true } } : { [kind.path]: shown },
    fields: {
      ...shared,
      items: list.path,
      ...(link ? { request: link.ofList.path } : fieldOf("request", from)),
      ...fieldOf("surface", from),
    },
  };
  return kind === undefined && items.length === 0 ? [lists] : [lists, ...acts];
}

/** The rule for the entries of orders, where other records have one item each. */
function orderRules({ kind, items, bought, actions, inLists, shared }: Roles): RuleSettings[] {
  const values = Object.keys(actions);
  if (kind === undefined || bought === undefined || items.length === 0 || values.length === 0) return [];
  const each = entriesOf(bought);
  const entries = entriesBeside(bought, inLists).map((field) => ({ ...field, path: ofEntry(field) }));
  return [{
    name: "orders",
    as: "interaction",
    when: { [kind.path]: values, [each]: { exists: true } },
    each,
    fields: {
      ...shared,
      item: ofEntry(bought),
      action: { path: kind.path, values: actions },
      ...fieldOf("value", entries),
    },
  }];
}

/** Rules for interactions: for the entries of a list, for each branch with an item, or for whole records. */
function actRules(roles: Roles): RuleSettings[] {
  const { kind, items, list, actions, records } = roles;
  if (kind !== undefined && Object.keys(actions).length === 0) return [];
  if (items.length === 0 && list !== undefined) return entryActs(roles, list);
  const branches = Map.groupBy(items.slice(0, MAX_KINDS), ({ steps }) => pathOf(branchOf(steps)));
  if (kind !== undefined || branches.size < 2 || items[0]!.records >= records) return [recordAct(roles)];
  return Array.from(branches, ([name, [item]]) => branchAct(roles, name, item!)); // of `groupBy()`
}

/** An interaction for each entry of a list. */
function entryActs(roles: Roles, list: SurveyedField): RuleSettings[] {
  const { kind, actions, plain, inLists, records } = roles;
  const each = entriesOf(list), values = Object.keys(actions);
  const value = entriesBeside(list, inLists).map((field) => ({ ...field, path: ofEntry(field) }));
  const action = toldBy(roles) ?? { value: "purchase" };
  const fields = actFields(roles, { item: ofEntry(list), action }, { value, from: plain });
  const act = (name: string, when: RuleSettings["when"]): RuleSettings => {
    return { name, as: "interaction", when, each, fields };
  };
  const isThere = { [each]: { exists: true } };
  if (kind === undefined) {
    const [order] = ranked(plain.filter((field) => isUnique(field, records)), WORDS.order);
    const rule = act("purchases", isThere);
    return [{ ...rule, fields: { ...(order && { id: order.path }), ...rule.fields } }];
  }
  const when = { [kind.path]: values };
  if (list.records >= records) return [act("interactions", when)];
  return [act("interactions", { ...when, ...isThere }), { name: "without items", as: "nothing", when }];
}

/** An interaction for each record. */
function recordAct(roles: Roles): RuleSettings {
  const { kind, items, actions, plain, records } = roles;
  const [graded] = ranked(plain, WORDS.value);
  const isRating = graded !== undefined && actionOf(graded.path) === "rating";
  const action = toldBy(roles) ?? { value: isRating ? "rating" : "view" };
  return {
    name: "interactions",
    as: "interaction",
    when: kind === undefined ? { [items[0]!.path]: { exists: true } } : { [kind.path]: Object.keys(actions) },
    fields: actFields(roles, { item: firstOf(items, records)!, action }, { value: plain, from: plain }),
  };
}

/** An interaction for each record that has a branch with an item, from fields that are not of another branch. */
function branchAct(roles: Roles, name: string, { steps, path }: SurveyedField): RuleSettings {
  const from = fieldsFor(roles, branchOf(steps));
  const action = { value: actionOf(nameOf(branchOf(steps))) ?? "view" };
  const fields = actFields(roles, { item: path, action }, { value: from, from });
  return { name, as: "interaction", when: { [name]: { exists: true } }, fields };
}

/** Fields outside lists that are not in a branch with other items. */
function fieldsFor({ items, list, plain }: Roles, branch: readonly Step[]): readonly SurveyedField[] {
  const all = [...items.map(({ steps }) => steps), ...(list === undefined ? [] : [listOf(list)])];
  const others = all.map(branchOf).filter((one) => pathOf(one) !== pathOf(branch));
  return plain.filter((field) => !others.some((one) => isWithin(field.steps, one)));
}

/** The list that an act belongs to: as lists and acts have it in common, or as named. */
function requestOf({ link }: Roles, from: readonly SurveyedField[]): Record<string, ValueSpec> {
  const found = link?.ofActs.find((field) => from.includes(field));
  return found === undefined ? fieldOf("request", from) : { request: found.path };
}

/** Where the action is told; `undefined` = nowhere. */
function toldBy({ kind, actions }: Roles): ValueSpec | undefined {
  const isSame = Object.entries(actions).every(([word, action]) => word === action);
  return kind && (isSame ? kind.path : { path: kind.path, values: actions });
}

/** Fields of an interaction. @param fields those that the value may be in, and all others */
function actFields(
  roles: Roles,
  act: { readonly item: ValueSpec; readonly action: ValueSpec },
  { value, from }: { readonly value: readonly SurveyedField[]; readonly from: readonly SurveyedField[] },
): Readonly<Record<string, ValueSpec>> {
  return {
    ...roles.shared,
    ...act,
    ...fieldOf("value", value),
    ...requestOf(roles, from),
    ...fieldOf("surface", from),
  };
}

/** Whether a field is in a list of bought items. */
function isBought({ steps }: SurveyedField): boolean {
  return wordsOf(steps).some((word) => BOUGHT.test(word));
}

/** The fields of the entries that have this one. */
function entriesBeside(
  list: SurveyedField | undefined,
  inLists: readonly SurveyedField[],
): readonly SurveyedField[] {
  if (list === undefined) return [];
  const of = [...listOf(list), null];
  return inLists.filter((field) => depthOf(field) === depthOf(list) && isWithin(field.steps, of));
}

function isShown(word: string): boolean {
  return SHOWN.test(word.toLowerCase());
}

/** The field that tells kinds of records apart: most recognised values win, and a fitting name counts as two. */
function kindAmong(fields: readonly SurveyedField[]): SurveyedField | undefined {
  const weights = fields.flatMap((field) => {
    const understood = [...field.values.keys()].filter((word) =>
      isShown(word) || actionOf(word) !== undefined
    );
    const isNamed = ranked([field], WORDS.kind).length > 0;
    if (understood.length === 0 || (!isNamed && ranked([field], WORDS.surface).length > 0)) return [];
    return [{ field, weight: understood.length + (isNamed && field.values.size > 1 ? 2 : 0) }];
  });
  return weights.toSorted((a, b) => b.weight - a.weight)[0]?.field;
}

/** Fields whose values recur, like ids of users and items; those named like ids first, then those with most values. */
function repeated(
  fields: readonly SurveyedField[],
  records: number,
): readonly SurveyedField[] {
  const isId = ({ steps }: SurveyedField) => ENDING.test(nameOf(steps).toLowerCase()) ? 1 : 0;
  return fields.filter((field) => {
    const { types, values, isTime } = field;
    const isPlain = types.every((type) => type === "text" || type === "number");
    const isAmount = isFraction(values) || ranked([field], WORDS.value).length > 0;
    return !isTime && !isUnique(field, records) && isPlain && !isAmount &&
      values.size >= MIN_GUESSED && values.size < field.records * 0.9;
  }).toSorted((a, b) => isId(b) - isId(a) || b.values.size - a.values.size || b.records - a.records);
}

function isOtherDate({ values, isTime }: SurveyedField): boolean {
  return !isTime && values.size > 0 && [...values.keys()].every((text) => OTHER_DATE.test(text));
}

/** Whether values are amounts, not ids. */
function isFraction(values: SurveyedField["values"]): boolean {
  return [...values.keys()].some((text) => /^-?\d+[.,]\d+$/.test(text));
}

/** Where a value is: in the first field that has one, of the fields up to the first that all records have. */
function firstOf(fields: readonly SurveyedField[], records: number): ValueSpec | undefined {
  const whole = fields.findIndex((field) => field.records >= records);
  const first = fields.slice(0, whole < 0 ? fields.length : whole + 1).map(({ path }) => path).slice(0, 5);
  return first.length > 1 ? { first } : first[0];
}

/** The user; where a value stands for nobody, the user of the next field. @param open receives that assumption */
function userOf(
  users: readonly SurveyedField[],
  records: number,
  open: string[],
): ValueSpec | undefined {
  const [field, other] = users;
  const nobody = [...field?.values ?? []].filter(([word]) => NOBODY.test(word));
  if (field === undefined || nobody.length === 0) return firstOf(users, records);
  const { path } = field;
  const words = nobody.map(([word]) => word);
  const times = nobody.reduce((sum, [, count]) => sum + count, 0);
  open.push(
    `${path} is ${words.join(" or ")} in ${times} records, taken as nobody: ` +
      (other === undefined ? "they are rejected" : `their user is ${other.path}`),
  );
  const values = Object.fromEntries(words.map((word) => [word, null]));
  // Ids of two kinds may be equal.
  return other === undefined ? { path, values } : { first: [path, `${other.path}-{${other.path}}`], values };
}

/** The steps to the object that holds a field, or to the field itself at the top level. */
function branchOf(steps: readonly Step[]): readonly Step[] {
  return steps.length > 1 ? steps.slice(0, -1) : steps;
}

/** Number of lists around a field. */
function depthOf({ steps }: SurveyedField): number {
  return steps.filter((step) => step === null).length;
}

/** The steps to the innermost list around a field. */
function listOf({ steps }: SurveyedField): readonly Step[] {
  return steps.slice(0, steps.lastIndexOf(null));
}

/** The path of that list's entries; for nested lists, of all such entries together. */
function entriesOf(list: SurveyedField): string {
  return pathOf(depthOf(list) === 1 ? listOf(list) : [...listOf(list), null]);
}

/** The path of an entry's field in a rule that iterates over its list. */
function ofEntry({ steps }: SurveyedField): string {
  return pathOf(steps.slice(steps.lastIndexOf(null) + 1), "@");
}

/** Whether a field may tell kinds of records apart: a text with few, recurring values. */
function isKind({ types, values, hasMore, records }: SurveyedField, all: number): boolean {
  const isText = types.every((type) => type === "text");
  return isText && !hasMore && values.size <= MAX_KINDS && records > all / 2 &&
    (values.size < records || all < 20);
}

/** Whether a field differs in every record. @param repeated share of records that may have the value of another one */
function isUnique({ values, hasMore, records }: SurveyedField, all: number, repeated = 0): boolean {
  return records === all && (hasMore || values.size >= records * (1 - repeated));
}
