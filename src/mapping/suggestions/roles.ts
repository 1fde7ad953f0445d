/**
 * What fields are for, judging by their names and values: the user, the items, the kind of a record, and so on.
 */

import { alike, ENDING, nameOf, ranked, WORDS, wordsOf } from "./field_names.ts";
import { actionOf } from "../foreign_actions.ts";
import type { ValueSpec } from "../mapping_options.ts";
import { branchOf, listOf } from "./nesting.ts";
import { type SharedId, sharedId } from "./shared_ids.ts";
import { compilePath, isWithin, type Step } from "../path.ts";
import { inferredUnit } from "../times.ts";
import { isUnique, REPEATED, type SurveyedField } from "./survey.ts";

/** Words for lists that were shown. */
const SHOWN = /impression|exposure|shown|displayed|list[ _-]?view|view.*list|served|render|plp/;
/** Words for lists of bought items. */
const BOUGHT = /line|order|basket|cart|purchase|bought|qty|quantity/;
/** Words for "no user". */
const NOBODY = /^(n\/?a|null|none|nil|nan|\\n|undefined|unknown|anonymous|guest)$/i;
/** Dates that are not of ISO 8601: 27.11.2026, 11/27/26 10:00, 2026/11/27, 20261127. */
const OTHER_DATE =
  /^(\d{1,2}([./-])\d{1,2}\2\d{4}|\d{1,2}\/\d{1,2}\/\d\d|\d{4}[./]\d{1,2}[./]\d{1,2})(?!\d)|^(19|20)\d\d(0[1-9]|1[0-2])[0-3]\d$/;
/** Most kinds of records that are told apart. */
export const MAX_KINDS = 50;
/** Share of the values of a time that have its unit: of a clock that restarted in 1970, some have not. */
const OF_UNIT = 0.9;
/** Fewest records for which a field is taken for their id by its values and its ending. */
const MIN_UNIQUE = 20;
/** Fewest values of a field that is guessed to be a user or an item from its values alone. */
const MIN_GUESSED = 5;

/** The roles that fields are assumed to have. */
export interface Roles {
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
  /** The field that differs in every list, where all records are lists and no other is named like that of a list. */
  readonly listId: SurveyedField | undefined;
  /** Id, user and time of every event. */
  readonly shared: Readonly<Record<string, ValueSpec>>;
}

/** The likely roles of fields of records; `undefined` = there is no user or no item. @param open receives open questions */
export function rolesOf(
  fields: readonly SurveyedField[],
  values: readonly unknown[],
  open: string[],
): Roles | undefined {
  const records = values.length;
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
  const guess = (what: string, not: readonly SurveyedField[]) =>
    guessed(what, guesses.filter((field) => !not.includes(field)), open);
  const users = named.users.length > 0 ? named.users : guess("a user", named.items);
  const items = named.items.length > 0 || list !== undefined ? named.items : guess("an item", users);
  const time = timeAmong(plain);
  if (time === undefined) open.push(noteOnTime(dates[0]));
  const user = userOf(users, records, open);
  if (user === undefined || (items.length === 0 && list === undefined)) return undefined;
  const idle = kind === undefined ? new Set() : wordsWithout([...items, ...lists], kind, values);
  const actions = words.flatMap((word) => {
    const action = shown.includes(word) || idle.has(word) ? undefined : actionOf(word);
    return action === undefined ? [] : [[word, action]];
  });
  const ids = plain.filter((field) =>
    isUnique(field, records, REPEATED) && !field.isTime && !users.includes(field) && !items.includes(field)
  );
  const [id = records < MIN_UNIQUE ? undefined : ids.find(isNamedId)] = ranked(ids, WORDS.id);
  const isList = kind === undefined && items.length === 0 && list !== undefined && !isBought(list);
  return {
    records,
    plain,
    kind,
    user,
    items,
    list,
    link: list && (kind === undefined || shown.length > 0)
      ? linkOf(plain, branchOf(listOf(list)))
      : undefined,
    bought: lists.find((field) => isBought(field) && (field !== list || shown.length === 0)),
    shown,
    inLists,
    actions: Object.fromEntries(actions),
    listId: isList && ranked(plain, WORDS.request).length === 0 ? id : undefined,
    shared: { ...(id && { id: id.path }), user, ...(time && { time: timeSpec(time) }) },
  };
}

/** The field that is guessed to be the id of something that no field is named like. */
function guessed(
  what: string,
  [found, ...others]: readonly SurveyedField[],
  open: string[],
): SurveyedField[] {
  if (found === undefined) {
    open.push(`no field looks like the id of ${what}`);
    return [];
  }
  const more = others.length === 0 ? "" : `, or ${others.slice(0, 4).map(({ path }) => path).join(", ")}`;
  open.push(`no field is named like the id of ${what}: judging by values, it may be ${found.path}${more}`);
  return [found];
}

function noteOnTime(date: SurveyedField | undefined): string {
  if (date === undefined) {
    return "no field looks like a time in nearly all records; those of a topic have times of their own";
  }
  const examples = [...date.values.keys()].slice(0, 2).join(", ");
  return `${date.path} may be a time, ${examples}, but is not of ISO 8601: an expression makes it so`;
}

/** Values of `kind` in whose records all of these fields are absent, unless they are so in all records. */
function wordsWithout(
  fields: readonly SurveyedField[],
  kind: SurveyedField,
  values: readonly unknown[],
): ReadonlySet<unknown> {
  const read = ({ path }: SurveyedField, record: unknown) =>
    [compilePath(path).read({ record, element: undefined, index: 0, meta: {} })].flat().find((own) =>
      own != null
    );
  const having = values.filter((record) => fields.some((field) => read(field, record) !== undefined));
  const busy = new Set(having.map((record) => read(kind, record)));
  return new Set(busy.size === 0 ? [] : [...kind.values.keys()].filter((word) => !busy.has(word)));
}

/** The id that shown lists and other records have in common. @param branch the steps to what only lists have */
function linkOf(plain: readonly SurveyedField[], branch: readonly Step[]): SharedId | undefined {
  const isOfList = ({ steps }: SurveyedField) => steps.length > branch.length && isWithin(steps, branch);
  return sharedId(plain.filter(isOfList), plain.filter((field) => !isOfList(field)));
}

/** Whether a field is in a list of bought items. */
export function isBought({ steps }: SurveyedField): boolean {
  return wordsOf(steps).some((word) => BOUGHT.test(word));
}

/** The likeliest time of an event. */
export function timeAmong(fields: readonly SurveyedField[]): SurveyedField | undefined {
  const timed = fields.filter(({ isTime }) => isTime);
  return ranked(timed, WORDS.time)[0] ?? timed[0];
}

/** Where a time is, and the unit of its numbers: inferred for each, a clock of 1970 might look like a valid one. */
export function timeSpec({ path, values }: SurveyedField): ValueSpec {
  const units = [...values.keys()].map(inferredUnit);
  const unit = units.find((one) => one !== undefined && one !== "s");
  const isOfUnit = unit !== undefined && units.filter((one) => one === unit).length > OF_UNIT * units.length;
  return isOfUnit ? { path, unit } : path;
}

/** Whether its name ends like that of an id: `playId`, `view_uuid`. */
function isNamedId({ steps }: SurveyedField): boolean {
  return /id$/i.test(nameOf(steps));
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
export function firstOf(fields: readonly SurveyedField[], records: number): ValueSpec | undefined {
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

/** Whether a field may tell kinds of records apart: a text with few, recurring values. */
function isKind({ types, values, hasMore, records }: SurveyedField, all: number): boolean {
  const isText = types.every((type) => type === "text");
  return isText && !hasMore && values.size <= MAX_KINDS && records > all / 2 &&
    (values.size < records || all < 20);
}
