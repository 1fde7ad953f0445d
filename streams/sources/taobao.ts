/**
 * Taobao's UserBehavior: one CSV file without a header.
 *
 * @module
 */

import { BEHAVIOR_COLUMNS, parseBehavior } from "../../src/adapters/taobao.ts";
import { readCsv } from "./csv.ts";
import { mapRow, rejected, type SourceOptions, type SourceRecord } from "./source.ts";

/**
 * Interactions in the order of the rows; an item stands before the first interaction with it. A file that is grouped by
 * user is in the order of time for each user only.
 *
 * The ids of the items seen are held in memory: there is no other way to know a first sight.
 */
export async function* openTaobao(file: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  const seen = new Set<string>();
  for await (const read of readCsv(file, { columns: BEHAVIOR_COLUMNS, ...options })) {
    if (!read.ok) {
      yield rejected(file, read.line, read.refusal);
      continue;
    }
    const records = mapRow(file, read.line, () => {
      const { item, event } = parseBehavior(read.row);
      return { items: seen.has(item.item) ? [] : [item], events: [event] };
    });
    for (const record of records) {
      if (record.kind === "item") seen.add(record.item.item);
      yield record;
    }
  }
}
