/**
 * Finds the files of a data set.
 *
 * @module
 */

const DATA = /\.(jsonl?|ndjson|csv)(\.gz)?$/;

/** Whether a path is a folder. @throws Deno.errors.NotFound when it does not exist */
export async function isFolder(path: string): Promise<boolean> {
  return (await Deno.stat(path)).isDirectory;
}

/** Path of a file within a folder. */
export function within(folder: string, name: string): string {
  return `${folder.replace(/[/\\]+$/, "")}/${name}`;
}

/** Path of the first of these files that exists in a folder. */
export async function fileIn(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = within(folder, name);
    try {
      if ((await Deno.stat(path)).isFile) return path;
    } catch (error) {
      const absent = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
      if (!absent) throw error;
    }
  }
  return undefined;
}

/** Names of the CSV files of a folder, `.gz` or not, in alphabetical order. */
export async function csvFiles(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory && /\.csv(?:\.gz)?$/.test(name)) names.push(name);
  }
  return names.sort();
}

/** The file, or the files of the folder in the order of their names. @throws Deno.errors.NotFound without any */
export async function filesOf(path: string, named: RegExp = DATA): Promise<readonly string[]> {
  if (!await isFolder(path)) return [path];
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(path)) if (isFile && named.test(name)) names.push(name);
  if (names.length > 0) return names.sort().map((name) => within(path, name));
  const wanted = named === DATA ? "JSON or CSV" : "Avro";
  throw new Deno.errors.NotFound(`Cannot open ${path}: it has no ${wanted} file`);
}
