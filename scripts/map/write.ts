/** Puts suggested mappings into a configuration. */

import { withoutComments } from "../../streams/settings/json_comments.ts";

/** Whether a file exists but is empty, as when a shell is about to write it. @param isMissingBlank whether none is, too */
export async function isBlank(file: string, isMissingBlank = false): Promise<boolean> {
  const text = await textOf(file);
  return text === null ? isMissingBlank : text.trim() === "";
}

/**
 * Adds sources to a configuration file, which is created if it is missing or blank. Comments stay.
 *
 * @throws Error when it already has a source of one of the names
 */
export async function addSources(file: string, added: Readonly<Record<string, object>>): Promise<void> {
  const text = await textOf(file) ?? "";
  const config = text.trim() === "" ? {} : JSON.parse(withoutComments(text));
  const { sources = {} } = config;
  const name = Object.keys(added).find((one) => Object.hasOwn(sources, one));
  if (name !== undefined) {
    throw new Error(`Cannot write the source ${name} to ${file}: it already has a source of that name`);
  }
  const all = { ...config, sources: { ...sources, ...added } };
  const isPlain = text.trim() === "" || isJson(text);
  const written = isPlain
    ? `${JSON.stringify(all, null, 2)}\n`
    : Object.entries(added).reduce((before, [name, own]) => withSource(before, name, own), text);
  await Deno.writeTextFile(file, written);
}

/** A text with comments and with one more source, the first of all. */
function withSource(text: string, name: string, settings: object): string {
  const indented = (value: object, by: string) => JSON.stringify(value, null, 2).replaceAll("\n", `\n${by}`);
  const json = withoutComments(text);
  const inside = placeOfSources(json);
  if (inside !== undefined) {
    const source = `\n    ${JSON.stringify(name)}: ${indented(settings, "    ")},`;
    return `${text.slice(0, inside)}${source}${text.slice(inside)}`;
  }
  const begun = json.indexOf("{") + 1;
  return `${text.slice(0, begun)}\n  "sources": ${indented({ [name]: settings }, "  ")},${text.slice(begun)}`;
}

/** The place after the brace with which the sources of an object begin; `undefined` if it has none. */
function placeOfSources(json: string): number | undefined {
  let depth = 0;
  for (const { 0: token, index } of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token === '"sources"') {
      const [opening] = /^"sources"\s*:\s*\{/.exec(json.slice(index)) ?? [];
      if (opening !== undefined) return index + opening.length;
    }
  }
  return undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function textOf(file: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
