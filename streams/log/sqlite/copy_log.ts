/**
 * Copies a SQLite log while its owner is using it, and restores a copy.
 *
 * SQLite's online backup reads the file page by page in one read transaction: the copy is the log as of the start of
 * that transaction, and writers do not wait. Until it ends, the write-ahead log cannot restart, so it grows by whatever
 * is written in the meantime.
 */

import { dirname, join } from "node:path";
import { backup } from "node:sqlite";
import type { CopyProgress } from "../kind.ts";
import { LogError } from "../log.ts";
import { extentsOf, type TopicExtent } from "../reading.ts";
import { syncFile, syncFolder } from "./end/end_file.ts";
import { own } from "./ownership.ts";
import { guarded, SqliteFile } from "./sqlite_file.ts";
import { COPY } from "./copy_files.ts";
import { SqliteLog } from "./sqlite_log.ts";
import { SqliteReader } from "./sqlite_reader.ts";

/** Pages of 4 KiB between two reports of progress. */
const STEP_PAGES = 4096;

/** See `LogCopies.copy`. */
export async function copyLog(path: string, folder: string, tell: CopyProgress): Promise<TopicExtent[]> {
  await Deno.stat(path);
  const to = join(folder, COPY);
  await copyPages(path, to, tell);
  const log = await SqliteLog.open(to, { isCopy: true });
  let problems: readonly string[];
  let topics: TopicExtent[];
  try {
    ({ problems } = log.verify());
    topics = await extentsOf(log);
  } finally {
    await log[Symbol.asyncDispose]();
  }
  if (problems.length > 0) {
    throw new LogError(
      "corrupt",
      `Cannot take a copy of the log ${path}, which is damaged: ${
        problems.slice(0, 3).join("; ")
      }; see \`check --verify\``,
    );
  }
  await Deno.remove(`${to}-lock`);
  return topics;
}

async function copyPages(path: string, to: string, tell: CopyProgress): Promise<void> {
  const file = new SqliteFile(path, true);
  try {
    file.guard(() => file.checkOurs());
    const pageBytes = file.pragma("page_size");
    // One transaction around all steps: without it, each write by the owner would restart the copy.
    file.db.exec("BEGIN");
    file.db.prepare("SELECT count(*) FROM topics").get();
    await backup(file.db, to, {
      rate: STEP_PAGES,
      progress: ({ totalPages, remainingPages }) =>
        tell((totalPages - remainingPages) * pageBytes, totalPages * pageBytes),
    });
  } catch (error) {
    guarded(path, () => {
      throw error;
    }, `copy it to ${to}`);
  } finally {
    file.close();
  }
}

/** See `LogCopies.openToRead`. */
export function openCopy(folder: string): SqliteReader {
  return new SqliteReader(join(folder, COPY));
}

/** See `LogCopies.putBack`. */
export async function putBack(folder: string, path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const lock = guarded(path, () => own(path));
  try {
    for (const name of [path, `${path}-wal`]) refuseExisting(name);
    const part = `${path}.part`;
    await removePart(part);
    try {
      for (const name of ["", "-end"]) await Deno.copyFile(join(folder, `${COPY}${name}`), `${part}${name}`);
      // Opening it checks it before it is moved into place.
      await (await SqliteLog.open(part))[Symbol.asyncDispose]();
      syncFile(part);
    } catch (error) {
      await removePart(part);
      throw error;
    }
    await Deno.rename(`${part}-end`, `${path}-end`);
    await Deno.rename(part, path);
    await Deno.remove(`${part}-lock`);
    syncFolder(dirname(path));
  } finally {
    lock.close();
  }
}

async function removePart(part: string): Promise<void> {
  for (const name of ["", "-wal", "-shm", "-end", "-lock"]) {
    await Deno.remove(`${part}${name}`).catch(ignoreMissing);
  }
}

function refuseExisting(path: string): void {
  try {
    Deno.lstatSync(path);
  } catch (error) {
    return ignoreMissing(error);
  }
  throw new Error(
    `Cannot restore a log to ${path}: it exists already; move it away, or choose another with --log-path`,
  );
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
