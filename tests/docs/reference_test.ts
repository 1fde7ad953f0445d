/** The reference pages cover everything: topics, commands, events. */

import assert from "node:assert/strict";
import { jsonSchemas } from "../../src/events/json_schema.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { readPage, ROOT } from "./pages.ts";

/** The names in code in the rows of a page's tables, each with its row. */
function rowsOf(page: string): ReadonlyMap<string, string> {
  const rows = page.matchAll(/^\| (`.*?) +\|.*$/gm);
  return new Map(
    [...rows].flatMap(([row, names = ""]) =>
      [...names.matchAll(/`([\w-]+)/g)].map(([, name = ""]) => [name, row] as const)
    ),
  );
}

Deno.test("docs/reference/topics.md has a row for each topic", async () => {
  const rows = rowsOf(await readPage("docs/reference/topics.md"));
  for (const topic of Object.values(topicNames(""))) assert.ok(rows.has(topic), topic);
});

Deno.test("docs/reference/commands.md has a row for each command of meander", async () => {
  const rows = rowsOf(await readPage("docs/reference/commands.md"));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", "scripts/meander.ts", "--help"],
    cwd: ROOT,
  }).output();
  const commands = [...new TextDecoder().decode(stdout).matchAll(/^ {2}([a-z][a-z-]*) {2,}/gm)];
  assert.ok(commands.length > 15);
  for (const [, command = ""] of commands) assert.ok(rows.has(command), command);
});

Deno.test("docs/reference/events.md has a row for each type of event, with its fields", async () => {
  const page = await readPage("docs/reference/events.md");
  const rows = rowsOf(page);
  const { event, item } = jsonSchemas();
  const types = event["oneOf"] as readonly { readonly properties: Readonly<Record<string, object>> }[];
  assert.ok(types.length > 5);
  for (const { properties } of types) {
    const type = (properties["type"] as { readonly const: string }).const;
    const row = rows.get(type) ?? "";
    for (const field of Object.keys(properties)) {
      if (["type", "id", "user", "time"].includes(field)) continue;
      assert.ok(row.includes(`\`${field}\``), `${type}: ${field}`);
    }
  }
  for (const field of Object.keys(item["properties"] as object)) {
    assert.match(page, new RegExp(`[\`{ ]${field}[\`,} ]`), `item: ${field}`);
  }
});
