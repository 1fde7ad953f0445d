/**
 * What commands on backups print.
 *
 * @module
 */

import type { Manifest } from "../../streams/backup/manifest.ts";
import type { CopyProgress } from "../../streams/log/kind.ts";
import { print } from "../flags/command_line.ts";

const PROGRESS_MS = 2000;

/** Prints how far something is, every two seconds. */
export function progress(what: string): CopyProgress {
  const begun = performance.now();
  let told = begun;
  return (done, all) => {
    const now = performance.now();
    if (now - told < PROGRESS_MS) return;
    told = now;
    const rate = done / (now - begun) * 1000;
    const left = Math.ceil((all - done) / rate);
    print(
      Deno.stderr,
      `${what} ${megabytes(done)} of ${megabytes(all)} MB, ${megabytes(rate)} MB/s, ${left} s left\n`,
    );
  };
}

/** What a backup has, in words. */
export function describe({ topics, files }: Manifest): string {
  const offsets = topics.reduce(
    (sum, { bounds }) => sum + bounds.reduce((all, { start, end }) => all + end - start, 0),
    0,
  );
  const bytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return `${topics.length} topics, ${offsets} offsets, ${megabytes(bytes)} MB`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}
