/**
 * Ownership of a SQLite log. SQLite names the write-ahead log after the name by which a database is opened, so under
 * two names it is two logs that destroy each other: symbolic links are resolved to one name, and hard links refused.
 */

import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LogError } from "../log.ts";

/** The only name of a database, which need not exist. @throws Error when it has others */
export function oneName(path: string): string {
  try {
    const real = Deno.realPathSync(path);
    const { nlink, isFile } = Deno.statSync(real);
    if (isFile && nlink !== null && nlink > 1) {
      throw new Error(
        `Cannot open the log ${real}: the file has ${nlink} names (hard links), and its newest records are in a file ` +
          `named after only one of them; remove the others (find -samefile ${real}), or copy the file`,
      );
    }
    return real;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (isLink(path)) {
      throw new Error(`Cannot open the log ${path}: it is a symbolic link to a file that does not exist`, {
        cause: error,
      });
    }
    return join(Deno.realPathSync(dirname(path)), basename(path));
  }
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Takes the lock of a log, which the kernel frees when this process ends. */
export function own(path: string): DatabaseSync {
  const lock = new DatabaseSync(`${path}-lock`);
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/**
 * Creates the file if needed and locks it against use under any other name, such as another mount. On Linux only, where
 * the lock does not interfere with SQLite's.
 *
 * @returns The file; closing it frees all locks of this process on it, SQLite's too
 */
export function ownFile(path: string): Deno.FsFile | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const file = Deno.openSync(path, { read: true, write: true, create: true });
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new LogError(
    "locked",
    `Cannot open the log ${path}: another process has the same file open under another name; stop that process, or ` +
      "give this one a file of its own",
  );
}
