/**
 * Records of releases, in the folders alongside.
 *
 * @module
 */

import { gunzipSync } from "node:zlib";

const FOLDER = new URL("./", import.meta.url);

export interface ReleasedRecord {
  /** The release, or `next`. */
  readonly release: string;
  /** Kind, as in `FORMATS`. */
  readonly kind: string;
  readonly format: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The files in the folders of releases, and of `next`. */
export async function* compatFiles() {
  for await (const { name: release, isDirectory } of Deno.readDir(FOLDER)) {
    if (!isDirectory) continue;
    for await (const { name } of Deno.readDir(new URL(`${release}/`, FOLDER))) {
      yield { release, name, path: new URL(`${release}/${name}`, FOLDER) };
    }
  }
}

/** All of them. */
export async function releasedRecords(): Promise<readonly ReleasedRecord[]> {
  const records: ReleasedRecord[] = [];
  for await (const { release, name, path } of compatFiles()) {
    const [all, kind = "", format, gz] = /^(\w+)-(\d+)\.bin(\.gz)?$/.exec(name) ?? [];
    if (all === undefined) continue; // of another form
    const stored = await Deno.readFile(path);
    const bytes = gz === undefined ? stored : new Uint8Array(gunzipSync(stored));
    records.push({ release, kind, format: Number(format), bytes });
  }
  return records;
}
