/**
 * Golden vectors of an independent implementation: loading, comparing, and skipping loudly without them.
 *
 * They live in `$MEANDER_GOLDEN`, else in `../shared/golden` beside the repository.
 *
 * @module
 */

import assert from "node:assert/strict";

const folder = Deno.env.get("MEANDER_GOLDEN") ??
  new URL("../../shared/golden", import.meta.url).pathname;

/** Registers a test over the cases of one golden file; it is ignored, with a warning, if the file is missing. */
export function goldenTest<Case>(
  name: string,
  file: string,
  check: (cases: Record<string, Case>) => void,
): void {
  const path = `${folder}/${file}`;
  let text: string | undefined;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.stderr.writeSync(
      new TextEncoder().encode(`SKIPPED "${name}": golden vectors ${file} are missing\n`),
    );
  }
  Deno.test({
    name,
    ignore: text === undefined,
    fn: () => check((JSON.parse(text ?? "{}") as { cases: Record<string, Case> }).cases),
  });
}

/** Asserts |got − want| ≤ tolerance · max(5e-3, largest |want|) for every element. */
export function assertClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(got.length, want.length, `${what}: length`);
  const scale = Array.from(want).reduce((most, x) => Math.max(most, Math.abs(x)), 5e-3);
  for (let i = 0; i < want.length; i++) {
    const gap = Math.abs((got[i] ?? NaN) - (want[i] ?? NaN));
    assert.ok(gap <= tolerance * scale, `${what}[${i}]: got ${got[i]}, want ${want[i]}`);
  }
}
