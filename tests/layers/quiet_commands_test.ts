/**
 * Tests start commands with `-q`: of processes that begin together all but one say on stderr that they wait for the lock
 * of `node_modules`, beside what a test compares.
 */

import assert from "node:assert/strict";
import { ROOT } from "../docs/pages.ts";
import { files } from "../words/files.ts";

/** `deno run` with flags, the first of which is not `-q`. */
const LOUD = /"run",\s+"(-A|--(allow|no-check|no-prompt))|exec "\$0" run (?!-q)/;

Deno.test("no test starts a command of Deno without -q", async () => {
  const found: string[] = [];
  for await (const path of files("tests")) {
    if (/^tests\/(bench|layers)\//.test(path)) continue;
    if (LOUD.test(await Deno.readTextFile(new URL(path, ROOT)))) found.push(path);
  }
  assert.deepEqual(found, []);
});
