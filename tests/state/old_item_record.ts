import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { CatalogueItem } from "../../src/items/catalogue.ts";

/** An item's record as it was before numbers had records of their own (format 1). */
export function oldItemRecord(item: CatalogueItem): Uint8Array {
  const { categories, fields, crosses, attributes, statistics: s } = item;
  return new ByteWriter()
    .u8(1)
    .u8((item.listed ? 1 : 0) | (item.withheld ? 2 : 0))
    .string(JSON.stringify([categories, fields, crosses, attributes]))
    .f64(item.expires).f64(item.firstTime).f64(item.recordTime).f64(item.ownPopularity)
    .uint(s.outcomes).uint(s.positives).f64(s.recent).uint(s.values).f64(s.valueSum).f64(s.valueResidual)
    .toBytes();
}
