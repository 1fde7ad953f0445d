/**
 * Tests on public data that is not part of the repository: in `$MEANDER_DATA`, else in `../shared/data` beside it.
 *
 * @module
 */

const folder = Deno.env.get("MEANDER_DATA") ??
  new URL("../../../../../shared/data", import.meta.url).pathname;

/** Registers a test on a data file; it is ignored, with a warning, if the file is missing. */
export function dataTest(name: string, file: string, check: (path: string) => Promise<void>): void {
  const path = `${folder}/${file}`;
  const ignore = !exists(path);
  if (ignore) Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED "${name}": data ${file} is missing\n`));
  Deno.test({ name, ignore, fn: () => check(path) });
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
