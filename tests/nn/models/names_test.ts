import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { MODEL_NAMES, MODELS } from "../../../src/nn/models/registry.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Commands that default to the fastest model. */
const DEFAULTS: ReadonlySet<string> = new Set(["scripts/chaos.ts", "scripts/evaluate/learning.ts"]);
/** Models name themselves. */
const OWN = "src/nn/models";

async function* sources(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(ROOT + folder)) {
    const path = `${folder}/${name}`;
    if (path === OWN) continue;
    if (isDirectory) yield* sources(path);
    else if (/\.(ts|js)$/.test(name)) yield path;
  }
}

Deno.test("no code outside a model's folder names the model", async () => {
  const all = MODEL_NAMES.join("|");
  const names = new RegExp(`["'\`](${all})["'\`]|\\bMODELS\\.\\w+|/models/(?:${all})/`, "g");
  const found: string[] = [];
  for (const top of ["src", "streams", "scripts"]) {
    for await (const path of sources(top)) {
      if (path.startsWith("scripts/research/") || DEFAULTS.has(path)) continue;
      const code = (await Deno.readTextFile(ROOT + path)).replaceAll(/^ *\*.*$/gm, "");
      for (const [name] of code.matchAll(names)) found.push(`${path}: ${name}`);
    }
  }
  assert.deepEqual(found, []);
});

Deno.test("MODELS lists each model under its own name", () => {
  for (const name of MODEL_NAMES) assert.equal(MODELS[name].name, name);
});
