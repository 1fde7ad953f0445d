/** Open Bandit: the folder of a campaign, with `item_context.csv` and one log, or one log alone. */

import {
  BANDIT_COLUMNS,
  ITEM_COLUMNS,
  parseImpression,
  parseItem,
  parseUser,
} from "../../src/adapters/open_bandit.ts";
import { csvFiles, isFolder, within } from "./files.ts";
import { readRows, type SourceOptions, type SourceRecord, withCatalogue } from "./source.ts";

const ITEM_FILE = "item_context.csv";

/** Items first, then the impressions in the order of the rows; a profile comes before the user's first impression. */
export async function* openOpenBandit(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  if (!await isFolder(path)) {
    yield* readLog(path, options);
    return;
  }
  const names = await csvFiles(path);
  const logs = names.filter((name) => name !== ITEM_FILE);
  const [log] = logs;
  if (log === undefined || logs.length > 1) {
    const found = logs.length === 0 ? "none" : logs.join(", ");
    const campaigns = await campaignsIn(path);
    throw new Error(
      `Cannot open ${path} as open-bandit: expected one log next to ${ITEM_FILE}, got ${found}${
        campaigns.length === 0 ? "" : `; open one of ${campaigns.join(", ")}`
      }`,
    );
  }
  const events = readLog(within(path, log), options);
  if (!names.includes(ITEM_FILE)) return yield* events;
  const rows = { header: true, columns: ITEM_COLUMNS, ...options };
  yield* withCatalogue(
    events,
    (time) => readRows(within(path, ITEM_FILE), rows, (row) => ({ items: [parseItem(row, time)] })),
  );
}

/** Campaign folders below a folder: the data set has them as `<policy>/<campaign>`. */
async function campaignsIn(folder: string, depth = 2): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory) continue;
    const path = within(folder, name);
    if ((await csvFiles(path)).includes(ITEM_FILE)) found.push(path);
    else if (depth > 1) found.push(...await campaignsIn(path, depth - 1));
  }
  return found.sort();
}

async function* readLog(file: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  const known = new Set<string>(); // tuples of hashed features, of which the data has few
  const csv = { header: true, unnamed: "index", columns: BANDIT_COLUMNS, ...options };
  const records = readRows(file, csv, (row) => {
    const events = parseImpression(row);
    return { events: known.has(events[0].user) ? events : [parseUser(row), ...events] };
  });
  for await (const record of records) {
    if (record.kind === "event") known.add(record.event.user);
    yield record;
  }
}
