/**
 * Tests start commands with `-q`: of processes that start together, all but one report on stderr that they wait for the
 * lock of `node_modules`, which would spoil what a test compares.
 */

import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
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

Deno.test("what `deno task` echoes of the README's commands fits on four lines of a terminal", async () => {
  const tasks: Readonly<Record<string, { readonly command: string }>> = manifest.tasks;
  const commands = [...(await readPage("README.md")).matchAll(/^deno task (\S+) (.+)$/gm)];
  assert.ok(commands.length >= 2, `${commands.length} commands`);
  for (const [line, name = "", given = ""] of commands) {
    const echo = `Task ${name} ${tasks[name]!.command} ${
      given.split(" ").map((word) => `'${word}'`).join(" ")
    }`;
    assert.ok(echo.length < 300, `${line}: ${echo.length} characters`);
  }
});
