/**
 * The items of a task, with their catalogue records, running statistics and popularity. Items are interned: a u32
 * index stands for an id within one process; durable records contain the ids.
 */

import type { Attributes, ItemRecord } from "../events/event.ts";
import { type Rejected, rejectViolation } from "../events/rejected.ts";
import { ItemStatistics } from "../features/kept_statistics.ts";
import type { ItemFacts } from "../features/statistics.ts";
import type { ItemFeatures } from "../samples/rows.ts";
import { type ItemField, itemField, itemFieldTexts, itemFieldViolation } from "../features/item_field.ts";
import { type FeatureSchema, fieldValues } from "../features/schema.ts";
import { Room } from "./room.ts";
import { SharedLists } from "./shared_lists.ts";
import { atOnce, type Portions } from "../values/portions.ts";
import { titleOf } from "./title.ts";

export class CatalogueItem implements ItemFacts {
  /** What models read of it. Replaced by another object at each change, so that lists that were shown keep theirs. */
  features: ItemFeatures;
  /** Whether a catalogue record was seen, or only events that name it. */
  listed = false;
  /** Its name for people; `null` if the catalogue has none. */
  title: string | null = null;
  /** The attributes in the catalogue record, by name; for filters. */
  attributes: Attributes = {};
  /** Values of the schema's crosses. */
  crosses: readonly (string | null)[];
  /** Never recommended while true. */
  withheld = false;
  /** Not recommended from this time on. */
  expires = Infinity;
  /** Event time of its first event, or the time of the catalogue record when that is earlier. */
  firstTime: number;
  /** Event time of the newest catalogue record applied. */
  recordTime = -Infinity;
  /** Decayed popularity, see `popularity.ts`; −∞ before the first positive. The next two parts, joined. */
  popularity = -Infinity;
  /** The part that the task's own users contribute. */
  ownPopularity = -Infinity;
  /** The part that users of other tasks contribute, see `retrieval/items/item_lists.ts`. */
  othersPopularity = -Infinity;
  readonly statistics: ItemStatistics = new ItemStatistics();

  /** An item without events and without a catalogue record. */
  constructor(features: ItemFeatures, crosses: readonly (string | null)[], time: number) {
    this.features = features;
    this.crosses = crosses;
    this.firstTime = time;
  }

  /** Its number in this process. */
  get index(): number {
    return this.features.index;
  }

  get id(): string {
    return this.features.id;
  }

  /** Categories, most important first. */
  get categories(): readonly string[] {
    return this.features.categories;
  }

  /** Values of the schema's item fields. */
  get fields(): readonly (string | null)[] {
    return this.features.fields;
  }

  /**
   * Sets what models read of it from now on. A list with equal values keeps its identity, by which others see that
   * nothing changed.
   */
  describe(categories: readonly string[], fields: readonly (string | null)[]): void {
    this.features = this.featuresWith(categories, fields);
  }

  /** Its features with these categories and fields; the same object if it already has them. */
  featuresWith(categories: readonly string[], fields: readonly (string | null)[]): ItemFeatures {
    const { index, id, categories: before, fields: fieldsBefore } = this.features;
    const [sameCategories, sameFields] = [isSame(before, categories), isSame(fieldsBefore, fields)];
    if (sameCategories && sameFields) return this.features;
    return {
      index,
      id,
      categories: sameCategories ? before : categories,
      fields: sameFields ? fieldsBefore : fields,
    };
  }
}

type Indices = readonly number[] | Uint32Array;

/** Indices that are sorted, or merged, without a pause. */
const RUN = 512;

/** Items by id and by index. */
export class Catalogue {
  readonly schema: FeatureSchema;
  /** Room for unlisted items. */
  readonly room: Room;
  /** Items with a catalogue record, removed ones included. */
  listed = 0;
  /** Whether it lists nearly all items that users take; others are then not recommended. */
  isComplete = false;
  readonly #itemFields: readonly ItemField[];
  readonly #byId = new Map<string, CatalogueItem>();
  readonly #items: CatalogueItem[] = [];
  /** By index. */
  readonly #ids: string[] = [];
  readonly #lists = new SharedLists();
  /** The values of an item without a catalogue record. */
  readonly #unsaid: Pick<CatalogueItem, "categories" | "fields" | "crosses">;
  /**
   * Indices of the items at the last {@linkcode Catalogue.byId}, sorted by id, and the place of each in that order:
   * comparing places is faster than comparing ids.
   */
  #order = new Uint32Array(0);
  #ranks = new Uint32Array(0);
  #sorted = new Uint32Array(256);

  /**
   * An empty catalogue; `schema` names the attributes that are features.
   *
   * @param maxUnlisted items that events may introduce without a catalogue record
   */
  constructor(schema: FeatureSchema, maxUnlisted = Infinity) {
    this.schema = schema;
    this.#itemFields = schema.itemFields.map(itemField);
    this.room = new Room(maxUnlisted);
    this.#unsaid = {
      categories: this.#lists.of([]),
      fields: this.#lists.of(schema.itemFields.map(() => null)),
      crosses: schema.crosses.map(() => null),
    };
  }

  /** Marks an item as listed: it has a catalogue record. */
  list(item: CatalogueItem): void {
    if (item.listed) return;
    item.listed = true;
    this.listed++;
    this.room.free();
  }

  get size(): number {
    return this.#items.length;
  }

  /** Whether an item may be on lists, unless it has expired. */
  offers({ withheld, listed }: CatalogueItem): boolean {
    return !withheld && (listed || !this.isComplete);
  }

  /** The item at an index that this catalogue assigned. */
  at(index: number): CatalogueItem {
    const item = this.#items[index];
    if (item === undefined) {
      throw new RangeError(`Cannot find item ${index} in the catalogue: it has ${this.#items.length} items`);
    }
    return item;
  }

  /** The id of the item at an index that this catalogue assigned. */
  idOf(index: number): string {
    return this.#ids[index]!;
  }

  /** Compares two items by id; 0 if they are the same. */
  compare(a: number, b: number): number {
    if (a === b) return 0;
    const ranks = this.#ranks;
    if (a < ranks.length && b < ranks.length) return ranks[a]! - ranks[b]!;
    return this.idOf(a) < this.idOf(b) ? -1 : 1;
  }

  /** Sorts distinct indices by id: fast for items that existed at the last {@linkcode Catalogue.byId}. */
  sort(indices: number[]): number[] {
    const order = this.#order, ranks = this.#ranks;
    if (indices.length > this.#sorted.length) this.#sorted = new Uint32Array(2 * indices.length);
    const sorted = this.#sorted;
    const others: number[] = [];
    let known = 0;
    for (const index of indices) {
      if (index < ranks.length) sorted[known++] = ranks[index]!;
      else others.push(index);
    }
    const first = sorted.subarray(0, known).sort();
    for (let k = 0; k < known; k++) first[k] = order[first[k]!]!;
    others.sort((a, b) => this.compare(a, b));
    atOnce(this.#merging(first, others, indices));
    return indices;
  }

  /**
   * Indices of all items, sorted by id; valid until an item is added. O(items), and O(n log n) for n items that are new
   * in the order, in portions.
   */
  *byId(): Portions<Uint32Array> {
    const before = this.#order, size = this.size;
    if (size === before.length) return before;
    const order = new Uint32Array(size), ranks = new Uint32Array(size);
    yield* this.#merging(before, yield* this.#sorting(before.length, size), order);
    for (let place = 0; place < size; place++) ranks[order[place]!] = place;
    this.#order = order;
    this.#ranks = ranks;
    return order;
  }

  /** The indices from `start` to before `end`, sorted by id. */
  *#sorting(start: number, end: number): Portions<Uint32Array> {
    const sorted = new Uint32Array(end - start);
    if (sorted.length <= RUN) {
      for (let k = 0; k < sorted.length; k++) sorted[k] = start + k;
      return sorted.sort((a, b) => this.compare(a, b));
    }
    const middle = Math.floor((start + end) / 2);
    yield* this.#merging(yield* this.#sorting(start, middle), yield* this.#sorting(middle, end), sorted);
    return sorted;
  }

  /** Merges lists of indices that are sorted by id into a list that has a place for each. */
  *#merging(first: Indices, others: Indices, into: number[] | Uint32Array): Portions {
    for (let to = 0, of = 0, k = 0; to < into.length; to++) {
      const isOther = k === first.length ||
        (of < others.length && this.compare(others[of]!, first[k]!) < 0);
      into[to] = isOther ? others[of++]! : first[k++]!;
      if (to % RUN === RUN - 1) yield;
    }
  }

  /** The item, if known. */
  get(id: string): CatalogueItem | undefined {
    return this.#byId.get(id);
  }

  items(): Iterable<CatalogueItem> {
    return this.#items;
  }

  /** An item that is not added to the catalogue, without any data. */
  unknown(id: string, time: number): CatalogueItem {
    return this.#create(-1, id, time);
  }

  /** The item, which is added if it is missing. */
  intern(id: string, time: number): CatalogueItem {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const item = this.#create(this.#items.length, id, time);
    this.#byId.set(id, item);
    this.#items.push(item);
    this.#ids.push(id);
    this.room.use();
    return item;
  }

  /** Why a catalogue record is rejected: a feature cannot be read from its attributes; `null` = it is accepted. */
  check({ attributes = {} }: ItemRecord): Rejected | null {
    const violation = itemFieldViolation(this.#itemFields, attributes);
    return violation && rejectViolation(violation, "item");
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
    this.describe(item, categories, itemFieldTexts(this.#itemFields, attributes));
    item.title = titleOf(record);
    item.attributes = { ...record.attributes };
    item.crosses = fieldValues(this.schema.crosses, attributes);
    item.withheld = record.hidden ?? false;
    item.expires = record.expires ?? Infinity;
    return item;
  }

  /** Sets what models read of an item from now on; equal lists are shared with other items. */
  describe(item: CatalogueItem, categories: readonly string[], fields: readonly (string | null)[]): void {
    item.describe(this.#lists.of(categories), this.#lists.of(fields));
  }

  #create(index: number, id: string, time: number): CatalogueItem {
    const { categories, fields, crosses } = this.#unsaid;
    return new CatalogueItem({ index, id, categories, fields }, crosses, time);
  }

  /** Marks an item as removed: it stays in histories and is never recommended. */
  remove(id: string, time: number): CatalogueItem {
    const item = this.intern(id, time);
    item.withheld = true;
    return item;
  }
}

function isSame(a: readonly (string | null)[], b: readonly (string | null)[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
