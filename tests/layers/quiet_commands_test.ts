/**
 * Commands with `-q`. In tests: of processes that start together, all but one report on stderr that they wait for the
 * lock of `node_modules`, which would spoil what a test compares. On first pages: Deno would list a hundred packages.
 */

import assert from "node:assert/strict";
import { readPage, ROOT } from "../docs/pages.ts";
import { files } from "../words/files.ts";

/** `deno run` with flags of which the first is not `-q`. */
const LOUD = /"run",\s+"(-A|--(allow|no-check|no-prompt))|exec "\$0" run (?!-q)/;

Deno.test("no test starts a deno command without -q", async () => {
  const found: string[] = [];
  for await (const path of files("tests")) {
    if (/^tests\/(bench|layers)\//.test(path)) continue;
    if (LOUD.test(await Deno.readTextFile(new URL(path, ROOT)))) found.push(path);
  }
  assert.deepEqual(found, []);
});

Deno.test("the commands that a newcomer runs first have -q", async () => {
  for (const page of ["README.md", "docs/tutorial/first-hour.md", "docs/how-to/deploy-on-sqlite.md"]) {
    const [first = ""] = (await readPage(page)).match(/(?<=^```sh\n)(?:deno .*\n)+/m) ?? [];
    const commands = first.trim().split("\n");
    assert.deepEqual(commands.filter((command) => !/^deno (?:task|run) -q /.test(command)), [], page);
  }
});
