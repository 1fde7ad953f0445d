/**
 * Short runs of `deno task simulate-faults`: one repeats itself and finds nothing; without any one of the fixes, a run finds
 * what that breaks. CI runs more of them, see `.ci/run`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { breadth } from "../breadth.ts";
import { MUTANTS, withoutFix } from "./mutants.ts";
import { replacements } from "./replacements.ts";
import { describePlan, makePlan } from "./plan.ts";

const ROOT = new URL("../../", import.meta.url);

async function simulated(...args: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", "scripts/simulate_faults.ts", ...args],
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("A simulated deployment keeps its promises, and the same seed gives the same world twice", async () => {
  const text = await simulated("--seed", "4", "--trial", "none", "--twice");
  assert.match(text, /^seed 4: \d+ steps, digest [0-9a-f]{16}, well$/m, text);
  assert.match(text, /2 runs, \d+ steps .* 0 failed/, text);
});

Deno.test("makePlan() gives the same plan for the same seed, and makes every kind of fault and trial", () => {
  const seeds = Array.from({ length: 200 }, (_, seed) => seed);
  const plans = seeds.map((seed) => makePlan(seed));
  assert.deepEqual(seeds.map((seed) => makePlan(seed)), plans);
  const kinds = new Set(plans.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
  assert.equal(kinds.size, 9);
  assert.equal(new Set(plans.flatMap(({ trial }) => trial ?? [])).size, 12);
  assert.match(describePlan(makePlan(4)), /^seed 4: /);
});

/** Of every run: one for each kind of check. */
const ALWAYS: readonly string[] = [
  "silent-gap",
  "topic-by-name",
  "records-without-a-checksum",
  "silent-power-cut",
];

for (const name of Object.keys(MUTANTS)) {
  if (!breadth(ALWAYS.includes(name), true)) {
    Deno.test(`The fix of ${name} is where a run without it takes it out`, async () => {
      for (const copy of Object.values(await withoutFix(name, ROOT))) await Deno.remove(new URL(copy));
    });
    continue;
  }
  Deno.test(`A simulated deployment without the fix of ${name} breaks a promise, and the checks notice`, async () => {
    const text = await simulated("--without", name);
    assert.match(
      text,
      /^ {2}PROBLEM /m,
      `if code that it runs has changed, look for a seed that notices:\n${text}`,
    );
    assert.match(text, /1 runs, .* 1 failed: /, text);
  });
}

Deno.test("replacements() replace modules that exist", async () => {
  const modules = Object.entries(replacements()).flat().filter((url) => /^file:.*\.ts$/.test(url));
  assert.ok(modules.length > 8);
  for (const module of modules) assert.ok((await Deno.stat(new URL(module))).isFile);
});
