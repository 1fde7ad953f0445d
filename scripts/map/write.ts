/**
 * Puts a suggested mapping into a configuration.
 *
 * @module
 */

/** Whether a file exists but is empty, as when a shell is about to write it. @param isMissingBlank whether none is, too */
export async function isBlank(file: string, isMissingBlank = false): Promise<boolean> {
  const text = await textOf(file);
  return text === null ? isMissingBlank : text.trim() === "";
}

/**
 * Adds a source to a configuration file, which is created if it is missing or blank.
 *
 * @throws Error when it already has a source of that name, or is not plain JSON: comments would be lost
 */
export async function addSource(file: string, name: string, settings: object): Promise<void> {
  const text = await textOf(file) ?? "";
  const config = text.trim() === "" ? {} : plainJson(text, file);
  const sources = config["sources"] ?? {};
  if (Object.hasOwn(sources, name)) {
    throw new Error(`Cannot write the source ${name} to ${file}: it already has one of that name`);
  }
  const all = { ...config, sources: { ...sources, [name]: settings } };
  await Deno.writeTextFile(file, `${JSON.stringify(all, null, 2)}\n`);
}

function plainJson(text: string, file: string): Readonly<Record<string, object>> {
  try {
    return JSON.parse(text); // it was read as a configuration, so it is an object
  } catch (cause) {
    throw new Error(`Cannot write to ${file}: it has comments; add the source by hand`, { cause });
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
