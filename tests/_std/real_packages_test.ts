/**
 * Runs every test that touches `@std` with the real packages in the adapters' place, from a checkout of
 * https://github.com/denoland/std:
 *
 *     MEANDER_STD=../std deno task test tests/_std
 *
 * @module
 */

import assert from "node:assert/strict";

const CHECKOUT = Deno.env.get("MEANDER_STD");
const ROOT = new URL("../../", import.meta.url).pathname;
const TESTS = [
  "tests/_std/csv_test.ts",
  "tests/_std/testing_test.ts",
  "tests/sources",
  "tests/scripts/notebook",
  "tests/task",
];
const PACKAGES = [
  "assert",
  "async",
  "csv",
  "data-structures",
  "fs",
  "internal",
  "io",
  "path",
  "streams",
  "testing",
];

if (CHECKOUT === undefined) {
  Deno.stderr.writeSync(
    new TextEncoder().encode(`SKIPPED "the real @std packages": MEANDER_STD names no checkout of them\n`),
  );
}

Deno.test({
  name: "the real @std packages take the adapters' place",
  ignore: CHECKOUT === undefined,
  fn: async () => {
    const config = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
    const imports = { ...config.imports, ...await realImports(await Deno.realPath(CHECKOUT ?? "")) };
    const file = await Deno.makeTempFile({ dir: ROOT, prefix: "real_std_", suffix: ".tmp" });
    try {
      await Deno.writeTextFile(file, JSON.stringify({ ...config, imports, lock: false }));
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["test", "--allow-all", "--no-check", "--config", file, ...TESTS],
        cwd: ROOT,
        env: { NO_COLOR: "1" },
      }).output();
      const decoder = new TextDecoder();
      assert.ok(success, decoder.decode(stdout) + decoder.decode(stderr));
    } finally {
      await Deno.remove(file);
    }
  },
});

/** The import map of the packages: each of their exports. */
async function realImports(checkout: string): Promise<Record<string, string>> {
  const imports: Record<string, string> = {};
  for (const name of PACKAGES) {
    const folder = `${checkout}/${name.replaceAll("-", "_")}`;
    const { exports } = JSON.parse(await Deno.readTextFile(`${folder}/deno.json`));
    for (const [path, file] of Object.entries<string>(exports)) {
      imports[`@std/${name}${path.slice(1)}`] = `file://${folder}/${file.slice(2)}`;
    }
  }
  return imports;
}
