/** The log in a SQLite file as a kind. */

import { dirname } from "node:path";
import { COPY_FILES } from "./copy_files.ts";
import { settle, text } from "../../../src/options/option.ts";
import { type LogKind, NO_NEEDS } from "../kind.ts";
import { type DurabilityOptions, SQLITE_OPTIONS } from "./durability.ts";

const PLACES = {
  logPath: text<string>(".data/meander.sqlite", "file of the SQLite log; one process at a time"),
};

interface SqliteSettings extends DurabilityOptions {
  readonly logPath?: string | undefined;
}

interface Opening extends DurabilityOptions {
  readonly path: string;
}

const pathOf = (settings: SqliteSettings) => settle(PLACES, settings).logPath;

const kind: LogKind<SqliteSettings> = {
  kind: "sqlite",
  section: null,
  options: SQLITE_OPTIONS,
  places: PLACES,
  flags: { durability: null },
  capabilities: {
    indexesKeys: true,
    canErase: true,
    isShared: false,
    hasRetention: false,
    canVerify: true,
    isDurable: true,
  },
  // One process gains nothing from several partitions, each of which keeps statistics of all items.
  partitions: 1,
  answerIntervalMs: 0,
  fileOf: pathOf,
  placeOf: pathOf,
  needsOf: () => NO_NEEDS,
  resolve: (settings) =>
    Promise.resolve({ path: pathOf(settings), ...settle(SQLITE_OPTIONS, settings) } satisfies Opening),
  async open(options) {
    const { path, ...durability } = openingOf(options);
    const { SqliteLog } = await import("./sqlite_log.ts");
    return await SqliteLog.open(path, durability);
  },
  async openToRead(options) {
    const { SqliteReader } = await import("./sqlite_reader.ts");
    return new SqliteReader(openingOf(options).path);
  },
  copies: {
    files: COPY_FILES,
    async copy(options, folder, tell) {
      const { copyLog } = await import("./copy_log.ts");
      return await copyLog(openingOf(options).path, folder, tell);
    },
    async putBack(folder, options) {
      const { putBack } = await import("./copy_log.ts");
      await putBack(folder, openingOf(options).path);
    },
    async openToRead(folder) {
      const { openCopy } = await import("./copy_log.ts");
      return openCopy(folder);
    },
    folderOf: (options) => dirname(openingOf(options).path),
  },
};

export const SQLITE_KIND = kind as LogKind; // callers have settings by name only

/** Options as `resolve` returns them, whose type callers do not know. */
function openingOf(options: unknown): Opening {
  return options as Opening; // see above
}
