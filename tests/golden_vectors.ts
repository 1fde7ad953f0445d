/**
 * Golden vectors of an independent implementation: loading, comparing, and the proof that each test of them
 * fails when they are corrupted.
 *
 * They live in `tests/golden` (its README says how they are made), or in `$MEANDER_GOLDEN` if it is set.
 *
 * @module
 */

import assert from "node:assert/strict";
import { arraysOf, corruptions } from "./golden_corruptions.ts";

const FOLDER = Deno.env.get("MEANDER_GOLDEN") ?? new URL("golden", import.meta.url).pathname;

/** What `JSON.parse` gives. */
export type Json = null | number | string | Json[] | { [name: string]: Json };

/** A golden file: an example of its own unless its outputs are empty, and more by name. */
interface GoldenFile {
  readonly outputs: { readonly [name: string]: Json };
  readonly cases?: Readonly<Record<string, object>>;
}

/** Options of {@linkcode goldenTest}. */
export interface GoldenTestOptions {
  /** Which arrays of the file, by dotted path, the test claims to notice any change of. @default all */
  readonly claims?: (path: string) => boolean;
  /** Corruptions to try, spread over all; `MEANDER_CORRUPT=all` tries every one. @default 100 */
  readonly corruptions?: number;
}

/**
 * Registers a test over the cases of a golden file (`main` is the file's own); what a case does not state is
 * that of the file. It fails when the file is missing. A second test corrupts the committed vectors, one array
 * at a time, and expects the first to fail.
 */
export function goldenTest<Case>(
  name: string,
  file: string,
  check: (cases: Readonly<Record<string, Case>>) => void | Promise<void>,
  { claims = () => true, corruptions: most = 100 }: GoldenTestOptions = {},
): void {
  Deno.test(`${name} (golden)`, async () => await check(casesOf(readGolden(file))));
  // Others' files hold arrays that nothing here computes.
  if (Deno.env.has("MEANDER_GOLDEN")) return;
  Deno.test(`${name} (golden), and notices corrupted vectors`, async () => {
    const text = readGolden(file);
    const paths = arraysOf(JSON.parse(text)).map((path) => path.join(".")).filter(claims);
    assert.ok(paths.length > 0, "the test claims no array");
    const all = corruptions(text).filter(({ path }) => claims(path));
    const stride = Deno.env.get("MEANDER_CORRUPT") === "all" ? 1 : Math.max(1, all.length / most);
    const unnoticed: string[] = [];
    for (let i = 0; i < all.length; i += stride) {
      const { path, kind, corrupt } = all[Math.floor(i)] ?? assert.fail();
      if (await passes(check, corrupt())) unnoticed.push(`${path} ${kind}`);
    }
    assert.deepEqual(unnoticed, []);
  });
}

async function passes<Case>(
  check: (cases: Readonly<Record<string, Case>>) => void | Promise<void>,
  text: string,
): Promise<boolean> {
  try {
    await check(casesOf(text));
    return true;
  } catch {
    return false;
  }
}

/**
 * The text of a golden file.
 *
 * @throws {Error} if it is missing
 */
export function readGolden(file: string): string {
  try {
    return Deno.readTextFileSync(`${FOLDER}/${file}`);
  } catch (cause) {
    throw new Error(`Cannot read the golden vectors ${file}: make them with tests/golden/make.py`, { cause });
  }
}

function casesOf<Case>(text: string): Record<string, Case> {
  const { cases = {}, ...main } = JSON.parse(text) as GoldenFile;
  const resolved = Object.entries(cases).map(([key, own]) => [key, { ...main, ...own }] as const);
  return {
    ...(Object.keys(main.outputs).length > 0 ? { main } : {}),
    ...Object.fromEntries(resolved),
  } as Record<string, Case>;
}

/** Asserts |got − want| ≤ tolerance · max(5e-3, largest |want|) for every element; all must be finite. */
export function assertClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(got.length, want.length, `${what}: length`);
  const scale = Array.from(want).reduce((most, x) => Math.max(most, Math.abs(x)), 5e-3);
  // An infinite scale would let anything pass.
  assert.ok(Number.isFinite(scale), `${what}: not all that is wanted is finite`);
  for (let i = 0; i < want.length; i++) {
    const gap = Math.abs((got[i] ?? NaN) - (want[i] ?? NaN));
    assert.ok(gap <= tolerance * scale, `${what}[${i}]: got ${got[i]}, want ${want[i]}`);
  }
}
