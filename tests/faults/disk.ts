/**
 * The disk of a simulated world: files of a real folder, which are read and written at once; whoever waits for it goes on
 * when the world says so.
 *
 * @module
 */

import { here } from "./globals.ts";

/** Does something on the disk that takes a while to be heard of. */
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

/** What the disk holds of a file for good: so many bytes, which begin like that. */
export interface Synced {
  readonly bytes: number;
  readonly head: Uint8Array;
}

const paths = new WeakMap<Deno.FsFile, string>();
const syncs = new Map<string, Synced>();
/** Of the head of a write-ahead log, which is another one once it begins anew. */
const HEAD_BYTES = 32;

/** What the last sync of a file that has ended has confirmed. */
export function syncedOf(path: string): Synced | undefined {
  return syncs.get(path);
}

/** Nobody will ask for the syncs of files in a folder again. */
export function forgetSyncs(folder: string): void {
  for (const path of syncs.keys()) if (path.startsWith(`${folder}/`)) syncs.delete(path);
}

/** From here on whatever reads and writes files does so in the world. */
export function diskInWorld(): void {
  const { mkdirSync } = Deno;
  Object.defineProperty(Deno, "mkdir", {
    value: (...args: Parameters<typeof mkdirSync>) => onDisk(() => mkdirSync(...args)),
  });
  const { openSync } = Deno;
  Object.defineProperty(Deno, "open", {
    value: (path: string, options?: Deno.OpenOptions) =>
      onDisk(() => {
        const file = openSync(path, options);
        paths.set(file, path);
        return file;
      }),
  });
  const file = Deno.FsFile.prototype;
  const { statSync } = file;
  Object.defineProperties(file, {
    stat: {
      value(this: Deno.FsFile) {
        return onDisk(() => statSync.call(this));
      },
    },
    syncData: {
      async value(this: Deno.FsFile) {
        const path = paths.get(this);
        const synced = path === undefined ? undefined : await onDisk(() => lookAt(path));
        // Whoever is dead by now has not heard of it.
        if (path !== undefined && synced !== undefined) syncs.set(path, synced);
        else await onDisk(() => undefined);
      },
    },
  });
}

function lookAt(path: string): Synced {
  const bytes = Deno.readFileSync(path);
  return { bytes: bytes.length, head: bytes.slice(0, HEAD_BYTES) };
}
