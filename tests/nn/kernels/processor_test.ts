import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { KERNEL_NAMES, type KernelName } from "../../../src/nn/kernels/kernels.ts";

const PROGRAM = fileURLToPath(new URL("processor.ts", import.meta.url));

/** What V8 is told to do without: fused multiply-add, or nearly everything after 2007. */
const LACKS = [
  "--no-enable-fma3",
  ["fma3", "avx2", "avx", "bmi1", "bmi2", "popcnt", "lzcnt", "sse4-2"].map((it) => `--no-enable-${it}`).join(
    ",",
  ),
];

interface Answer {
  readonly chosen: KernelName;
  readonly digests: Partial<Record<KernelName, string>>;
}

async function ask(flags?: string): Promise<Answer> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-check", ...(flags === undefined ? [] : [`--v8-flags=${flags}`]), PROGRAM],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test({
  name: "kernels learn the same bits on a processor that lacks instructions, or do not run there",
  ignore: Deno.build.arch !== "x86_64",
  fn: async () => {
    const here = await ask();
    assert.equal(here.chosen, KERNEL_NAMES.findLast((name) => name in here.digests));
    for (const lacking of LACKS) {
      const there = await ask(lacking);
      assert.deepEqual([there.chosen, Object.keys(there.digests)], ["simd", ["plain", "simd"]], lacking);
      assert.deepEqual(there.digests, { plain: here.digests.plain, simd: here.digests.simd }, lacking);
    }
  },
});
