/** Output of the commands on backups. */

import type { Manifest } from "../../streams/backup/manifest.ts";
import type { CopyProgress } from "../../streams/log/kind.ts";
import { print } from "../flags/command_line.ts";

const PROGRESS_MS = 2000;

/** Prints progress every two seconds. */
export function progress(what: string): CopyProgress {
  const begun = performance.now();
  let reportedAt = begun;
  return (done, all) => {
    const now = performance.now();
    if (now - reportedAt < PROGRESS_MS || done === 0) return;
    reportedAt = now;
    const left = Math.ceil((now - begun) / 1000 * (all / done - 1));
    print(Deno.stderr, `${what} ${Math.floor(done / all * 100)} %, ${left} s left\n`);
  };
}

/** Describes the contents of a backup. */
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
