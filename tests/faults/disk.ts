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

/** From here on whatever reads and writes files does so in the world. */
export function diskInWorld(): void {
  const { mkdirSync } = Deno;
  Object.defineProperty(Deno, "mkdir", {
    value: (...args: Parameters<typeof mkdirSync>) => onDisk(() => mkdirSync(...args)),
  });
}
