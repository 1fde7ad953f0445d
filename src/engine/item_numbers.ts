/**
 * The records on the changelog that make the numbers of items durable. A commit writes the numbers of all items that it
 * changed as one record, into a slot. Keys of slots are reused, so a compacted topic keeps as many records as there are
 * slots.
 *
 * ```text
 *   commit    1       2       3       4       5
 *   slot 0    a1 b1 c1                c4 b1   ·           only slot 0 had b's newest numbers: they are carried over
 *   slot 1            a2 c2                   a5
 *   slot 2                    a3 d3
 * ```
 *
 * Slots are emptied oldest first, once they have more than twice as many entries in all as there are items: for each
 * entry that a commit writes, two old ones are examined, and those that no newer slot has are carried into its record.
 * So a commit writes at most three times what it changed, and the log has at most three entries per item. Memory: 8
 * bytes per item, 8 per entry, about 100 per slot.
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import { ItemStatistics } from "../features/kept_statistics.ts";
import { CHUNK_BYTES } from "../retrieval/signals/changelog.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import { hasNumbers, type NumbersOfItem, readNumbers, writeNumbers } from "../items/item_codec.ts";

/** Prefix of the keys of all records. */
export const NUMBERS_KEY = "numbers:";
/** Not 1, so that releases without slots reject these records as items of an unknown format. */
const FORMAT = 2;
export const NUMBERS_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };
/** With fewer entries than this, no slot is emptied. */
const MIN_ENTRIES = 4096;
/** Old entries examined per entry written. */
const PACE = 2;
const NOWHERE = -1;
/** Marks items whose numbers are about to be written. */
const HERE = Infinity;

export interface NumbersRecord {
  /** Key on the topic `statistics`. */
  readonly key: string;
  /** The record, little more than 512 KB at most. */
  readonly value: Uint8Array;
}

/** A record that has not been emptied. */
interface Slot {
  readonly key: number;
  readonly items: readonly number[];
}

interface ReadSlot extends Slot {
  readonly sequence: number;
  /** Sequence number of the oldest slot in use. */
  readonly oldest: number;
}

/** Scratch for the entries of the current record. */
const entries = new ByteWriter(1 << 12);
/** Scratch: takes decoded numbers that are outdated. */
const OLD_NUMBERS: NumbersOfItem = {
  popularity: -Infinity,
  ownPopularity: -Infinity,
  othersPopularity: -Infinity,
  statistics: new ItemStatistics(),
};

/** Tracks which items have changed numbers, and the slot that holds the newest numbers of each item. */
export class ItemNumbers {
  readonly #catalogue: Catalogue;
  readonly #changed = new Set<CatalogueItem>();
  /** By item index: the sequence number of the slot with its newest numbers. */
  readonly #newest: number[] = [];
  #items = 0;
  /** By sequence number, from the oldest to the next; a gap where the record of a slot was deleted. */
  readonly #slots = new Map<number, Slot>();
  #oldest = 0;
  #next = 0;
  #entries = 0;
  /** Keys of slots no longer in use, the newest last; that one is reused first. */
  readonly #free: number[] = [];
  #keys = 0;
  /** The slots that {@linkcode ItemNumbers.restore} has read, by key. */
  readonly #read = new Map<number, ReadSlot>();

  /** Tracks the items of a catalogue, none of which has numbers yet. */
  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /** Entries of all slots in use. */
  get entries(): number {
    return this.#entries;
  }

  has({ index }: CatalogueItem): boolean {
    return (this.#newest[index] ?? NOWHERE) !== NOWHERE;
  }

  change(item: CatalogueItem): void {
    this.#changed.add(item);
  }

  /** The records that make all changes since the last call durable. */
  changes(): readonly NumbersRecord[] {
    const items = [...this.#changed].filter(hasNumbers);
    this.#changed.clear();
    for (const item of items) {
      if (!this.has(item)) this.#items++;
      this.#place(item.index, HERE);
    }
    this.#carry(items);
    const oldest = this.#oldest;
    const records: NumbersRecord[] = [];
    for (let at = 0; at < items.length;) {
      const sequence = this.#next++;
      const indices: number[] = [];
      entries.reset();
      for (; at < items.length && entries.length < CHUNK_BYTES; at++) {
        const item = items[at]!;
        writeNumbers(entries.string(item.id), item);
        this.#place(item.index, sequence);
        indices.push(item.index);
      }
      const key = this.#free.pop() ?? this.#keys++;
      this.#slots.set(sequence, { key, items: indices });
      this.#entries += indices.length;
      const value = new ByteWriter(entries.length + 32)
        .u8(FORMAT).uint(sequence).uint(oldest).bytes(entries.view())
        .toBytes();
      records.push({ key: `${NUMBERS_KEY}${key}`, value });
    }
    return records;
  }

  /** Empties the oldest slots, at a pace set by the number of `items`, and adds entries worth keeping to `items`. */
  #carry(items: CatalogueItem[]): void {
    const most = Math.max(MIN_ENTRIES, 2 * this.#items);
    for (let left = PACE * items.length; left > 0 && this.#entries > most;) {
      const sequence = this.#oldest++;
      const slot = this.#slots.get(sequence);
      if (slot === undefined) continue;
      this.#slots.delete(sequence);
      this.#free.push(slot.key);
      this.#entries -= slot.items.length;
      left -= slot.items.length;
      for (const index of slot.items) {
        if (this.#newest[index] !== sequence) continue;
        this.#newest[index] = HERE;
        items.push(this.#catalogue.at(index));
      }
    }
  }

  #place(index: number, sequence: number): void {
    // Filled without holes: a sparse array would be a hash map.
    while (this.#newest.length < index) this.#newest.push(NOWHERE);
    this.#newest[index] = sequence;
  }

  /**
   * Adds a committed record. Any order will do, except that of two records with the same key the newer comes last.
   *
   * @returns the items whose numbers it contains
   * @throws SyntaxError when it is not such a record.
   */
  restore(key: string, bytes: Uint8Array): readonly CatalogueItem[] {
    const from = new ByteReader(bytes);
    const format = from.u8();
    if (format !== FORMAT) {
      throw new SyntaxError(`Cannot decode item numbers: format is ${format}, this release reads ${FORMAT}`);
    }
    const sequence = from.uint();
    const oldest = from.uint();
    const items: CatalogueItem[] = [];
    for (const entries = new ByteReader(from.bytes()); !entries.done;) {
      const item = this.#catalogue.intern(entries.string(), 0);
      const isNewest = (this.#newest[item.index] ?? NOWHERE) < sequence;
      readNumbers(entries, isNewest ? item : OLD_NUMBERS);
      if (isNewest) this.#place(item.index, sequence);
      items.push(item);
    }
    const number = Number(key.slice(NUMBERS_KEY.length));
    if (!Number.isSafeInteger(number)) {
      throw new SyntaxError(`Cannot decode item numbers: their slot is ${number}`);
    }
    this.#read.set(number, { key: number, sequence, oldest, items: items.map(({ index }) => index) });
    return items;
  }

  /**
   * Ends a restore, after all records have been added. Damaged records may have been deleted from the log: an item
   * whose newest numbers were in one, and whose older numbers are in a slot about to be reused, is written again.
   */
  endRestore(): void {
    const read = [...this.#read.values()].sort((a, b) => a.sequence - b.sequence);
    this.#read.clear();
    this.#keys = 1 + read.reduce((most, { key }) => Math.max(most, key), -1);
    const newest = read.at(-1);
    if (newest === undefined) return;
    this.#oldest = newest.oldest;
    this.#next = newest.sequence + 1;
    for (const { key, items, sequence } of read) {
      if (sequence < this.#oldest) this.#free.push(key);
      else {
        this.#slots.set(sequence, { key, items });
        this.#entries += items.length;
      }
    }
    this.#newest.forEach((sequence, index) => {
      if (sequence === NOWHERE) return;
      this.#items++;
      if (sequence < this.#oldest) this.#changed.add(this.#catalogue.at(index));
    });
  }
}
