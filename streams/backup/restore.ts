/**
 * Verifies a backup and puts it back.
 *
 * @module
 */

import type { LogKind } from "../log/kind.ts";
import { type Manifest, problemsOf, readManifest } from "./manifest.ts";

/** Which backup to restore, and where to. */
export interface RestoreOptions {
  /** Folder of the backup. */
  readonly from: string;
  /** The kind of the log to make. */
  readonly kind: LogKind;
  /** As {@linkcode LogKind.resolve} returns them. */
  readonly options: unknown;
  /** Only verifies it. */
  readonly verifyOnly: boolean;
  /** Called now and then with bytes that are verified, of how many. */
  readonly tell?: (doneBytes: number, allBytes: number) => void;
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
  const { copies } = kind;
  if (copies === undefined) {
    throw new Error(`Cannot restore a log of the kind ${kind.kind}: it cannot be copied`);
  }
  const all = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const problems = await problemsOf(from, manifest, (done) => tell(done, all));
  if (problems.length > 0) {
    throw new Error(`Cannot restore ${from}, which is damaged: ${problems.join("; ")}; take another backup`);
  }
  if (!verifyOnly) await copies.putBack(from, options.options);
  return manifest;
}
