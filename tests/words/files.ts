/**
 * The modules of a folder.
 *
 * @module
 */

import { ROOT } from "../docs/pages.ts";

/** Paths of modules under a folder, from the root. */
export async function* files(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* files(path);
    else if (name.endsWith(".ts")) yield path;
  }
}
