/**
 * Suggests a mapping for a source from the names and values of its fields. Somebody who knows the data must review it.
 *
 * @module
 */

import type { MappingSettings, RuleSettings, ValueSpec } from "./mapping_options.ts";
import { pathOf, type Step } from "./path.ts";
import type { SurveyedField } from "./survey.ts";

/** A mapping that may fit, and open questions. */
export interface Suggestion {
  /** The mapping; without rules when there is no user or no item. */
  readonly mapping: MappingSettings;
  /** What only somebody who knows the data can answer, one sentence each. */
  readonly open: readonly string[];
}

/** Words for what a field holds, without case, `_`, `-`, a plural and {@linkcode ENDING}; the likeliest first. */
const WORDS = {
  user:
    "user uid u userpseudo distinct customer member account visitor profile person shopper buyer subscriber actor who player listener viewer reader patient guest owner client login anonymou anon device cookie session",
  item:
    "item i product sku article content contentsku movie video track song album episode podcast film asin offer good listing book post story recipe course job hotel property restaurant game material title",
  time: "time timestamp ts eventtime occurredat createdat eventtimestamp datetime date at timems",
  id: "event message id uu",
  request: "request impression list search query",
  value: "value rating star score amount price revenue duration dwell second",
  surface: "surface page placement slot widget screen channel",
  kind: "event evt type eventtype eventname action name kind activity verb behavior behaviour",
} as const;
/** Endings of the names of identifiers. */
const ENDING = /(id|no|nr|num|number|key|ref|code)$/;

/** Our actions by parts of foreign words; the first match counts. */
const ACTIONS: readonly (readonly [part: RegExp, action: string])[] = [
  [/dislike|downvote|thumbs?_?down|hide/, "dislike"],
  [/wish|fav|like|upvote|bookmark|save/, "like"],
  [/purchase|order|buy|bought|checkout|transaction|paid|payment|sale/, "purchase"],
  [/cart|basket|bag/, "cart"],
  [/rat(e|ing)|review|stars/, "rating"],
  [/click|tap|select|open/, "click"],
  [/view|visit|detail|pv|watch|play|read|listen/, "view"],
];
/** Words for lists that were shown. */
const SHOWN = /impression|exposure|shown|displayed|list[ _-]?view|view.*list|served|render|plp/;
/** Words for lists of bought items. */
const BOUGHT = /line|order|basket|cart|purchase|bought|qty|quantity/;
/** Words for "no user". */
const NOBODY = /^(n\/?a|null|none|nil|nan|\\n|undefined|unknown|anonymous|guest)$/i;
/** Most kinds of records that are told apart. */
const MAX_KINDS = 50;
/** Most values of a field about which a question is asked. */
const MAX_TOLD = 10;
/** Fewest values of a field that is guessed to be a user or an item from its values alone. */
const MIN_GUESSED = 5;

/** The roles that fields are assumed to have. */
interface Roles {
  readonly records: number;
  /** Fields outside lists. */
  readonly plain: readonly SurveyedField[];
  /** Fields of entries of the list with items. */
  readonly entries: readonly SurveyedField[];
  /** The text field with few values that tells kinds of records apart. */
  readonly kind: SurveyedField | undefined;
  readonly user: ValueSpec;
  /** Fields that hold one item, and the field that holds the items of a list; there is at least one of them. */
  readonly items: readonly SurveyedField[];
  readonly list: SurveyedField | undefined;
  /** Values of `kind` for shown lists, and our actions by its values for interactions. */
  readonly shown: readonly string[];
  readonly actions: Readonly<Record<string, string>>;
  /** Id, user and time of every event. */
  readonly shared: Readonly<Record<string, ValueSpec>>;
}

/** Suggests a mapping. @param records how many were surveyed */
export function suggest(fields: readonly SurveyedField[], records: number): Suggestion {
  const open: string[] = [];
  const roles = rolesOf(fields, records, open);
  if (roles === undefined) return { mapping: { rules: [] }, open };
  const rules = rulesOf(roles);
  const { kind, shown, actions } = roles;
  const others = kind === undefined
    ? []
    : [...kind.values.keys()].filter((word) => !shown.includes(word) && !Object.hasOwn(actions, word));
  if (kind !== undefined && others.length > 0) {
    rules.push({ name: "irrelevant", as: "nothing", when: { [kind.path]: others } });
    open.push(`what ${kind.path} ${others.slice(0, 8).join(", ")} should become: nothing, as suggested?`);
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
  const [list] = ranked(inLists, `${WORDS.item} id`);
  const named = { users: ranked(plain, WORDS.user), items: alike(plain, WORDS.item) };
  const guesses = repeated(plain.filter((field) => field !== kind), records);
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
  if (time === undefined) open.push("no field looks like a time; in a topic, the time of the record counts");
  const user = userOf(users, records, open);
  if (user === undefined || (items.length === 0 && list === undefined)) return undefined;
  const words = kind === undefined ? [] : [...kind.values.keys()];
  const shown = words.filter(isShown);
  const actions = words.flatMap((word) => {
    const action = shown.includes(word) ? undefined : actionOf(word);
    return action === undefined ? [] : [[word, action]];
  });
  const ids = plain.filter((field) => isUnique(field, records));
  return {
    records,
    plain,
    kind,
    user,
    items,
    list,
    shown,
    entries: list === undefined
      ? []
      : inLists.filter((field) =>
        depthOf(field) === depthOf(list) && isWithin(field.steps, [...listOf(list), null])
      ),
    actions: Object.fromEntries(actions),
    shared: { ...fieldOf("id", ids), user, ...(time !== undefined && { time: time.path }) },
  };
}

function rulesOf(roles: Roles): RuleSettings[] {
  const { list, kind, items, entries, shown, shared, plain } = roles;
  const isBought = kind === undefined && items.length === 0 &&
    entries.some(({ steps }) => wordsOf(steps).some((word) => BOUGHT.test(word)));
  if (list === undefined || isBought || (kind !== undefined && shown.length === 0)) return actRules(roles);
  const lists: RuleSettings = {
    name: "lists",
    as: "impression",
    when: kind === undefined ? { [pathOf(listOf(list))]: { exists: true } } : { [kind.path]: shown },
    fields: { ...shared, items: list.path, ...fieldOf("request", plain), ...fieldOf("surface", plain) },
  };
  return kind === undefined && items.length === 0 ? [lists] : [lists, ...actRules(roles)];
}

/** Rules for interactions: for the entries of a list, for each branch with an item, or for whole records. */
function actRules(roles: Roles): RuleSettings[] {
  const { kind, items, list, actions, plain, entries, records, shared } = roles;
  const each = items.length === 0 && list !== undefined ? entriesOf(list) : undefined;
  const values = Object.keys(actions);
  if (kind !== undefined && values.length === 0) return [];
  const isSame = values.every((word) => word === actions[word]);
  const told = kind && (isSame ? kind.path : { path: kind.path, values: actions });
  const rule = (
    name: string,
    path: string,
    { item, action, from }: {
      readonly item: ValueSpec;
      readonly action: ValueSpec;
      readonly from: readonly SurveyedField[];
    },
  ): RuleSettings => ({
    name,
    as: "interaction",
    when: kind === undefined ? { [path]: { exists: true } } : { [kind.path]: values },
    ...(each !== undefined && { each }),
    fields: {
      ...shared,
      item,
      action,
      ...fieldOf(
        "value",
        each === undefined ? from : entries.map((field) => ({ ...field, path: ofEntry(field) })),
      ),
      ...fieldOf("request", from),
      ...fieldOf("surface", from),
    },
  });
  if (each !== undefined) {
    const action = told ?? { value: "purchase" };
    return [
      rule(kind === undefined ? "purchases" : "interactions", each, {
        item: ofEntry(list!),
        action,
        from: plain,
      }),
    ];
  }
  const branches = Map.groupBy(items.slice(0, MAX_KINDS), ({ steps }) => pathOf(branchOf(steps)));
  if (kind !== undefined || branches.size < 2 || items[0]!.records >= records) {
    const item = firstOf(items, records)!;
    const [graded] = ranked(plain, WORDS.value);
    const isRating = graded !== undefined && actionOf(graded.path) === "rating";
    const action = told ?? { value: isRating ? "rating" : "view" };
    return [rule("interactions", items[0]!.path, { item, action, from: plain })];
  }
  const all = [...items.map(({ steps }) => steps), ...(list === undefined ? [] : [listOf(list)])].map(
    branchOf,
  );
  return Array.from(branches, ([name, [item]]) => {
    const { steps, path } = item!; // of `groupBy()`
    const others = all.filter((one) => pathOf(one) !== name);
    const from = plain.filter((field) => !others.some((one) => isWithin(field.steps, one)));
    const action = { value: actionOf(nameOf(branchOf(steps))) ?? "view" };
    return rule(name, name, { item: path, action, from });
  });
}

/** Our action for a foreign word. */
function actionOf(word: string): string | undefined {
  return ACTIONS.find(([part]) => part.test(word.toLowerCase()))?.[1];
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

/** Whether values are amounts, not ids. */
function isFraction(values: SurveyedField["values"]): boolean {
  return [...values.keys()].some((text) => /^-?\d+[.,]\d+$/.test(text));
}

/** The likeliest of some fields for one of ours. */
function fieldOf(name: keyof typeof WORDS, fields: readonly SurveyedField[]): Record<string, ValueSpec> {
  const [found] = ranked(fields, WORDS[name]);
  return found === undefined ? {} : { [name]: found.path };
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

function isWithin(steps: readonly Step[], outer: readonly Step[]): boolean {
  return outer.every((step, i) => step === steps[i]);
}

/** The names in a path, in lower case; a name with dots counts as several. */
function wordsOf(steps: readonly Step[]): readonly string[] {
  return steps.flatMap((step) => typeof step === "string" ? step.toLowerCase().split(".") : [])
    .map((name) => name.replaceAll(/[_-]/g, "")).filter((name) => name !== "");
}

/** The last name of a path. */
function nameOf(steps: readonly Step[]): string {
  return String(steps.at(-1) ?? "");
}

/** The fields named by one of the words, likeliest first. */
function ranked(fields: readonly SurveyedField[], words: string): readonly SurveyedField[] {
  return ranks(fields, words).map(({ field }) => field);
}

/** The fields named by one of the words that are as likely as the first. */
function alike(fields: readonly SurveyedField[], words: string): readonly SurveyedField[] {
  const all = ranks(fields, words);
  return all.filter(({ rank }) => rank === all[0]!.rank).map(({ field }) => field);
}

/**
 * Fields named by one of the words: by their own name, or joined with the parent's. Sorted by word, those with an
 * {@linkcode ENDING} first, then by number of records.
 */
function ranks(
  fields: readonly SurveyedField[],
  words: string,
): readonly { readonly field: SurveyedField; readonly rank: number }[] {
  const all = words.split(" ");
  return fields.flatMap((field) => {
    const names = wordsOf(field.steps);
    const found = [names.at(-1) ?? "", names.slice(-2).join("")].flatMap((name) => {
      const bare = name.replace(ENDING, "");
      const places = [name, bare, bare.replace(/s$/, "")].map((word) => all.indexOf(word));
      return places.filter((at) => at >= 0).map((at) => 2 * at + (bare === name ? 1 : 0));
    });
    return found.length === 0 ? [] : [{ field, rank: Math.min(...found) }];
  }).toSorted((a, b) => a.rank - b.rank || b.field.records - a.field.records);
}

/** Whether a field may tell kinds of records apart: a text with few, recurring values. */
function isKind({ types, values, hasMore, records }: SurveyedField, all: number): boolean {
  const isText = types.every((type) => type === "text");
  return isText && !hasMore && values.size <= MAX_KINDS && records > all / 2 &&
    (values.size < records || all < 20);
}

/** Whether a field differs in every record. */
function isUnique({ values, hasMore, records }: SurveyedField, all: number): boolean {
  return records === all && (hasMore || values.size === records);
}
