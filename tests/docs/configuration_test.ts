import assert from "node:assert/strict";
import { parseConfig } from "../../streams/config.ts";
import { blocks, readPage, ROOT } from "./pages.ts";

/** The rows `| key | default |` of the page. */
async function rows(): Promise<readonly (readonly [key: string, fallback: string])[]> {
  const page = await readPage("docs/configuration.md");
  return [...page.matchAll(/^\| `([\w.<>]+)`\s*\| (.*?)\s*\|/gm)].map((
    [, key = "", fallback = ""],
  ) => [key, fallback]);
}

/** `{a: {b: value}}` for `a.b`. */
function nested(path: string, value: unknown): unknown {
  return path.split(".").reduceRight((inner, key) => ({ [key]: inner }), value);
}

Deno.test("docs/configuration.md names only keys that exist, with defaults that are allowed", async () => {
  const known = await rows();
  assert.ok(known.length > 30);
  for (const [key, fallback] of known) {
    const [, json] = /^`(.*)`$/.exec(fallback) ?? [];
    if (json === undefined || key.includes("<")) continue;
    // A policy has its name beside its options.
    assert.doesNotThrow(
      () => parseConfig(JSON.stringify(nested(key, JSON.parse(json))), "meander.json"),
      key,
    );
  }
});

Deno.test("docs/configuration.md has an example that is allowed", async () => {
  const [example = ""] = blocks(await readPage("docs/configuration.md"), "json");
  assert.equal(parseConfig(example, "meander.json").policy?.name, "epsilon");
});

Deno.test("docs/configuration.md names every key that the configuration knows", async () => {
  const source = await Deno.readTextFile(new URL("streams/config.ts", ROOT));
  const schema = source.slice(
    source.indexOf("const actionSchema"),
    source.indexOf("/** A configuration file"),
  );
  const keys = new Set(
    [...schema.matchAll(/^\s*(\w+):|[{,] (\w+):/gm)].map(([, first, more]) => first ?? more ?? ""),
  );
  assert.ok(keys.size > 40);
  const page = await readPage("docs/configuration.md");
  for (const key of [...keys, "widths"]) assert.match(page, new RegExp(`\\b${key}\\b`));
});

Deno.test("docs/configuration.md has the defaults that the options' own docs have", async () => {
  const sources = ["learner/learner", "features/transitions", "state/sequence", "state/task_state"];
  const defaults = new Map<string, string>();
  for (const source of sources) {
    const text = await Deno.readTextFile(new URL(`src/${source}.ts`, ROOT));
    for (
      const [, value = "", name = ""] of text.matchAll(
        /@default \{(.+?)\} (?:\*\/)?\s+(?:\*\/\s+)?readonly (\w+)\?:/g,
      )
    ) {
      defaults.set(name, value);
    }
  }
  let compared = 0;
  for (const [key, fallback] of await rows()) {
    const known = defaults.get(key.split(".").at(-1) ?? "");
    const [, json = ""] = /^`(.*)`$/.exec(fallback) ?? [];
    if (known === undefined || !/^([\d.]+|"\w+")$/.test(known)) continue;
    assert.equal(json, known, key);
    compared++;
  }
  assert.ok(compared > 15);
});
