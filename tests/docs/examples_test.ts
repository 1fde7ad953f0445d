/**
 * The examples of docstrings and pages pass. Their types are checked together with the code (`deno check --doc`); `deno
 * test --doc` would load the whole code again for each of them.
 */

import assert from "node:assert/strict";
import { stub } from "../stub.ts";
import { pages, readPage, ROOT } from "./pages.ts";

/** A program in a docstring or a page. */
interface Example {
  readonly program: string;
  /** Its output, where that is pasted below it. */
  readonly output: string | undefined;
}

/** Its examples by line; relative imports, as `deno check --doc` takes them, are made absolute. */
function examplesOf(file: string, text: string): ReadonlyMap<number, Example> {
  const isPage = file.endsWith(".md");
  const fence = isPage
    ? /^```ts\n([^]*?)^```$(?:\n\n```text\n([^]*?)^```$)?/gm
    : /^ *\* ```ts\n([^]*?)^ *\* ```$/gm;
  return new Map([...text.matchAll(fence)].map(({ 1: body = "", 2: output, index }) => {
    const lines = isPage ? body : body.replaceAll(/^ *\* ?/gm, "");
    const program = lines.replaceAll(
      /(?<= from ")\.[^"]+/g,
      (path) => new URL(path, new URL(file, ROOT)).href,
    );
    return [text.slice(0, index).split("\n").length, { program, output }];
  }));
}

async function sourcesIn(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) found.push(...await sourcesIn(`${folder}${name}/`));
    else if (name.endsWith(".ts")) found.push(folder + name);
  }
  return found;
}

const { exports }: { readonly exports: Readonly<Record<string, string>> } = JSON.parse(
  await readPage("deno.json"),
);
const files = [
  ...Object.values(exports).map((path) => path.slice("./".length)),
  ...await sourcesIn("src/"),
  ...await sourcesIn("streams/"),
  ...(await pages()).filter((page) => page.startsWith("docs/")),
];
let count = 0;
for (const file of files) {
  for (const [line, { program, output }] of examplesOf(file, await readPage(file))) {
    count++;
    Deno.test(`the example at line ${line} of ${file} passes`, async () => {
      const printed: unknown[] = [];
      using _log = stub(console, "log", (text) => void printed.push(text));
      await import(`data:application/typescript,${encodeURIComponent(program)}`);
      if (output !== undefined) assert.equal(printed.map((text) => `${text}\n`).join(""), output);
    });
  }
}

Deno.test("docstrings and pages have more than 150 examples", () => {
  assert.ok(count > 150, `${count} examples`);
});
