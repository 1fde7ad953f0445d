import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("allocation.ts", import.meta.url));
const FLAGS = "--v8-flags=--expose-gc,--min-semi-space-size=256,--max-semi-space-size=256";

/** Bytes a behaviour allocates after 20, 200 and 2,000 others. */
async function allocations(...args: readonly string[]): Promise<readonly [number, number, number]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-read", "--no-check", FLAGS, PROGRAM, ...args],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** A copy of 1,800 behaviours more, at 11 bytes each, is 20 KB; what is measured varies by 8 KB at most. */
function assertFlat(what: string, before: number, after: number): void {
  assert.ok(before > 0 && after > 0, `${what}: something was collected: ${before}, ${after}`);
  assert.ok(
    after < before + 14_000,
    `${what}: ${after} bytes a behaviour, ${before} with a shorter history`,
  );
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
    const [few, more, many] = await allocations(...args);
    // A window and what retrieval learns from fill up first: with 20 behaviours there is less to do.
    if (!hasWindow) assertFlat(name, few, more);
    assertFlat(name, more, many);
  });
}
