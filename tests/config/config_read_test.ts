import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { configBeside, readConfig } from "../../streams/config/read.ts";

const SCRIPTS = fileURLToPath(new URL("../../scripts", import.meta.url));

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readConfig() reads the file asked for, else the usual one, and lets the environment override it", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.json`, '{"batchRows": 32}');
    await Deno.writeTextFile(`${folder}/usual.json`, '{"batchRows": 16}');
    assert.equal((await readConfig(`${folder}/a.json`, `${folder}/usual.json`)).batchRows, 32);
    assert.equal((await readConfig(undefined, `${folder}/usual.json`)).batchRows, 16);
    const env = (name: string) => name === "MEANDER_BATCH_ROWS" ? "8" : undefined;
    assert.equal((await readConfig(`${folder}/a.json`, null, env)).batchRows, 8);
    assert.deepEqual(await readConfig(undefined, null, env), { batchRows: 8 });
  }));

Deno.test("readConfig() tolerates a missing default file, but not a missing file that was asked for", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/data.csv`, "");
    assert.deepEqual(await readConfig(undefined, `${folder}/data.csv/meander.json`), {});
    assert.deepEqual(await readConfig(undefined, `${folder}/none.json`), {});
    await assert.rejects(
      readConfig(`${folder}/none.json`),
      /Cannot read the configuration .*none.json: no such file/,
    );
  }));

Deno.test("configBeside() is in the folder of the data, whether that is a file or a folder", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/data.csv`, "");
    for (const data of [folder, `${folder}/data.csv`]) {
      assert.equal(await configBeside(data), `${folder}/meander.json`);
    }
    assert.equal(await configBeside("deno.json"), "./meander.json");
  }));

/** All commands with a configuration, including those in folders. */
async function* scripts(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* scripts(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}

Deno.test("no command parses the configuration by itself", async () => {
  for await (const file of scripts(SCRIPTS)) {
    assert.ok(!/\bparseConfig\b/.test(await Deno.readTextFile(file)), `${file} parses it: use readConfig`);
  }
});
