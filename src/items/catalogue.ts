/**
 * The items a task knows: what the catalogue says of them, their running statistics, their popularity. Items
 * are interned: a u32 index stands for an id within one process, and ids go into every durable record.
 *
 * @module
 */

import type { Attributes, ItemRecord } from "../events/event.ts";
import { ItemStatistics } from "../features/kept_statistics.ts";
import type { ItemFacts } from "../features/statistics.ts";
import { type FeatureSchema, fieldValues } from "../features/schema.ts";

const NO_ATTRIBUTES: Attributes = {};

/** One item. */
export interface CatalogueItem extends ItemFacts {
  /** Its number in this process. */
  readonly index: number;
  /** Its id. */
  readonly id: string;
  /** Whether a catalogue record was seen, or only events that name it. */
  listed: boolean;
  /** Categories, most important first. */
  categories: readonly string[];
  /** Everything else that the catalogue record says, by name; for filters. */
  attributes: Attributes;
  /** Values of the schema's item fields. */
  fields: readonly (string | null)[];
  /** Values of the schema's crosses. */
  crosses: readonly (string | null)[];
  /** Never recommended while true. */
  hidden: boolean;
  /** Not recommended from this time on. */
  expires: number;
  /** Event time of the first sight, or the time of the catalogue record when that is earlier. */
  firstTime: number;
  /** Event time of the newest catalogue record applied. */
  recordTime: number;
  /** Decayed popularity, see `popularity.ts`; −∞ before the first positive. It is that of the two parts together. */
  popularity: number;
  /** What of it the task's own users make. */
  ownPopularity: number;
  /** What of it the users of other tasks make, see `retrieval/items/item_lists.ts`. */
  othersPopularity: number;
  /** What was learnt of the item. */
  readonly statistics: ItemStatistics;
}

/** Items by id and by index. */
export class Catalogue {
  /** Which attributes are features. */
  readonly schema: FeatureSchema;
  readonly #byId = new Map<string, CatalogueItem>();
  readonly #items: CatalogueItem[] = [];
  readonly #maxUnlisted: number;
  #unlisted = 0;

  /**
   * An empty catalogue; `schema` names the attributes that are features.
   *
   * @param maxUnlisted Items that events may make known which no record of the catalogue has.
   */
  constructor(schema: FeatureSchema, maxUnlisted = Infinity) {
    this.schema = schema;
    this.#maxUnlisted = maxUnlisted;
  }

  /** Items that events may still make known which no record of the catalogue has. */
  get room(): number {
    return Math.max(0, this.#maxUnlisted - this.#unlisted);
  }

  /** Says that a record of the catalogue has an item. */
  list(item: CatalogueItem): void {
    if (item.listed) return;
    item.listed = true;
    this.#unlisted--;
  }

  /** Number of items. */
  get size(): number {
    return this.#items.length;
  }

  /** The item at an index that this catalogue gave out. */
  at(index: number): CatalogueItem {
    const item = this.#items[index];
    if (item === undefined) {
      throw new RangeError(`Cannot find item ${index} in the catalogue: it has ${this.#items.length}`);
    }
    return item;
  }

  /** Which of two items comes first by id; 0 for one and the same. */
  compare(a: number, b: number): number {
    if (a === b) return 0;
    return this.at(a).id < this.at(b).id ? -1 : 1;
  }

  /** The item, if known. */
  get(id: string): CatalogueItem | undefined {
    return this.#byId.get(id);
  }

  /** All items in the order of their first sight. */
  items(): Iterable<CatalogueItem> {
    return this.#items;
  }

  /** The item, known from now on. */
  intern(id: string, time: number): CatalogueItem {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const item: CatalogueItem = {
      index: this.#items.length,
      id,
      listed: false,
      categories: [],
      attributes: NO_ATTRIBUTES,
      fields: this.schema.itemFields.map(() => null),
      crosses: this.schema.crosses.map(() => null),
      hidden: false,
      expires: Infinity,
      firstTime: time,
      recordTime: -Infinity,
      popularity: -Infinity,
      ownPopularity: -Infinity,
      othersPopularity: -Infinity,
      statistics: new ItemStatistics(),
    };
    this.#byId.set(id, item);
    this.#items.push(item);
    this.#unlisted++;
    return item;
  }

  /** Applies a catalogue record; one older than the last applied changes nothing. A repeated category counts once. */
  apply(record: ItemRecord): CatalogueItem {
    const item = this.intern(record.item, record.time);
    if (record.time < item.recordTime) return item;
    const attributes = record.attributes ?? {};
    this.list(item);
    item.recordTime = record.time;
    item.firstTime = Math.min(item.firstTime, record.time);
    const categories = [
      ...new Set(record.categories ?? (record.category === undefined ? [] : [record.category])),
    ];
    // An unchanged list keeps its identity: that is how others see that nothing changed.
    if (!sameList(item.categories, categories)) item.categories = categories;
    item.attributes = { ...record.attributes };
    item.fields = fieldValues(this.schema.itemFields, attributes);
    item.crosses = fieldValues(this.schema.crosses, attributes);
    item.hidden = record.hidden ?? false;
    item.expires = record.expires ?? Infinity;
    return item;
  }

  /** Marks an item as removed: it stays in histories and is never recommended. */
  remove(id: string, time: number): CatalogueItem {
    const item = this.intern(id, time);
    item.hidden = true;
    return item;
  }
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
