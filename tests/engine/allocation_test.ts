import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("allocation.ts", import.meta.url));
const FLAGS = "--v8-flags=--expose-gc,--min-semi-space-size=256,--max-semi-space-size=256";

/** Bytes that a behaviour allocates after 20, 200 and 2,000 others. */
async function allocations(...args: readonly string[]): Promise<readonly [number, number, number]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-read", "--no-check", FLAGS, PROGRAM, ...args],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Most runs, of which the least figures count: on a busy machine, code that is not compiled yet allocates more. */
const RUNS = 4;

/** Whether the long history costs no more: a copy of 1,800 behaviours, at 11 bytes each, is 20 KB, noise 8 KB at most. */
function isFlat(before: number, after: number): boolean {
  return after < before + 14_000;
}

for (
  const [args, hasWindow] of [
    [["base"], false],
    [["dien"], true],
    [["mimn"], false],
    [["base", "retrieval"], true],
  ] as const
) {
  const name = args.join(" with ");
  Deno.test(`TaskState.apply() of ${name} allocates no more for a long history than for a short one`, async () => {
    let least = [Infinity, Infinity, Infinity];
    for (let run = 0; run < RUNS; run++) {
      const counts = await allocations(...args);
      assert.ok(counts.every((bytes) => bytes > 0), `something was collected: ${counts}`);
      least = least.map((bytes, n) => Math.min(bytes, counts[n]!));
      const [few = 0, more = 0, many = 0] = least;
      // Windows and what retrieval learns from must fill up first: with 20 behaviours there is less to do.
      if ((hasWindow || isFlat(few, more)) && isFlat(more, many)) return;
    }
    assert.fail(`after 20, 200 and 2,000 others a behaviour allocates ${least.join(", ")} bytes`);
  });
}
