/**
 * Compiles src/nn/kernels/assembly to src/nn/kernels/binary.ts. With `--check` it only compares, and fails when the
 * file is not up to date.
 *
 *     deno task kernels [--check]
 */

import { main as compile } from "assemblyscript/asc";
import { say } from "../flags/command_line.ts";

const folder = new URL("../../src/nn/kernels/assembly/", import.meta.url);
const file = new URL("../../src/nn/kernels/binary.ts", import.meta.url);
/** Pages of the memory that src/nn/kernels/simd.ts makes: initial and maximum. */
const FIRST_PAGES = "256";
const MAX_PAGES = "16384";

/** The bytes of one build, base64. @throws Error with the compiler's messages when it does not compile. */
async function build(features: string): Promise<string> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await compile([
    "module.ts",
    ...`--outFile module.wasm -O3 --noAssert --runtime stub --enable ${features} --importMemory`.split(" "),
    ...`--sharedMemory --initialMemory ${FIRST_PAGES} --maximumMemory ${MAX_PAGES}`.split(" "),
  ], {
    readFile: (name: string) => Deno.readTextFile(new URL(name, folder)).catch(() => null),
    writeFile: (_name: string, contents: Uint8Array | string) => {
      if (contents instanceof Uint8Array) binary = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || binary === undefined) throw new Error(stderr.toString(), { cause: error });
  return btoa(String.fromCharCode(...binary));
}

/** The text of src/nn/kernels/binary.ts. */
export async function binaryFile(): Promise<string> {
  const simd = await build("simd,threads");
  const relaxed = await build("simd,relaxed-simd,threads");
  return `// Compiled from src/nn/kernels/assembly by \`deno task kernels\`; do not edit.

/**
 * The SIMD kernels as WebAssembly, base64.
 *
 * @module
 */

/** With the instructions of WebAssembly 2. */
export const SIMD =
  "${simd}";

/** With relaxed SIMD: fused multiply-add. */
export const RELAXED_SIMD =
  "${relaxed}";
`;
}

if (import.meta.main) {
  const text = await binaryFile();
  const found = await Deno.readTextFile(file).catch(() => "");
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(file, text);
    say(found === text ? "kernels were up to date" : "kernels compiled");
  } else if (found !== text) {
    say("src/nn/kernels/binary.ts is not up to date; run `deno task kernels`");
    Deno.exit(1);
  } else {
    say("kernels are up to date");
  }
}
