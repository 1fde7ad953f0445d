/**
 * Suggests how a source may be mapped, by the names of its fields and by what they hold. Somebody who knows the data
 * has to look at it.
 *
 * @module
 */

import type { MappingSettings, RuleSettings, ValueSpec } from "./mapping_options.ts";
import type { SurveyedField } from "./survey.ts";

/** A mapping that may fit, and what it does not know. */
export interface Suggestion {
  /** The mapping; without rules when there is no user or no item. */
  readonly mapping: MappingSettings;
  /** What whoever knows the data has to say, one sentence each. */
  readonly open: readonly string[];
}

/** Names that fields have, without case, `_` and `-`; the likeliest first. */
const NAMES = {
  user:
    "userid user uid customerid customer memberid accountid visitorid clientid profileid personid anonymousid",
  item:
    "itemid item productid product sku articleid article contentid contentsku movieid videoid trackid asin offerid",
  time: "time timestamp ts eventtime occurredat createdat eventtimestamp datetime date at timems",
  id: "eventid messageid id uuid",
  request: "requestid impressionid listid searchid queryid request",
  value: "value rating stars score amount price revenue duration dwell",
  surface: "surface page placement widget screen channel",
  kind: "event evt type eventtype eventname action name kind activity verb behavior behaviour",
} as const;

/** Our actions by parts of words of others; the first that is found counts. */
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
const SHOWN = /impression|exposure|shown|displayed|list[ _-]?view|served|rendered/;
/** Most kinds of records that are looked at one by one. */
const MAX_KINDS = 50;

/** Suggests a mapping. @param records how many were surveyed */
export function suggest(fields: readonly SurveyedField[], records: number): Suggestion {
  const plain = fields.filter(({ path, types }) => !path.includes("[*]") && !types.includes("list"));
  const entries = fields.filter(({ path }) =>
    path.includes("[*]") && path.indexOf("[*]") === path.lastIndexOf("[*]")
  );
  const pick = (what: keyof typeof NAMES, from = plain) => nearest(from, NAMES[what].split(" "));
  const user = pick("user"), item = pick("item"), value = pick("value"), surface = pick("surface");
  const time = pick("time", plain.filter(({ isTime }) => isTime)) ?? plain.find(({ isTime }) => isTime);
  const id = pick("id", plain.filter((field) => isUnique(field, records)));
  const kind = nearest(plain.filter((field) => isKind(field, records)), NAMES.kind.split(" "));
  const list = nearest(entries, [...NAMES.item.split(" "), "id"]) ??
    entries.find(({ path }) => /items?\[\*\]$|products?\[\*\]$/.test(path));
  const open: string[] = [];
  if (user === undefined) open.push("no field looks like the id of a user");
  if (item === undefined && list === undefined) open.push("no field looks like the id of an item");
  if (time === undefined) open.push("no field looks like a time; in a topic, that of the record counts");
  if (user === undefined || (item === undefined && list === undefined)) {
    return { mapping: { rules: [] }, open };
  }

  const shared: Record<string, ValueSpec> = {
    ...(id === undefined ? {} : { id: id.path }),
    user: user.path,
    ...(time === undefined ? {} : { time: time.path }),
  };
  const words = kind === undefined ? [] : [...kind.values.keys()];
  const shownWords = words.filter((word) => SHOWN.test(word.toLowerCase()));
  const actions = Object.fromEntries(
    words.filter((word) => !shownWords.includes(word)).flatMap((word) => {
      const action = ACTIONS.find(([part]) => part.test(word.toLowerCase()))?.[1];
      return action === undefined ? [] : [[word, action]];
    }),
  );
  const others = words.filter((word) => !shownWords.includes(word) && !Object.hasOwn(actions, word));
  const rules: RuleSettings[] = [];
  if (list !== undefined && (kind === undefined || shownWords.length > 0 || item === undefined)) {
    const of = shownWords.length > 0 ? shownWords : null;
    rules.push({
      name: "lists",
      as: "impression",
      when: kind !== undefined && of !== null
        ? { [kind.path]: of }
        : { [listOf(list.path)]: { exists: true } },
      fields: { ...shared, items: list.path, ...request(fields), ...named("surface", surface) },
    });
  }
  if (item !== undefined && (kind === undefined || Object.keys(actions).length > 0)) {
    if (kind === undefined) open.push("no field says what a record is: all of them are taken as views");
    rules.push({
      name: "interactions",
      as: "interaction",
      when: kind === undefined ? { [item.path]: { exists: true } } : { [kind.path]: Object.keys(actions) },
      fields: {
        ...shared,
        item: item.path,
        action: kind === undefined ? { value: "view" } : actionOf(kind.path, actions),
        ...named("value", value),
        ...request(fields),
        ...named("surface", surface),
      },
    });
  }
  if (kind !== undefined && others.length > 0) {
    rules.push({ name: "of no use", as: "nothing", when: { [kind.path]: others } });
    open.push(`what ${kind.path} ${others.slice(0, 8).join(", ")} should become: nothing, as suggested?`);
  }
  if (!rules.some(({ as }) => as === "impression")) {
    open.push("no list that was shown: without impressions no click model learns");
  }
  return { mapping: { rules }, open };
}

function actionOf(path: string, actions: Readonly<Record<string, string>>): ValueSpec {
  const isSame = Object.entries(actions).every(([word, action]) => word === action);
  return isSame ? path : { path, values: actions };
}

function request(fields: readonly SurveyedField[]): Record<string, ValueSpec> {
  const found = nearest(fields.filter(({ path }) => !path.includes("[*]")), NAMES.request.split(" "));
  return named("request", found);
}

function named(name: string, field: SurveyedField | undefined): Record<string, ValueSpec> {
  return field === undefined ? {} : { [name]: field.path };
}

/** The path of the list that entries of a path are in. */
function listOf(path: string): string {
  return path.slice(0, path.indexOf("[*]"));
}

/** The field whose name comes first among names; among those of one name, the one that most records have. */
function nearest(fields: readonly SurveyedField[], names: readonly string[]): SurveyedField | undefined {
  const ranks = fields.flatMap((field) => {
    const steps = field.path.toLowerCase().split(/[.[\]"*]+/).filter((step) => step !== "").map((step) =>
      step.replaceAll(/[_-]/g, "")
    );
    const last = steps.at(-1) ?? "", whole = steps.slice(-2).join("");
    const rank = Math.min(...[last, whole].map((name) => names.indexOf(name)).filter((at) => at >= 0));
    return Number.isFinite(rank) ? [{ field, rank }] : [];
  });
  return ranks.toSorted((a, b) => a.rank - b.rank || b.field.records - a.field.records)[0]?.field;
}

/** Whether a field tells kinds of records: a text with few values that come again. */
function isKind({ types, values, hasMore, records }: SurveyedField, all: number): boolean {
  const isText = types.every((type) => type === "text");
  return isText && !hasMore && values.size <= MAX_KINDS && records > all / 2 &&
    (values.size < records || all < 20);
}

/** Whether a field is another for every record. */
function isUnique({ values, hasMore, records }: SurveyedField, all: number): boolean {
  return records === all && (hasMore || values.size === records);
}
