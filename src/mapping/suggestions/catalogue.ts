/**
 * Suggests rules for records that are items of a catalogue: each names another item, and none names a user.
 *
 * @module
 */

import { alike, fieldOf, ranked, WORDS } from "./field_names.ts";
import type { RuleSettings } from "../mapping_options.ts";
import type { SurveyedField } from "./survey.ts";

/** Fewest different items per record: a catalogue has several records of an item that changed. */
const LEAST_DIFFERENT = 0.5;

/** The rules; none when these are no items. @param isKeyed whether a removed item is a record without a value */
export function catalogueRules(
  fields: readonly SurveyedField[],
  records: number,
  isKeyed: boolean,
): readonly RuleSettings[] {
  const plain = fields.filter(({ steps, types }) => !steps.includes(null) && !types.includes("list"));
  const titles = ranked(plain, WORDS.title);
  const [item] = alike(plain.filter((field) => !titles.includes(field)), `${WORDS.item} id`);
  const texts = plain.filter(({ types }) => types.join() === "text");
  const category = fieldOf("category", texts);
  const [categories] = ranked(
    fields.filter(({ steps, types }) => types.join() === "list" && !steps.includes(null)),
    WORDS.category,
  );
  const isItem = item !== undefined && item.records === records &&
    (item.hasMore || item.values.size >= LEAST_DIFFERENT * records);
  const isTold = titles.length > 0 || categories !== undefined || "category" in category;
  if (!isItem || !isTold || ranked(plain, WORDS.user).length > 0) return [];
  const [title] = titles;
  const [price] = ranked(plain, WORDS.price);
  const time = ranked(plain.filter(({ isTime }) => isTime), WORDS.time)[0];
  const rule: RuleSettings = {
    name: "items",
    as: "item",
    fields: {
      item: item.path,
      ...(time !== undefined && { time: time.path }),
      ...(title !== undefined && { title: title.path }),
      ...(categories === undefined ? category : { categories: categories.path }),
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
