/** Suggests rules for records that are items of a catalogue: each names another item, and none names a user. */

import { alike, ranked, WORDS, wordsOf } from "./field_names.ts";
import type { RuleSettings, ValueSpec } from "../mapping_options.ts";
import { pathOf } from "../path.ts";
import { branchOf } from "./nesting.ts";
import { timeSpec } from "./roles.ts";
import type { SurveyedField } from "./survey.ts";

/** Fewest different items per record: a catalogue has several records of an item that changed. */
const LEAST_DIFFERENT = 0.5;

/** A number, with a point or a comma before its decimals; after a comma, three digits may be thousands. */
const NUMBER = /^-?\d+(\.\d+|,\d\d?)?$/;

/** Names of items' own fields: alone, or after a word for an item, such as `article_name`. */
const TITLE = joined(WORDS.item, WORDS.title), PRICE = joined(WORDS.item, WORDS.price);
/** Names of categories: alone, or before a word for a name, such as `dept_name`. */
const CATEGORY = joined(WORDS.category, "name title label", WORDS.category);

/** The rules; none when these are no items. @param isKeyed whether a removed item is a record without a value */
export function catalogueRules(
  fields: readonly SurveyedField[],
  records: number,
  isKeyed: boolean,
): readonly RuleSettings[] {
  const plain = fields.filter(({ steps, types }) => !steps.includes(null) && !types.includes("list"));
  const titles = ranked(plain, TITLE);
  const [item] = alike(plain.filter((field) => !titles.includes(field)), `${WORDS.item} id`);
  const texts = plain.filter(({ types }) => types.join() === "text");
  const [category] = ranked(texts, CATEGORY);
  const lists = fields.filter(({ steps, types }) => types.join() === "list" && !steps.includes(null));
  const [categories] = ranked(lists, category === undefined ? `${WORDS.category} tag` : WORDS.category);
  const isItem = item !== undefined && item.records === records &&
    (item.hasMore || item.values.size >= LEAST_DIFFERENT * records);
  const isTold = titles.length > 0 || categories !== undefined || category !== undefined;
  if (!isItem || !isTold || ranked(plain, WORDS.user).length > 0) return [];
  const branch = pathOf(branchOf(item.steps));
  const title = titles.find(({ steps }) => pathOf(branchOf(steps)) === branch) ?? titles[0];
  const [price = plain.find(isPrice)] = ranked(plain.filter(isNumber), PRICE);
  const time = ranked(plain.filter(({ isTime }) => isTime), WORDS.time)[0];
  const rule: RuleSettings = {
    name: "items",
    as: "item",
    fields: {
      item: item.path,
      ...(time !== undefined && { time: timeSpec(time) }),
      ...(title !== undefined && { title: title.path }),
      ...(categories === undefined
        ? category && { category: category.path }
        : { categories: categories.path }),
      ...hiddenBy(fields, plain),
    },
    ...(price !== undefined && { attributes: { price: numberOf(price) } }),
  };
  if (!isKeyed) return [rule];
  const removal: RuleSettings = {
    name: "removed",
    as: "removal",
    when: { $tombstone: true },
    fields: { item: "$key" },
  };
  return [removal, rule];
}

/** What hides an item: a flag that it is not for sale, or else nothing in stock. */
function hiddenBy(
  fields: readonly SurveyedField[],
  plain: readonly SurveyedField[],
): Record<string, ValueSpec> {
  const [available] = ranked(fields.filter(isFlag), WORDS.available);
  const [stock] = ranked(plain.filter(isNumber), joined(WORDS.item, WORDS.stock));
  if (stock === undefined) {
    return available ? { hidden: { path: available.path, values: { true: false, false: true } } } : {};
  }
  if (available === undefined) return { hidden: { path: stock.path, values: { 0: true, "*": false } } };
  const values = { true: null, false: true, 0: true, "*": false };
  return { hidden: { first: [available.path, stock.path], values } };
}

/** The fields of a catalogue that its rules do not use, and that may be attributes. */
export function catalogueAttributes(
  fields: readonly SurveyedField[],
  rules: readonly RuleSettings[],
): readonly string[] {
  const used = JSON.stringify(rules.map(({ fields, attributes }) => [fields, attributes])).split(/[^\w.$-]+/);
  return fields.filter(({ steps, types, isTime }) =>
    !steps.includes(null) && !types.includes("json") && !isTime
  )
    .map(({ path }) => path).filter((path) => !used.includes(path));
}

/** Whether it is a number with a name such as `price.list_cents`. */
function isPrice(field: SurveyedField): boolean {
  return isNumber(field) && wordsOf(field.steps).some((word) => word.includes("price"));
}

/** Whether all values are numbers, or texts that are: CSV has only texts. */
function isNumber({ types, values }: SurveyedField): boolean {
  return types.every((type) => type === "text" || type === "number") &&
    [...values.keys()].every((text) => NUMBER.test(text));
}

/** Whether all values are flags, or texts that are. */
function isFlag({ types, values }: SurveyedField): boolean {
  return types.join() === "flag" ||
    (types.join() === "text" && [...values.keys()].every((text) => text === "true" || text === "false"));
}

/** Reads a number, even from a text with a decimal comma. */
function numberOf({ path, steps, values }: SurveyedField): ValueSpec {
  if (![...values.keys()].some((text) => text.includes(","))) return { path, as: "number" };
  const own = steps.map((step) => /^[a-z_]\w*$/i.test(`${step}`) ? step : JSON.stringify(step)).join(".");
  return { expression: `to_number(join('.', split(${own}, ',')))` };
}

/** The words of `first`, then each word of `before` joined with each of `words`. */
function joined(before: string, words: string, first = words): string {
  const pairs = before.split(" ").flatMap((one) => words.split(" ").map((word) => one + word));
  return [first, ...pairs].join(" ");
}
