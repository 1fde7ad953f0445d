/** What the fields of foreign records may hold, judging by their names. */

import type { ValueSpec } from "../mapping_options.ts";
import type { Step } from "../path.ts";
import type { SurveyedField } from "./survey.ts";

/** Words for what a field holds, without case, `_`, `-`, a plural and {@linkcode ENDING}; the likeliest first. */
export const WORDS = {
  user:
    "user uid u userpseudo distinct customer member account visitor profile person shopper buyer subscriber actor who player listener viewer reader patient guest owner client login anonymou anon device cookie session",
  item:
    "item i product sku article ean gtin upc isbn content contentsku movie video track song album episode podcast film asin offer good listing book post story recipe course job hotel property restaurant game material title",
  time:
    "time timestamp ts eventtime occurredat createdat eventtimestamp datetime date at timems updatedat modifiedat changedat lastmodified updated updatedms updatedus modified changed",
  id: "event message id uu",
  order: "order receipt invoice transaction",
  request: "request impression list search query",
  value: "value rating star score amount price unitprice revenue duration dwell second",
  surface: "surface page placement slot widget screen channel",
  title: "title displayname productname itemname name label headline",
  category: "category categorie categorypath department dept genre section shelf collection",
  price: "price listprice saleprice amount",
  available: "available availability instock sellable active enabled published visible",
  stock:
    "stock stockqty stocklevel stockquantity inventory quantity qty onhand quantityavailable availablequantity",
  kind: "event evt type eventtype eventname action name kind activity verb behavior behaviour",
} as const;
/** Endings of the names of identifiers. */
export const ENDING = /(id|no|nr|num|number|key|ref|code)$/;

/** The names in a path, in lower case; a name with dots counts as several. */
export function wordsOf(steps: readonly Step[]): readonly string[] {
  return steps.flatMap((step) => typeof step === "string" ? step.toLowerCase().split(".") : [])
    .map((name) => name.replaceAll(/[_-]/g, "")).filter((name) => name !== "");
}

/** The last name of a path. */
export function nameOf(steps: readonly Step[]): string {
  return String(steps.at(-1) ?? "");
}

/** The fields named by one of the words, likeliest first. */
export function ranked(fields: readonly SurveyedField[], words: string): readonly SurveyedField[] {
  return ranks(fields, words).map(({ field }) => field);
}

/** The fields named by one of the words that are as likely as the first. */
export function alike(fields: readonly SurveyedField[], words: string): readonly SurveyedField[] {
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
      const one = bare.replace(/s$/, "");
      const places = [name, bare, one, one.replace(ENDING, "")].map((word) => all.indexOf(word));
      return places.filter((at) => at >= 0).map((at) => 2 * at + (bare === name ? 1 : 0));
    });
    return found.length === 0 ? [] : [{ field, rank: Math.min(...found) }];
  }).toSorted((a, b) => a.rank - b.rank || b.field.records - a.field.records);
}

/** The likeliest of some fields for one of ours. */
export function fieldOf(
  name: keyof typeof WORDS,
  fields: readonly SurveyedField[],
): Record<string, ValueSpec> {
  const [found] = ranked(fields, WORDS[name]);
  return found === undefined ? {} : { [name]: found.path };
}
