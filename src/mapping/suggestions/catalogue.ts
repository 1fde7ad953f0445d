/**
 * Suggests rules for records that are items of a catalogue: each names another item, and none names a user.
 *
 * @module
 */

import { alike, ranked, WORDS, wordsOf } from "./field_names.ts";
import type { RuleSettings, ValueSpec } from "../mapping_options.ts";
import type { SurveyedField } from "./survey.ts";

/** Fewest different items per record: a catalogue has several records of an item that changed. */
const LEAST_DIFFERENT = 0.5;

/** Names of items' own fields: alone, or after what items are called: `article_name`. */
const TITLE = joined(WORDS.item, WORDS.title), PRICE = joined(WORDS.item, WORDS.price);
/** Names of categories: alone, or before a word for a name: `dept_name`. */
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
  const [categories] = ranked(
    fields.filter(({ steps, types }) => types.join() === "list" && !steps.includes(null)),
    WORDS.category,
  );
  const isItem = item !== undefined && item.records === records &&
    (item.hasMore || item.values.size >= LEAST_DIFFERENT * records);
  const isTold = titles.length > 0 || categories !== undefined || category !== undefined;
  if (!isItem || !isTold || ranked(plain, WORDS.user).length > 0) return [];
  const [title] = titles;
  const [price = plain.find(isPrice)] = ranked(plain, PRICE);
  const time = ranked(plain.filter(({ isTime }) => isTime), WORDS.time)[0];
  const rule: RuleSettings = {
    name: "items",
    as: "item",
    fields: {
      item: item.path,
      ...(time !== undefined && { time: time.path }),
      ...(title !== undefined && { title: title.path }),
      ...(categories === undefined
        ? category && { category: category.path }
        : { categories: categories.path }),
      ...hiddenBy(fields, plain),
    },
    ...(price !== undefined && { attributes: { price: { path: price.path, as: "number" } } }),
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
  const [available] = ranked(fields.filter(({ types }) => types.join() === "flag"), WORDS.available);
  const [stock] = ranked(
    plain.filter(({ types }) => types.join() === "number"),
    joined(WORDS.item, WORDS.stock),
  );
  if (stock === undefined) {
    return available ? { hidden: { path: available.path, values: { true: false, false: true } } } : {};
  }
  if (available === undefined) return { hidden: { path: stock.path, values: { 0: true, "*": false } } };
  const values = { true: null, false: true, 0: true, "*": false };
  return { hidden: { first: [available.path, stock.path], values } };
}

/** Whether it is a number with a name such as `price.list_cents`. */
function isPrice({ steps, types }: SurveyedField): boolean {
  return types.join() === "number" && wordsOf(steps).some((word) => word.includes("price"));
}

/** The words of one list, then each of another before each of it. */
function joined(before: string, words: string, first = words): string {
  const pairs = before.split(" ").flatMap((one) => words.split(" ").map((word) => one + word));
  return [first, ...pairs].join(" ");
}
