/**
 * The pages of documentation, for tests that check them against the code.
 *
 * @module
 */

/** The root of the repository. */
export const ROOT = new URL("../../", import.meta.url);

/** Paths of all Markdown pages that readers start from, relative to the root. */
export async function pages(): Promise<readonly string[]> {
  const found = ["README.md", "CHANGELOG.md", "fixtures/README.md"];
  const folders = ["docs/"];
  for (const folder of folders) {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
      if (isDirectory) folders.push(`${folder}${name}/`);
      if (name.endsWith(".md")) found.push(folder + name);
    }
  }
  return found.toSorted();
}

/** The text of a page. */
export async function readPage(page: string): Promise<string> {
  return await Deno.readTextFile(new URL(page, ROOT));
}

/** The bodies of a page's fenced blocks of a language, in order. */
export function blocks(text: string, language: string): readonly string[] {
  return [...text.matchAll(/^```([\w ]*)\n([\s\S]*?)^```$/gm)]
    .flatMap(([, name, body]) => name === language ? [body ?? ""] : []);
}
