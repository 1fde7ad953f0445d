/** Taobao's UserBehavior: a CSV file without a header, or a folder of such files. */

import { BEHAVIOR_COLUMNS, parseBehavior } from "../../src/adapters/taobao.ts";
import { csvFiles, isFolder, within } from "./files.ts";
import { readRows, type SourceOptions, type SourceRecord } from "./source.ts";

/**
 * Interactions in the order of the rows, file by file in the order of their names; an item comes before the first
 * interaction with it. A file grouped by user is in time order only within each user.
 *
 * The ids of all items are held in memory to recognise new ones.
 */
export async function* openTaobao(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  const files = await isFolder(path) ? (await csvFiles(path)).map((name) => within(path, name)) : [path];
  if (files.length === 0) {
    throw new Deno.errors.NotFound(`Cannot open ${path} as taobao: it has no file that ends with .csv`);
  }
  const seen = new Set<string>();
  for (const file of files) {
    const records = readRows(file, { columns: BEHAVIOR_COLUMNS, ...options }, (row) => {
      const { item, event } = parseBehavior(row);
      return { items: seen.has(item.item) ? [] : [item], events: [event] };
    });
    for await (const record of records) {
      if (record.kind === "item") seen.add(record.item.item);
      yield record;
    }
  }
}
