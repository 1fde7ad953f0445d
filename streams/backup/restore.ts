/**
 * Verifies a backup and puts it back.
 *
 * @module
 */

import { fullOr } from "./backup.ts";
import { hasRecordCopies } from "./record_backup.ts";
import { refillAll } from "./record_restore.ts";
import type { CopyProgress, LogKind } from "../log/kind.ts";
import { type NewestFormats, refuseNewer } from "../topics/format_notes.ts";
import { topicNames } from "../topics/topics.ts";
import { type Manifest, problemsOf, readManifest } from "./manifest.ts";

/** Which backup to restore, and where to. */
export interface RestoreOptions {
  /** Folder of the backup. */
  readonly from: string;
  /** The kind of the log to make. */
  readonly kind: LogKind;
  /** As {@linkcode LogKind.resolve} returns them. */
  readonly options: unknown;
  /** Prefix of the topics to make. */
  readonly prefix: string;
  /** The newest formats that this release reads. */
  readonly reads: NewestFormats;
  /** Only verifies it. */
  readonly verifyOnly: boolean;
  /** See {@linkcode CopyProgress}: first of verifying, then of restoring. */
  readonly tell?: CopyProgress;
}

/** Restores a backup. @throws Error when it is not whole, of another kind, or the log to make exists */
export async function restore(options: RestoreOptions): Promise<Manifest> {
  const { from, kind, verifyOnly, tell = () => {} } = options;
  const manifest = await readManifest(from);
  if (manifest.kind !== kind.kind) {
    throw new Error(
      `Cannot restore ${from} to --log ${kind.kind}: it is of a log of the kind ${manifest.kind}`,
    );
  }
  const all = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const problems = await problemsOf(from, manifest, (done) => tell(done, all));
  if (problems.length > 0) {
    throw new Error(`Cannot restore ${from}, which is damaged: ${problems.join("; ")}; take another backup`);
  }
  if (!verifyOnly) {
    refuseNewer(`restore ${from}`, manifest.formats ?? {}, options.reads);
    await putBack(manifest, options);
  }
  return manifest;
}

async function putBack(
  manifest: Manifest,
  { from, kind, options, prefix, tell = () => {} }: RestoreOptions,
): Promise<void> {
  if (kind.copies !== undefined) {
    const { events } = topicNames(prefix);
    if (!manifest.topics.some(({ name }) => name === events)) {
      throw new Error(
        `Cannot restore ${from} to --prefix ${prefix}: names of topics stay as they are in a copy of a file, which is ` +
          `of --prefix ${manifest.prefix}`,
      );
    }
    const folder = kind.copies.folderOf(options);
    return await kind.copies.putBack(from, options).catch(async (error) => {
      throw await fullOr(error, { what: `restore ${from}`, folder });
    });
  }
  await using log = await kind.open(options);
  if (!hasRecordCopies(log)) {
    throw new Error(`Cannot restore a log of the kind ${kind.kind}: it cannot be copied`);
  }
  await refillAll(log, from, { manifest, prefix, tell });
}
