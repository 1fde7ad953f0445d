/**
 * Leaves in `deno.json` only the packages that the code beside it imports, and has them in the cache in place of a folder
 * of modules: an image has what runs, and nothing writes to it.
 *
 *     deno run --no-config --allow-read=. --allow-write=deno.json only_used.ts
 *
 * @module
 */

const manifest = JSON.parse(await Deno.readTextFile("deno.json"));
const code: string[] = [];

async function collect(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await collect(path);
    else if (name.endsWith(".ts")) code.push(await Deno.readTextFile(path));
  }
}

for (const folder of ["src", "streams", "scripts"]) await collect(folder);
const all = code.join("\n");
const isUsed = (name: string) =>
  all.includes(`from "${name}`) || all.includes(`import("${name}`) || all.includes(`import "${name}`);
manifest.imports = Object.fromEntries(Object.entries(manifest.imports).filter(([name]) => isUsed(name)));
manifest.nodeModulesDir = "none";
manifest.permissions.command.ffi = [".deno"]; // libraries are in the cache, DENO_DIR
await Deno.writeTextFile("deno.json", `${JSON.stringify(manifest, null, 2)}\n`);
