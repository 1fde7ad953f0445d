/** Which items a request's filter lets through. */

import type { AttributeValue, Condition, RequestFilter } from "../events/event.ts";
import type { CatalogueItem } from "../items/catalogue.ts";

/** The parts of an item that a filter reads. */
export type Filtered = Pick<CatalogueItem, "categories" | "attributes">;

/** Whether an item passes a filter. An item without a catalogue record has no categories and attributes. */
export function filterOf(filter: RequestFilter = {}): (item: Filtered) => boolean {
  const categories = filter.categories === undefined ? null : new Set(filter.categories);
  const all = filter.allCategories ?? [];
  const not = new Set(filter.notCategories);
  const where = filter.where ?? [];
  if (categories === null && all.length + not.size + where.length === 0) return () => true;
  return (item) =>
    (categories === null || item.categories.some((category) => categories.has(category))) &&
    all.every((category) => item.categories.includes(category)) &&
    (not.size === 0 || !item.categories.some((category) => not.has(category))) &&
    where.every((condition) => meets(item, condition));
}

/** Whether an item meets a condition. */
export function meets({ attributes }: Filtered, { attribute, is, value }: Condition): boolean {
  const own: AttributeValue | undefined = Object.hasOwn(attributes, attribute)
    ? attributes[attribute]
    : undefined;
  switch (is) {
    case "=":
      return own === value;
    case "!=":
      return own !== value;
    case "has":
      return Array.isArray(own) && own.includes(value);
    default:
      return typeof own === typeof value && own !== undefined && compares(own, is, value);
  }
}

/** Whether values of one type compare like this, in JavaScript's order. */
function compares(a: AttributeValue, is: "<" | "<=" | ">" | ">=", b: AttributeValue): boolean {
  switch (is) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
  }
}
