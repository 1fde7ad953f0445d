import assert from "node:assert/strict";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A folder imports only from those above it. A star is any folder not in the list; these do not import each other. */
const LAYERS = [
  "src/values",
  "src/codec",
  "src/options",
  "src/events/keys",
  "src/events",
  "src/adapters",
  "src/mapping",
  "src/mapping/suggestions",
  "src/metrics",
  "src/draws",
  "src/nn/losses",
  "src/nn/optimisers",
  "src/embeddings",
  "src/nn/kernels/assembly",
  "src/nn/kernels",
  "src/vectors",
  "src/nn/layers",
  "src/bank",
  "src/nn/models/core",
  "src/nn/models/*",
  "src/nn/models",
  "src/assignment",
  "src/samples",
  "src/features/pooled",
  "src/features",
  "src/features/rows",
  "src/serving",
  "src/items",
  "src/users/states",
  "src/users/pending",
  "src/users",
  "src/retrieval/items",
  "src/retrieval/signals",
  "src/retrieval/folds",
  "src/retrieval/sources",
  "src/retrieval/head",
  "src/retrieval/stack",
  "src/retrieval",
  "src/scorer",
  "src/engine",
  "src/experiments",
  "src/learner/bank",
  "src/learner/guard",
  "src/learner/preferences",
  "src/learner",
  "streams/log",
  "streams/log/threads",
  "streams/log/sqlite/end",
  "streams/log/sqlite/wal",
  "streams/log/kafka/protocol",
  "streams/log/kafka/logins",
  "streams/log/kafka/group",
  "streams/log/kafka/reading",
  "streams/log/*",
  "streams/log/kinds",
  "streams/sqlite",
  "streams/settings",
  "streams/formats",
  "streams/mapping",
  "streams/topics",
  "streams/sources/archive",
  "streams/sources",
  "streams/experiments",
  "streams/task/store",
  "streams/task/inputs",
  "streams/task/pace",
  "streams/task/restoring",
  "streams/task",
  "streams/learning",
  "streams/feeders",
  "streams/backup",
  "streams/exports",
  "streams/service/jobs",
  "streams/service/erasure",
  "streams/service",
  "streams/generations",
  "streams/generations/build",
  "streams/generations/online",
  "streams/report",
  "streams/evaluation",
  "streams/replay",
  "streams/http/contract",
  "streams/http",
  "streams/http/routes",
  "streams/dashboard",
  "streams/doors",
  "streams/server",
  "streams/config",
];

async function* filesOf(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesOf(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

const { exports, imports: aliases }: Readonly<
  Record<"exports" | "imports", Readonly<Record<string, string>>>
> = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));

/** The file of ours that a specifier names, from the root; none for an external package. */
function targetOf(specifier: string, file: string): readonly string[] {
  if (specifier.startsWith(".")) {
    return specifier.endsWith(".ts") ? [normalize(join(dirname(file), specifier))] : [];
  }
  const own = specifier.startsWith("@meander/meander")
    ? exports[specifier.replace("@meander/meander", ".")] ?? specifier
    : aliases[specifier] ?? "";
  return own.startsWith("./") ? [normalize(own)] : [];
}

/** What each file imports, also for types, dynamically, or as a thread; comments are left out. */
async function readImports(): Promise<Map<string, readonly string[]>> {
  const imports = new Map<string, readonly string[]>();
  for (const top of ["src", "streams", "scripts"]) {
    for await (const file of filesOf(top)) {
      const text = (await Deno.readTextFile(join(ROOT, file))).replaceAll(/^ *\*.*$/gm, "");
      const found = text.matchAll(/(?:\bfrom|\bimport\(?|\bresolve\(|\bURL\()\s*["'`]([^"'`\n]+)["'`]/g);
      imports.set(file, [...found].flatMap(([, specifier = ""]) => targetOf(specifier, file)));
    }
  }
  return imports;
}

const imports = await readImports();

/** Cycles: groups of files that all reach each other by imports (Tarjan 1972). */
function knots(): string[][] {
  const seen = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    let low = seen.size;
    const own = low;
    seen.set(file, own);
    open.push(file);
    for (const next of imports.get(file) ?? []) {
      if (!seen.has(next)) low = Math.min(low, visit(next));
      else if (open.includes(next)) low = Math.min(low, seen.get(next) ?? own);
    }
    lowest.set(file, low);
    if (low === own) {
      const knot = open.splice(open.indexOf(file));
      if (knot.length > 1) found.push(knot);
    }
    return low;
  };
  for (const file of imports.keys()) if (!seen.has(file)) visit(file);
  return found;
}

/** Index of the layer of a file; −1 = none. */
function layerOf(file: string): number {
  const folder = dirname(file), own = LAYERS.indexOf(folder);
  return own >= 0 ? own : LAYERS.indexOf(`${dirname(folder)}/*`);
}

Deno.test("folders of src and streams import only from folders above them in the list of layers", () => {
  for (const [file, targets] of imports) {
    if (file.startsWith("scripts/")) continue;
    const own = layerOf(file);
    assert.ok(own >= 0, `${dirname(file)} is in no layer`);
    for (const target of targets) {
      const other = layerOf(target);
      assert.ok(other <= own, `${file} imports ${target}, which is below it`);
      assert.ok(
        other < own || dirname(file) === dirname(target),
        `${file} imports ${target}, which is beside it`,
      );
    }
  }
});

Deno.test("the list of layers has only folders that exist", () => {
  const found = new Set([...imports.keys()].map((file) => LAYERS[layerOf(file)]));
  assert.deepEqual(LAYERS.filter((folder) => !found.has(folder)), []);
});

Deno.test("files do not import each other in cycles", () => {
  assert.deepEqual(knots(), []);
});

Deno.test("src imports nothing from streams, and neither imports scripts or tests", () => {
  for (const [file, targets] of imports) {
    if (file.startsWith("scripts/")) continue;
    for (const target of targets) {
      const [top = ""] = relative(".", target).split("/");
      const allowed = file.startsWith("src/") ? ["src"] : ["src", "streams"];
      assert.ok(allowed.includes(top), `${file} imports ${target}`);
    }
  }
});

Deno.test("no folder has more than 16 modules or is nested more than three deep", async () => {
  const counts = new Map<string, number>();
  for (const top of ["src", "streams", "scripts"]) {
    for await (const file of filesOf(top)) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  }
  const full = [...counts].filter(([folder, files]) => files > 16 || folder.split("/").length > 4);
  assert.deepEqual(full, []);
});
