/** Fields of an object stand by themselves: a spread literal, which only packs some of them into a line, has no use. */

import assert from "node:assert/strict";
import { ROOT } from "../docs/pages.ts";
import { files } from "./files.ts";

Deno.test("no object spreads a literal, not even in an example", async () => {
  const found: string[] = [];
  for (const top of ["src", "streams", "scripts", "fixtures/simulator", "tests"]) {
    for await (const path of files(top)) {
      if (/\.\.\.\(?\{/.test(await Deno.readTextFile(new URL(path, ROOT)))) found.push(path);
    }
  }
  assert.deepEqual(found, []);
});
