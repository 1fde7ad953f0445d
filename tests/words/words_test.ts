/** Names in code use the words of docs/reference/glossary.md, and none of those that it forbids. */

import assert from "node:assert/strict";
import { readPage, ROOT } from "../docs/pages.ts";
import { declaredNames, wordsOf } from "./declared_names.ts";
import { files } from "./files.ts";

const PAGE = "docs/reference/glossary.md";
const TOPS = ["src", "streams", "scripts", "fixtures/simulator"];

/** A rule of the page for a word in code. */
interface Rule {
  readonly word: string;
  readonly forbiddenIn: "any name" | "types" | "";
  readonly folders: readonly string[];
}

const [things = "", code = ""] = (await readPage(PAGE)).split("## Names in code");
/** Words of the last column of the table of things, without what is in parentheses and in quotation marks. */
const avoided = rowsOf(things).flatMap(([, , not = ""]) =>
  not.replaceAll(/\([^)]*\)|"[^"]*"/g, "").split(",").map((word) => word.trim()).filter((word) => word !== "")
);
const rules = rowsOf(code).flatMap(([words = "", forbiddenIn = "", allowed = ""]): Rule[] => {
  assert.ok(forbiddenIn === "any name" || forbiddenIn === "types" || forbiddenIn === "", forbiddenIn);
  const folders = [...allowed.matchAll(/`([^`]+)`/g)].map(([, folder = ""]) => folder);
  return words.split(", ").map((word) => ({ word, forbiddenIn, folders }));
});

/** The cells of the rows of a table but the first two. */
function rowsOf(text: string): readonly (readonly string[])[] {
  const lines = text.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

/** Whether words contain the wanted ones in sequence, also in the plural. */
function has(words: readonly string[], wanted: readonly string[]): boolean {
  return words.some((_, at) =>
    wanted.every((word, i) => [word, `${word}s`, `${word}es`].includes(words[at + i] ?? ""))
  );
}

/** The names of a module that use a word that a rule forbids there, each as `word name`. */
function offences(path: string, text: string): readonly { readonly word: string; readonly name: string }[] {
  const here = rules.filter(({ forbiddenIn, folders }) =>
    forbiddenIn !== "" && !folders.some((folder) => path.startsWith(`${folder}/`))
  );
  const file = { name: path.slice(path.lastIndexOf("/") + 1, -".ts".length), isType: false };
  return [file, ...declaredNames(text)].flatMap(({ name, isType }) => {
    const words = wordsOf(name);
    return here
      .filter(({ word, forbiddenIn }) =>
        (isType || forbiddenIn === "any name") && has(words, word.split(" "))
      )
      .map(({ word }) => ({ word, name }));
  });
}

Deno.test("each word that the glossary avoids has a rule for names in code, and no other has", () => {
  assert.deepEqual(rules.map(({ word }) => word).toSorted(), [...new Set(avoided)].toSorted());
});

Deno.test("each folder in which a word is allowed exists", async () => {
  for (const { folders } of rules) {
    for (const folder of folders) assert.ok((await Deno.stat(new URL(folder, ROOT))).isDirectory, folder);
  }
});

Deno.test("offences() finds forbidden words in types, functions, parameters, properties and variables", () => {
  const text = `
    import { watcher } from "./watcher.ts";
    export class FoundItem<Known> { readonly #watchers = 1; trainerOf(theDesk: string) {} }
    export function f({ fates }: { readonly fate: number }, found: string) { const x = { namespace: watcher }; }
  `;
  assert.deepEqual(offences("src/x/y.ts", text).map(({ word, name }) => `${word} ${name}`), [
    "found FoundItem",
    "known Known",
    "watcher #watchers",
    "trainer trainerOf",
    "desk theDesk",
    "fate fates",
    "fate fate",
    "namespace namespace",
  ]);
  assert.equal(offences("src/x/y.ts", 'const x = { "fate": 1 };').length, 1);
  assert.equal(offences("src/x/fate_desk.ts", "").length, 2);
  assert.deepEqual(offences("src/adapters/y.ts", "const feedback = 1;"), []);
});

Deno.test("names in code use no word that the glossary forbids", async () => {
  const found: string[] = [];
  for (const top of TOPS) {
    for await (const path of files(top)) {
      for (const { word, name } of offences(path, await Deno.readTextFile(new URL(path, ROOT)))) {
        found.push(`${path}: ${word} in ${name}`);
      }
    }
  }
  assert.deepEqual(found, []);
});
