/** The manifest of a backup, with checksums. It is written last: a folder that has one is complete. */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { checkSpec } from "../log/checks.ts";
import type { TopicExtent } from "../log/reading.ts";
import { reasonOf } from "../../src/values/reason.ts";
import type { FormatNotes } from "../topics/format_notes.ts";

/** Version of the manifest and of the files next to it. */
const FORMAT = 1;
/** Most bytes of a manifest: hundreds of topics with a thousand partitions. */
const MAX_BYTES = 64 << 20;
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
  readonly files: readonly BackupFile[];
}

const offset = z.int().min(0);

/** A manifest may come from a stranger: names become paths, sizes and counts become work. */
const topicSchema = z.object({
  name: z.string(),
  partitions: z.number(),
  cleanup: z.enum(["delete", "compact"]),
  id: z.string().min(8).nullable(), // it is replaced wherever it stands
  bounds: z.array(z.object({ start: offset, end: offset }).refine(({ start, end }) => start <= end)),
}).superRefine((topic, context) => {
  try {
    checkSpec(topic);
    if (topic.bounds.length === topic.partitions) return;
    context.addIssue(`it has ${topic.partitions} partitions, and the bounds of ${topic.bounds.length}`);
  } catch (error) {
    context.addIssue(reasonOf(error));
  }
});
const manifestSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.string(),
  by: z.string(),
  made: z.iso.datetime(),
  prefix: z.string(),
  topics: z.array(topicSchema).refine(areNamedOnce, "two have the same name"),
  formats: z.record(z.string(), z.record(z.string(), z.number())).optional(),
  files: z.array(z.object({
    name: z.string().regex(/^\w[\w.-]*$/),
    bytes: offset,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })).refine(areNamedOnce, "two have the same name"),
});

function areNamedOnce(named: readonly { readonly name: string }[]): boolean {
  return new Set(named.map(({ name }) => name)).size === named.length;
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
  const { isFile, size } = await Deno.stat(path).catch((cause) => {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Error(
      `Cannot read ${folder} as a backup: it has no ${MANIFEST}, so it is not a backup, or an unfinished one`,
    );
  });
  const refuse = (why: string): never => {
    throw new Error(`Cannot read ${path}: it is not the manifest of a backup: ${why}`);
  };
  if (!isFile) refuse("it is no file");
  if (size > MAX_BYTES) refuse(`it has ${size} bytes, ${MAX_BYTES} are allowed`);
  const text = await Deno.readTextFile(path);
  let manifest: Partial<Manifest> | null;
  try {
    manifest = JSON.parse(text);
  } catch (cause) {
    throw new Error(`Cannot read ${path}: it is damaged`, { cause });
  }
  const format: unknown = manifest?.format;
  if (typeof format === "number" && format > FORMAT) {
    throw new Error(
      `Cannot read ${folder} as a backup: its format is ${format}, and this version reads ${FORMAT}; it was made by ` +
        `${manifest?.by}: restore it with that release or a newer one`,
    );
  }
  const { data, error } = manifestSchema.safeParse(manifest);
  if (error === undefined) return data as Manifest; // an optional field may be `undefined` to zod
  const [issue] = error.issues;
  return refuse(`${issue?.path.join(".") || "it"}: ${issue?.message}`);
}

/**
 * What is wrong with the files of a backup, one sentence each.
 *
 * @param needed names of the files that will be read
 * @param tell called with the bytes read so far
 */
export async function problemsOf(
  folder: string,
  { files }: Pick<Manifest, "files">,
  needed: readonly string[],
  tell: (doneBytes: number) => void = () => {},
): Promise<string[]> {
  const listed = new Set(files.map(({ name }) => name));
  const problems = needed.filter((name) => !listed.has(name))
    .map((name) => `${name} is not among the files of its ${MANIFEST}`);
  if (problems.length > 0) return problems;
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
