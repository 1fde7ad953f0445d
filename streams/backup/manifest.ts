/**
 * The manifest of a backup, with checksums. It is written last: a folder that has one is complete.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import type { TopicExtent } from "../log/reading.ts";
import type { FormatNotes } from "../topics/format_notes.ts";

/** Version of the manifest and of the files next to it. */
const FORMAT = 1;
/** Name of the manifest. */
export const MANIFEST = "manifest.json";

export interface BackupFile {
  readonly name: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface Manifest {
  /** Version of the layout. */
  readonly format: number;
  /** Kind of the log, as `--log` takes it. */
  readonly kind: string;
  /** Version of the program that made it. */
  readonly by: string;
  /** When the copy was begun, ISO 8601. */
  readonly made: string;
  /** Prefix of the topics, on a shared log. */
  readonly prefix: string;
  /** The topics that it holds, by name. */
  readonly topics: readonly TopicExtent[];
  /** Formats that releases had noted, see {@linkcode FormatNotes}; absent = none. */
  readonly formats?: FormatNotes;
  /** The files, by name. */
  readonly files: readonly BackupFile[];
}

/** Writes the manifest of the named files of a folder. */
export async function writeManifest(
  folder: string,
  manifest: Omit<Manifest, "format" | "files">,
  names: readonly string[],
): Promise<Manifest> {
  const files = await Promise.all(names.toSorted().map((name) => describe(folder, name)));
  const whole = { format: FORMAT, ...manifest, files };
  await Deno.writeTextFile(join(folder, MANIFEST), `${JSON.stringify(whole, null, 2)}\n`);
  return whole;
}

/** Reads a manifest. @throws Error that says what is wrong, also when a newer version wrote it */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  const text = await Deno.readTextFile(path).catch((cause) => {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Error(
      `Cannot read ${folder} as a backup: it has no ${MANIFEST}, so it is not a backup, or an unfinished one`,
    );
  });
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text);
  } catch (cause) {
    throw new Error(`Cannot read ${path}: it is damaged`, { cause });
  }
  const format: unknown = manifest?.format;
  if (typeof format === "number" && format > FORMAT) {
    throw new Error(
      `Cannot read ${folder} as a backup: its format is ${format}, and this version reads ${FORMAT}; it was made by ` +
        `${manifest.by}: restore it with that release or a newer one`,
    );
  }
  const isOurs = format === FORMAT && [manifest.files, manifest.topics].every(Array.isArray) &&
    manifest.files.every(({ name }) => typeof name === "string" && /^[\w.-]+$/.test(name));
  if (!isOurs) throw new Error(`Cannot read ${path}: it is not the manifest of a backup`);
  return manifest;
}

/** What is wrong with the files of a backup, one sentence each. @param tell called with the bytes read so far */
export async function problemsOf(
  folder: string,
  { files }: Pick<Manifest, "files">,
  tell: (doneBytes: number) => void = () => {},
): Promise<string[]> {
  const problems: string[] = [];
  let done = 0;
  for (const { name, bytes, sha256 } of files) {
    const found = await describe(folder, name, (read) => tell(done + read)).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    if (found === undefined) problems.push(`${name} is missing`);
    else if (found.bytes !== bytes) problems.push(`${name} has ${found.bytes} bytes instead of ${bytes}`);
    else if (found.sha256 !== sha256) {
      problems.push(`${name} has changed since it was written: its checksum differs`);
    }
    done += bytes;
  }
  return problems;
}

async function describe(
  folder: string,
  name: string,
  tell: (read: number) => void = () => {},
): Promise<BackupFile> {
  const path = join(folder, name);
  // Before it is opened, for which a pipe waits: a device or a pipe never ends.
  if (!(await Deno.stat(path)).isFile) {
    throw new Error(`Cannot read ${path} as a part of a backup: it is no file`);
  }
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const chunk = new Uint8Array(1 << 20);
  let bytes = 0;
  for (;;) {
    const read = await file.read(chunk);
    if (read === null) break;
    hash.update(chunk.subarray(0, read));
    tell(bytes += read);
  }
  return { name, bytes, sha256: hash.digest("hex") };
}
