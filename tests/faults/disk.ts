/**
 * The disk of a simulated world: files of a real folder, which are read and written immediately; a caller that waits
 * continues when the world says so. The disk remembers what it has confirmed of the files that a log syncs: a power cut
 * may lose the rest.
 *
 * @module
 */

import { here } from "./globals.ts";

const { mkdirSync, openSync, renameSync } = Deno;

/** Performs an operation on the disk whose completion is reported after a while. */
export function onDisk<Result>(work: () => Result): Promise<Result> {
  const world = here();
  const owner = world.current;
  let outcome: (() => Result) | undefined;
  try {
    const result = work();
    outcome = () => result;
  } catch (error) {
    outcome = () => {
      throw error;
    };
  }
  const { promise, resolve } = Promise.withResolvers<Result>();
  world.schedule(owner, DISK_MS, "disk", () => resolve(Promise.try(outcome)));
  return promise;
}

const DISK_MS = 0.3;

/** What the disk durably holds of a file. */
export interface Synced {
  /** Its length; of a write-ahead log, how far it was written since it was last restarted. */
  readonly length: number;
  /** Its contents, or the header of a write-ahead log: that file only grows until its header changes. */
  readonly bytes: Uint8Array;
}

const WAL = /-wal$/;
const SYNCED = /-(wal|end|end\.new)$/;
/** Sizes of the header of a write-ahead log, which changes when the log restarts, and of a frame with its page. */
export const HEAD_BYTES = 32;
const FRAME_BYTES = 24 + 4096;
/** Where header and frames have the salt, which changes when the log restarts, and its length. */
const [SALT_AT, SALT_OF_FRAME_AT, SALT_BYTES] = [16, 8, 8];

/** Where an open file is now. */
interface Place {
  path: string;
}

const places = new WeakMap<Deno.FsFile, Place>();
const placed = new Map<string, Place>();
const syncs = new Map<string, Synced>();

/** What the last completed sync of a file has confirmed. */
export function syncedOf(path: string): Synced | undefined {
  return syncs.get(path);
}

/** The disk confirms what a file holds now. */
export function noteSync(path: string): void {
  const synced = lookAt(path);
  if (synced !== undefined) syncs.set(path, synced);
}

/** Syncs of files in a folder will not be queried again. */
export function forgetSyncs(folder: string): void {
  for (const known of [syncs, placed]) {
    for (const path of known.keys()) if (path.startsWith(`${folder}/`)) known.delete(path);
  }
}

/** From here on, reading and writing of files happens in the world. */
export function diskInWorld(): void {
  const opened = (path: string | URL, options?: Deno.OpenOptions) => {
    const file = openSync(path, options);
    if (!SYNCED.test(`${path}`)) return file;
    const place = { path: `${path}` };
    places.set(file, place);
    placed.set(place.path, place);
    return file;
  };
  const replaced = {
    mkdir: (...args: Parameters<typeof mkdirSync>) => onDisk(() => mkdirSync(...args)),
    open: (...args: Parameters<typeof openSync>) => onDisk(() => opened(...args)),
    openSync: opened,
    renameSync: (from: string | URL, to: string | URL) => {
      renameSync(from, to);
      const place = placed.get(`${from}`);
      if (place !== undefined) place.path = `${to}`;
      const synced = syncs.get(`${from}`);
      if (synced !== undefined) syncs.set(`${to}`, synced);
      syncs.delete(`${from}`);
    },
  };
  for (const [name, value] of Object.entries(replaced)) Object.defineProperty(Deno, name, { value });
  const file = Deno.FsFile.prototype;
  const { statSync } = file;
  function syncNow(this: Deno.FsFile): void {
    const place = places.get(this);
    if (place !== undefined) noteSync(place.path);
  }
  Object.defineProperties(file, {
    stat: {
      value(this: Deno.FsFile) {
        return onDisk(() => statSync.call(this));
      },
    },
    syncData: {
      async value(this: Deno.FsFile) {
        const path = places.get(this)?.path;
        const synced = await onDisk(() => path === undefined ? undefined : lookAt(path));
        // A process that has died in the meantime is not told.
        if (path !== undefined && synced !== undefined) syncs.set(path, synced);
      },
    },
    syncSync: { value: syncNow },
    syncDataSync: { value: syncNow },
  });
}

function lookAt(path: string): Synced | undefined {
  try {
    if (WAL.test(path)) return lookAtLog(path);
    const bytes = Deno.readFileSync(path);
    return { length: bytes.length, bytes };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A write-ahead log restarts in its file: old frames follow its own, which SQLite ignores. */
export function lookAtLog(path: string): Synced {
  using file = openSync(path);
  const read = (at: number, length: number) => {
    const bytes = new Uint8Array(length);
    file.seekSync(at, Deno.SeekMode.Start);
    file.readSync(bytes);
    return bytes;
  };
  const bytes = read(0, HEAD_BYTES);
  const salt = bytes.subarray(SALT_AT, SALT_AT + SALT_BYTES);
  const isOfNow = (frame: number) =>
    read(HEAD_BYTES + frame * FRAME_BYTES + SALT_OF_FRAME_AT, SALT_BYTES).every((byte, i) =>
      byte === salt[i]
    );
  let [frames, end] = [0, Math.max(0, Math.floor((Deno.statSync(path).size - HEAD_BYTES) / FRAME_BYTES))];
  while (frames < end) {
    const middle = (frames + end) >> 1;
    if (isOfNow(middle)) frames = middle + 1;
    else end = middle;
  }
  return { length: HEAD_BYTES + frames * FRAME_BYTES, bytes };
}
