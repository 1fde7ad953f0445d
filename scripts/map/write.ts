/**
 * Puts a suggested mapping into a configuration.
 *
 * @module
 */

import { withoutComments } from "../../streams/settings/json_comments.ts";

/** Whether a file exists but is empty, as when a shell is about to write it. @param isMissingBlank whether none is, too */
export async function isBlank(file: string, isMissingBlank = false): Promise<boolean> {
  const text = await textOf(file);
  return text === null ? isMissingBlank : text.trim() === "";
}

/** The beginning of an object, with comments before it. */
const OPENING = /^(?:\s|\/\/.*|\/\*[^]*?\*\/)*\{/;

/**
 * Adds a source to a configuration file, which is created if it is missing or blank. Comments stay.
 *
 * @throws Error when it already has a source of that name, or comments and other sources
 */
export async function addSource(file: string, name: string, settings: object): Promise<void> {
  const text = await textOf(file) ?? "";
  const config = text.trim() === "" ? {} : JSON.parse(withoutComments(text));
  const { sources = {} } = config;
  if (Object.hasOwn(sources, name)) {
    throw new Error(`Cannot write the source ${name} to ${file}: it already has a source of that name`);
  }
  const all = { ...config, sources: { ...sources, [name]: settings } };
  const isPlain = text.trim() === "" || isJson(text);
  const written = isPlain ? `${JSON.stringify(all, null, 2)}\n` : withSources(text, all, config);
  if (written === undefined) {
    throw new Error(`Cannot write to ${file}: it has comments and sources; add this source by hand`);
  }
  await Deno.writeTextFile(file, written);
}

/** A text with comments, with these sources as its first key; `undefined` if it has others. */
function withSources(
  text: string,
  { sources }: { readonly sources: object },
  config: object,
): string | undefined {
  const [opening] = OPENING.exec(text) ?? [];
  if (opening === undefined || Object.hasOwn(config, "sources")) return undefined;
  const indented = JSON.stringify(sources, null, 2).replaceAll("\n", "\n  ");
  return `${opening}\n  "sources": ${indented},${text.slice(opening.length)}`;
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
