import assert from "node:assert/strict";
import { configJsonSchema, parseConfig } from "../../streams/config/config.ts";
import { configRows, configurationPage } from "../../scripts/generate/configuration_page.ts";
import { blocks, readPage } from "./pages.ts";

/** `{a: {b: value}}` for `a.b`. */
function nested(path: string, value: unknown): unknown {
  return path.split(".").reduceRight((inner, key) => ({ [key]: inner }), value);
}

Deno.test("docs/reference/configuration.md is generated from the schema", async () => {
  assert.equal(
    await readPage("docs/reference/configuration.md"),
    configurationPage(),
    "run `deno run -A scripts/generate/schemas.ts`",
  );
});

Deno.test("every field of the configuration has a description, and every default is valid", () => {
  const rows = new Map(configRows().map((row) => [row.key, row]));
  assert.ok(rows.size > 120);
  let wanted = 0;
  const walk = (path: string, node: unknown) => {
    if (typeof node !== "object" || node === null) return;
    const { properties = {}, ...rest } = node as { readonly properties?: Readonly<Record<string, object>> };
    for (const [name, child] of Object.entries(properties)) {
      const key = path === "" ? name : `${path}.${name}`;
      if ("not" in child || "const" in child) continue;
      const isSection = "properties" in child;
      if (!isSection) assert.ok((rows.get(key)?.about ?? "").length > 4, `${key} has no meaning`);
      if (!isSection && rows.get(key)?.fallback === "") wanted++;
      walk(key, child);
    }
    for (const inner of Object.values(rest)) {
      for (const each of Array.isArray(inner) ? inner : []) walk(path, each);
    }
  };
  walk("", configJsonSchema());
  assert.ok(wanted < 8, `${wanted} fields without a default`);
  for (const { key, value } of rows.values()) {
    if (value === undefined || /[<[]/.test(key) || /^(policy|frequency)\./.test(key)) continue;
    assert.doesNotThrow(() => parseConfig(JSON.stringify(nested(key, value)), "meander.json"), key);
  }
});

Deno.test("docs/reference/configuration.md has a valid example", async () => {
  const [example = ""] = blocks(await readPage("docs/reference/configuration.md"), "json");
  assert.equal(parseConfig(example, "meander.json").policy?.name, "epsilon");
});
