/**
 * The stored form of an item, in two parts: its description by the catalogue, which rarely changes (one record per
 * item, key `item:<id>`), and its numbers, which change at each outcome (many items per record, see `item_numbers.ts`).
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import type { Attributes } from "../events/event.ts";
import type { Catalogue, CatalogueItem } from "./catalogue.ts";
import { joined } from "./popularity.ts";
import { titleOf } from "./title.ts";

/** The one before it was never deployed. */
const FORMAT = 2;
export const ITEM_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };

export type NumbersOfItem = Pick<
  CatalogueItem,
  "popularity" | "ownPopularity" | "othersPopularity" | "statistics"
>;

export function itemKey(id: string): string {
  return `item:${id}`;
}

/** The item that a key of {@linkcode itemKey} names. */
export function itemOfKey(key: string): string {
  return key.slice("item:".length);
}

/** Encodes an item's description by the catalogue. */
export function encodeItem(item: CatalogueItem): Uint8Array {
  const { categories, fields, crosses, attributes, title } = item;
  const own = title === titleOf({ attributes }) ? [] : [title];
  return new ByteWriter()
    .u8(FORMAT)
    .u8((item.listed ? 1 : 0) | (item.withheld ? 2 : 0))
    .string(JSON.stringify([categories, fields, crosses, attributes, ...own]))
    .f64(item.expires).f64(item.firstTime).f64(item.recordTime)
    .toBytes();
}

/**
 * Reads a record of {@linkcode encodeItem} into the catalogue.
 *
 * @throws SyntaxError when the bytes are not such a record.
 */
export function decodeItem(id: string, bytes: Uint8Array, catalogue: Catalogue): CatalogueItem {
  const from = new ByteReader(bytes);
  const format = from.u8();
  if (format !== FORMAT) {
    throw new SyntaxError(`Cannot decode item ${id}: format is ${format}, this release reads ${FORMAT}`);
  }
  const flags = from.u8();
  const [categories, fields, crosses, attributes, title = titleOf({ attributes })] = from.json<
    [string[], string[], string[], Attributes, string?]
  >();
  const item = catalogue.intern(id, 0);
  if ((flags & 1) !== 0) catalogue.list(item);
  item.withheld = (flags & 2) !== 0;
  catalogue.describe(item, categories, fields);
  item.crosses = crosses;
  item.attributes = attributes;
  item.title = title;
  item.expires = from.f64();
  item.firstTime = from.f64();
  item.recordTime = from.f64();
  return item;
}

/** Whether an item has statistics that are worth storing. */
export function hasNumbers({ ownPopularity, statistics }: NumbersOfItem): boolean {
  return statistics.outcomes > 0 || statistics.values > 0 || ownPopularity > -Infinity;
}

/** Appends the numbers of an item. */
export function writeNumbers(to: ByteWriter, { ownPopularity, statistics: s }: NumbersOfItem): void {
  to.f64(ownPopularity).uint(s.outcomes).uint(s.positives).f64(s.recent).uint(s.values);
  if (s.values > 0) to.f64(s.valueSum).f64(s.valueResidual);
}

/** Reads what {@linkcode writeNumbers} wrote. @throws SyntaxError when the bytes end too early. */
export function readNumbers(from: ByteReader, into: NumbersOfItem): void {
  const { statistics: s } = into;
  into.ownPopularity = from.f64();
  into.popularity = joined(into.ownPopularity, into.othersPopularity);
  s.outcomes = from.uint();
  s.positives = from.uint();
  s.recent = from.f64();
  s.values = from.uint();
  const hasSums = s.values > 0;
  s.valueSum = hasSums ? from.f64() : 0;
  s.valueResidual = hasSums ? from.f64() : 0;
}

/** Everything that is stored of an item; equal items give equal bytes. */
export function encodeItemState(item: CatalogueItem): Uint8Array {
  const numbers = new ByteWriter().bytes(encodeItem(item));
  writeNumbers(numbers, item);
  return numbers.toBytes();
}
