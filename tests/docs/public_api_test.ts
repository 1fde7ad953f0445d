/** What programs import: few names, each listed by hand, each documented, functions and classes with an example. */

import assert from "node:assert/strict";
import { readPage, ROOT } from "./pages.ts";

/** Most names of `mod.ts`. */
const MAX_NAMES = 120;
/** Modules without I/O: nothing in them may come from `streams`. */
const PURE = ["./core", "./evaluation", "./experiments", "./nn"];
/** What such modules load besides ours: neither files nor sockets. */
const PURE_IMPORT = /^(?:src\/|node:(?:buffer|crypto|zlib)$)/;
/** Their examples need a broker, and are not run. */
const NEED_BROKER = ["KafkaLog"];

interface DocTag {
  readonly kind: string;
  readonly doc?: string;
}

interface Declaration {
  readonly kind: string;
  readonly location: { readonly filename: string; readonly line: number };
  readonly jsDoc?: { readonly doc?: string; readonly tags?: readonly DocTag[] };
}

interface PublicSymbol {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

interface Documentation {
  readonly nodes: Readonly<
    Record<
      string,
      { readonly symbols: readonly PublicSymbol[]; readonly ["module_doc"]?: Declaration["jsDoc"] }
    >
  >;
}

interface Graph {
  readonly modules: readonly { readonly specifier: string }[];
}

async function deno<T>(...args: readonly string[]): Promise<T> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT })
    .output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

const { exports }: { readonly exports: Readonly<Record<string, string>> } = JSON.parse(
  await readPage("deno.json"),
);
const files = Object.values(exports);
const { nodes } = await deno<Documentation>("doc", "--json", ...files);
const documented = files.map((file) => [file, nodes[new URL(file, ROOT).href]!] as const);

/** Where a symbol is declared, for people. */
function placeOf({ name, declarations: [first] }: PublicSymbol): string {
  return `${name} (${first?.location.filename.replace(ROOT.href, "")}:${first?.location.line})`;
}

/** Symbols of all entry points for which something is missing. */
function without(isThere: (symbol: PublicSymbol) => boolean): readonly string[] {
  const found = documented.flatMap(([, { symbols }]) => symbols.filter((symbol) => !isThere(symbol)));
  return [...new Set(found.map(placeOf))].toSorted();
}

/** A name that another entry point exports as well is documented there. */
const isThereToo = ({ declarations }: PublicSymbol) => declarations.every(({ kind }) => kind === "reference");

const hasExample = ({ name, declarations }: PublicSymbol) => {
  const block = NEED_BROKER.includes(name) ? /^```ts/m : /^```ts$/m; // `ts ignore` is not run
  return declarations.some(({ jsDoc }) =>
    jsDoc?.tags?.some(({ kind, doc }) => kind === "example" && block.test(doc ?? ""))
  );
};

Deno.test(`mod.ts exports at most ${MAX_NAMES} names`, () => {
  const [, { symbols }] = documented.find(([file]) => file === exports["."])!;
  assert.ok(symbols.length > 50, `${symbols.length} names: the count is broken`);
  assert.ok(symbols.length <= MAX_NAMES, `${symbols.length} names: give one away, or put it into a subpath`);
});

Deno.test("entry points list their names by hand", async () => {
  for (const file of files) {
    const text = await readPage(file);
    assert.doesNotMatch(text, /export \*/, file);
    assert.doesNotMatch(
      text.replaceAll(/^ \*.*$/gm, ""),
      /^(?:export )?(?:const|function|class|let) /m,
      file,
    );
  }
});

Deno.test("every TypeScript file at the root is an entry point, so `deno doc --lint *.ts` reads them all", async () => {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(ROOT)) if (name.endsWith(".ts")) found.push(`./${name}`);
  assert.deepEqual(found.toSorted(), files.toSorted());
});

Deno.test("every entry point has an example, and every public name a docstring", () => {
  for (const [file, { module_doc: moduleDoc }] of documented) {
    assert.ok(moduleDoc?.tags?.some(({ kind }) => kind === "example"), `${file}: no example`);
  }
  const hasText = ({ declarations }: PublicSymbol) =>
    declarations.some(({ jsDoc }) => jsDoc?.doc !== undefined);
  assert.deepEqual(without((symbol) => isThereToo(symbol) || hasText(symbol)), []);
});

Deno.test("every public function and class has an example, which examples_test.ts runs", () => {
  const isCallable = ({ declarations }: PublicSymbol) =>
    declarations.some(({ kind }) => kind === "function" || kind === "class");
  assert.deepEqual(without((symbol) => !isCallable(symbol) || hasExample(symbol)), []);
});

Deno.test("pure entry points load nothing that does I/O", async () => {
  for (const name of PURE) {
    const { modules } = await deno<Graph>("info", "--json", exports[name]!);
    const impure = modules.map(({ specifier }) => specifier.replace(ROOT.href, ""))
      .filter((specifier) => !PURE_IMPORT.test(specifier) && !files.includes(`./${specifier}`));
    assert.deepEqual(impure, [], name);
  }
});

Deno.test("npm.json exports the pure entry points, with core.ts as the main one", async () => {
  const npm = JSON.parse(await readPage("npm.json"));
  const own = Object.fromEntries(PURE.map((name) => [name === "./core" ? "." : name, exports[name]]));
  assert.deepEqual(npm.exports, own);
  for (const file of Object.values(npm.exports)) {
    assert.ok(npm.publish.include.includes(String(file).slice(2)));
  }
});
