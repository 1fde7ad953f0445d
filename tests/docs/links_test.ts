import assert from "node:assert/strict";
import { pages, readPage, ROOT } from "./pages.ts";

Deno.test("docs link only to files and folders that exist", async () => {
  let links = 0;
  for (const page of await pages()) {
    for (const [, target = ""] of (await readPage(page)).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      links++;
      await assert.doesNotReject(Deno.stat(new URL(target, new URL(page, ROOT))), `${page}: ${target}`);
    }
  }
  assert.ok(links > 100);
});

Deno.test("docs link only to headings that exist", async () => {
  let links = 0;
  for (const page of await pages()) {
    for (const [, target = "", anchor = ""] of (await readPage(page)).matchAll(/\]\(([^)#:]*)#([^)]+)\)/g)) {
      const path = target === "" ? page : new URL(target, new URL(page, "file:///")).pathname.slice(1);
      if (!path.endsWith(".md")) continue;
      links++;
      const found = (await readPage(path)).matchAll(/^#+ (.+)$/gm).map(([, title = ""]) => anchorOf(title));
      assert.ok(found.some((each) => each === anchor), `${page}: ${target}#${anchor}`);
    }
  }
  assert.ok(links > 20);
});

/** The anchor of a heading. */
function anchorOf(title: string): string {
  return title.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
}

Deno.test("a link to a decision shows the number of its file", async () => {
  let links = 0;
  for (const page of await pages()) {
    const shown = (await readPage(page)).matchAll(/\[decision (\d+)\]\([^)]*?(\d{4})-[^)]*\)/gi);
    for (const [link, number, file] of shown) {
      links++;
      assert.equal(Number(number), Number(file), `${page}: ${link}`);
    }
  }
  assert.ok(links > 50);
});

Deno.test("docs name only paths of the repository that exist", async () => {
  for (const page of await pages()) {
    const paths = (await readPage(page)).matchAll(
      /`((?:src|streams|scripts|tests|fixtures|docs)\/[\w./-]*\w)`/g,
    );
    for (const [, path = ""] of paths) {
      await assert.doesNotReject(Deno.stat(new URL(path, ROOT)), `${page}: ${path}`);
    }
  }
});

Deno.test("docs/explanation/architecture.md has a row for every folder of src and streams", async () => {
  const page = await readPage("docs/explanation/architecture.md");
  for (const parent of ["src", "streams"]) {
    for await (const { name, isDirectory } of Deno.readDir(new URL(parent, ROOT))) {
      if (isDirectory) assert.match(page, new RegExp(`\`${parent}/${name}[/\`]`), `${parent}/${name}`);
    }
  }
});

Deno.test("docs/README.md links to every page except decisions", async () => {
  const index = await readPage("docs/README.md");
  for (const page of await pages()) {
    const [, name] = /^docs\/([\w-]+\/[\w-]+\.md)$/.exec(page) ?? [];
    if (name !== undefined && !name.startsWith("decisions/")) assert.ok(index.includes(`(${name})`), page);
  }
});

Deno.test("decisions have consecutive numbers, which their titles show", async () => {
  const numbers: string[] = [];
  for await (const { name } of Deno.readDir(new URL("docs/decisions", ROOT))) {
    const number = /^(\d{4})-[\w-]+\.md$/.exec(name)?.[1];
    assert.ok(number !== undefined, name);
    assert.ok((await readPage(`docs/decisions/${name}`)).startsWith(`# ${Number(number)}. `), name);
    numbers.push(number);
  }
  assert.deepEqual(numbers.sort(), numbers.map((_, n) => String(n + 1).padStart(4, "0")));
});

/** Pages whose figures say when and where they were measured. */
const MEASURED = [
  "docs/reference/benchmarks.md",
  "docs/explanation/experiments.md",
  "docs/explanation/how-it-is-tested.md",
  "docs/explanation/what-did-not-help.md",
];

Deno.test("pages have no dates in their prose, except measurements", async () => {
  for (const page of await pages()) {
    if (page === "CHANGELOG.md" || page.startsWith("docs/decisions/") || MEASURED.includes(page)) continue;
    const prose = (await readPage(page)).replaceAll(/^```[\s\S]*?^```$/gm, "");
    assert.deepEqual(prose.match(/\b20\d\d-\d\d-\d\d\b/g) ?? [], [], page);
  }
});

Deno.test("README has at most 90 lines, and the docs except decisions 4,500", async () => {
  const linesOf = async (page: string) => (await readPage(page)).trimEnd().split("\n").length;
  assert.ok(await linesOf("README.md") <= 90, "README.md");
  let all = 0;
  for (const page of await pages()) {
    if (page.startsWith("docs/") && !page.startsWith("docs/decisions/")) all += await linesOf(page);
  }
  assert.ok(all <= 4500, `${all} lines: say it on the page that has it already, or shorter`);
});

Deno.test("CHANGELOG.md has one section per version; that of deno.json is the newest or comes next", async () => {
  const titles = [...(await readPage("CHANGELOG.md")).matchAll(/^## (.+)$/gm)].map(([, title = ""]) => title);
  const { version } = JSON.parse(await readPage("deno.json")) as { readonly version: string };
  assert.equal(titles[0], "Unreleased");
  const [newest = ""] = (titles[1] ?? "").split(" ");
  const rank = (of: string) => of.split(".").reduce((sum, part) => 1000 * sum + Number(part), 0);
  assert.ok(rank(version) >= rank(newest), `${version} is not behind ${newest}`);
  assert.equal(new Set(titles).size, titles.length);
});
