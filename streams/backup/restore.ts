/** Verifies and restores a backup. */

import { explainFullDisk } from "./backup.ts";
import { eraseAgain, readReceipts } from "./erased_since.ts";
import { filesOf } from "./record_backup.ts";
import { refillAll, refuseFarOffsets } from "./record_restore.ts";
import { hasRecordCopies } from "../log/capabilities.ts";
import type { CopyProgress, LogKind } from "../log/kind.ts";
import { kindOf } from "../log/kinds/kinds.ts";
import { type NewestFormats, refuseNewer } from "../topics/format_notes.ts";
import { topicNames } from "../topics/topics.ts";
import { type Manifest, problemsOf, readManifest } from "./manifest.ts";

/** Which backup to restore, and where to. */
export interface RestoreOptions {
  /** Folder of the backup. */
  readonly from: string;
  /** The kind of the log to make; ignored when only verifying. */
  readonly kind: LogKind;
  /** As {@linkcode LogKind.resolve} returns them. */
  readonly options: unknown;
  /** Prefix of the topics to make. */
  readonly prefix: string;
  /** The newest formats that this release reads. */
  readonly reads: NewestFormats;
  readonly verifyOnly: boolean;
  /** File or folder with receipts of erasures; those newer than the backup are repeated. @default {none} */
  readonly erased?: string | undefined;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** See {@linkcode CopyProgress}; called for verifying, then for restoring. */
  readonly tell?: CopyProgress;
}

export interface Restored extends Manifest {
  /** Users whom the service erases again when it starts. */
  readonly erasedAgain: number;
}

/** Restores a backup. @throws Error when it is incomplete or of another kind, or the log to make exists */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { from, kind, verifyOnly, erased, tell = () => {} } = options;
  const receipts = erased === undefined ? [] : await readReceipts(erased);
  const manifest = await readManifest(from);
  if (!verifyOnly && manifest.kind !== kind.kind) {
    throw new Error(
      `Cannot restore ${from} to --log ${kind.kind}: it is a backup of a ${manifest.kind} log`,
    );
  }
  const all = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const needed = kindOf(manifest.kind).copies?.files ?? filesOf(manifest.topics);
  const problems = await problemsOf(from, manifest, needed, (done) => tell(done, all));
  if (problems.length > 0) {
    throw new Error(`Cannot restore ${from}, which is damaged: ${problems.join("; ")}; use another backup`);
  }
  if (verifyOnly) return { ...manifest, erasedAgain: 0 };
  refuseNewer(`restore ${from}`, manifest.formats ?? {}, options.reads);
  await putBack(manifest, options);
  if (receipts.length === 0) return { ...manifest, erasedAgain: 0 };
  await using log = await kind.open(options.options);
  const { made } = manifest;
  const erasedAgain = await eraseAgain(log, topicNames(options.prefix), {
    receipts,
    made,
    now: options.now(),
  });
  return { ...manifest, erasedAgain };
}

async function putBack(
  manifest: Manifest,
  { from, kind, options, prefix, tell = () => {} }: RestoreOptions,
): Promise<void> {
  if (kind.copies !== undefined) {
    const { events } = topicNames(prefix);
    if (!manifest.topics.some(({ name }) => name === events)) {
      throw new Error(
        `Cannot restore ${from} to --prefix ${prefix}: a copy of a file keeps the names of its topics, which have ` +
          `--prefix ${manifest.prefix}`,
      );
    }
    const folder = kind.copies.folderOf(options);
    return await kind.copies.putBack(from, options).catch(async (error) => {
      throw await explainFullDisk(error, { what: `restore ${from}`, folder });
    });
  }
  refuseFarOffsets(from, manifest);
  await using log = await kind.open(options);
  if (!hasRecordCopies(log)) {
    throw new Error(`Cannot restore a log of the kind ${kind.kind}: it cannot be copied`);
  }
  await refillAll(log, from, { manifest, prefix, tell });
}
