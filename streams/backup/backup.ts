/** Makes a backup: a folder that exists only once it is complete. */

import { statfs } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { hasRecordCopies } from "../log/capabilities.ts";
import type { CopyProgress, LogKind } from "../log/kind.ts";
import { formatNotes } from "../topics/format_notes.ts";
import { topicNames } from "../topics/topics.ts";
import { copyRecords } from "./record_backup.ts";
import { MANIFEST, type Manifest, writeManifest } from "./manifest.ts";

/** Marks a folder that is being written; locked by its writer. */
const MARK = "unfinished";

/** What to back up, and where to. */
export interface BackupOptions {
  readonly kind: LogKind;
  /** As {@linkcode LogKind.resolve} returns them. */
  readonly options: unknown;
  /** Prefix of the topics to back up, on a shared log. */
  readonly prefix: string;
  /** Folder to make. */
  readonly to: string;
  /** Version of this program. */
  readonly by: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** See {@linkcode CopyProgress}. */
  readonly tell?: CopyProgress;
}

/**
 * Writes `<to>.part`, then renames it. The remains of an earlier attempt are removed first.
 *
 * @throws Error when `to` exists, another backup is being written to it, or the disk is full
 */
export async function backUp(options: BackupOptions): Promise<Manifest> {
  const { to } = options;
  await refuseExisting(to);
  await Deno.mkdir(dirname(resolve(to)), { recursive: true });
  const part = `${resolve(to)}.part`;
  const mark = await begin(part);
  let manifest: Manifest;
  try {
    manifest = await write(part, options);
  } catch (error) {
    mark.close();
    await Deno.remove(part, { recursive: true });
    throw await explainFullDisk(error, {
      what: `write the backup ${basename(part, ".part")}`,
      folder: dirname(part),
    });
  }
  await Deno.remove(join(part, MARK));
  mark.close();
  await syncAll(part, manifest);
  await refuseExisting(to);
  await Deno.rename(part, to);
  await sync(dirname(resolve(to)));
  return manifest;
}

async function write(part: string, options: BackupOptions): Promise<Manifest> {
  const { kind, by, now, prefix } = options;
  const made = new Date(now()).toISOString();
  const copied = await copy(part, options);
  const names: string[] = [];
  for await (const { name } of Deno.readDir(part)) if (name !== MARK) names.push(name);
  return await writeManifest(part, { kind: kind.kind, by, made, prefix, ...copied }, names);
}

async function copy(part: string, options: BackupOptions): Promise<Pick<Manifest, "topics" | "formats">> {
  const { kind, options: opening, prefix, tell = () => {} } = options;
  const names = topicNames(prefix);
  if (kind.copies !== undefined) {
    const topics = await kind.copies.copy(opening, part, tell);
    await using log = await (kind.openToRead?.(opening) ?? kind.open(opening));
    return { topics, formats: await formatNotes(log, names) };
  }
  await using log = await kind.open(opening);
  if (!hasRecordCopies(log)) {
    throw new Error(`Cannot back up a log of the kind ${kind.kind}: it cannot be copied`);
  }
  return { topics: await copyRecords(log, part, prefix, tell), formats: await formatNotes(log, names) };
}

/** Makes the folder, or empties the one that a killed attempt left. @returns The mark, locked */
async function begin(part: string): Promise<Deno.FsFile> {
  const marked = join(part, MARK);
  try {
    await Deno.mkdir(part);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    // An attempt killed before it made the mark left it empty; killed after it removed the mark, complete.
    const names = (await Array.fromAsync(Deno.readDir(part))).map(({ name }) => name);
    if (names.length > 0 && !names.includes(MARK) && !names.includes(MANIFEST)) {
      throw new Error(
        `Cannot write a backup to ${part}: it exists and is not an unfinished backup; move it away`,
      );
    }
  }
  const mark = await Deno.open(marked, { write: true, create: true });
  try {
    if (!await mark.tryLock(true)) {
      throw new Error(`Cannot write a backup to ${part}: another process is writing it`);
    }
    for await (const { name } of Deno.readDir(part)) {
      if (name !== MARK) await Deno.remove(join(part, name));
    }
    return mark;
  } catch (error) {
    mark.close();
    throw error;
  }
}

async function refuseExisting(to: string): Promise<void> {
  const found = await Deno.lstat(to).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (found !== undefined) throw new Error(`Cannot write a backup to ${to}: it exists; name a new folder`);
}

/** Turns a writer's error that means a full disk into one that says so; returns any other unchanged. */
export async function explainFullDisk(
  error: unknown,
  { what, folder }: { readonly what: string; readonly folder: string },
): Promise<unknown> {
  if (!/disk is full|No space left|os error 28|disk I\/O error/.test(String(error))) return error;
  const { bavail, bsize } = await statfs(folder);
  const free = Math.floor(bavail * bsize / 1e6);
  return new Error(
    `Cannot ${what}: the disk of ${folder} is full (${free} MB free without it); the unfinished files were removed`,
    { cause: error },
  );
}

async function syncAll(folder: string, { files }: Manifest): Promise<void> {
  for (const name of [...files.map(({ name }) => name), MANIFEST]) await sync(join(folder, name));
  await sync(folder);
}

async function sync(path: string): Promise<void> {
  if (Deno.build.os === "windows") return; // cannot sync a folder, or a file opened for reading
  using file = await Deno.open(path);
  await file.sync();
}
