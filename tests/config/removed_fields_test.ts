import assert from "node:assert/strict";
import { configRows } from "../../scripts/generate/configuration_page.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { remedyOfRemoved, removedVariables } from "../../streams/config/removed_fields.ts";
import { variableOf } from "../../streams/settings/config_environment.ts";
import { readPage } from "../docs/pages.ts";

const changelog = await readPage("CHANGELOG.md");
const keys = configRows().map(({ key }) => key);

/** Paths in backticks under "Removed" of the changelog that look like those of the configuration. */
function pathsOf(text: string): readonly string[] {
  const sections = new Set(keys.filter((key) => key.includes(".")).map((key) => key.split(".")[0]));
  return [...text.matchAll(/`([a-z]\w*(?:\.\w+)+)`/g)].map(([, path = ""]) => path)
    .filter((path) => sections.has(path.split(".")[0]));
}

Deno.test("remedyOfRemoved() knows each option that the changelog says was removed, and none that exists", () => {
  const [, removed = ""] = /### Removed\n(.*?)\n## /s.exec(changelog) ?? [];
  const gone = pathsOf(removed).filter((path) => !keys.includes(path));
  assert.ok(gone.length >= 10, `${gone}`);
  assert.deepEqual(gone.filter((path) => remedyOfRemoved(path.split(".")) === undefined), []);
  assert.deepEqual(keys.filter((key) => remedyOfRemoved(key.split(".")) !== undefined), []);
  for (const key of keys) assert.ok(!removedVariables().has(variableOf(key.split("."))), key);
});

Deno.test("parseConfig() says what became of a removed option", () => {
  const text = '{"retrieval": {"neighbours": {"dislikedWeight": 1}}}';
  assert.throws(
    () => parseConfig(text, "shop.json"),
    /retrieval\.neighbours\.dislikedWeight \(line 1\): it is gone: remove it: disliked items do not count/,
  );
});
