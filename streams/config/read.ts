/** Reads the configuration for every command: a file, which the environment overrides. */

import { DEFAULT_CONFIG } from "../settings/config_file.ts";
import { type Config, parseConfig } from "./config.ts";

/**
 * Reads a configuration.
 *
 * @param file the file that the user named, which must exist
 * @param usual the file to read otherwise, if it exists; `null` = none
 * @param env returns an environment variable by its name
 * @throws ConfigError naming the file, or the variable, and every field that is wrong
 */
export async function readConfig(
  file: string | undefined,
  usual: string | null = DEFAULT_CONFIG,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Promise<Config> {
  const path = file ?? usual;
  const text = path === null ? null : await textOf(path);
  if (text !== null) return parseConfig(text, path ?? "", env);
  if (file === undefined) return parseConfig("{}", "the environment", env);
  throw new Error(`Cannot read the configuration ${file}: no such file`, {
    cause: new Deno.errors.NotFound(file),
  });
}

/** The path of the configuration next to data: in the folder of the data, or in the folder that contains the file. */
export async function configBeside(data: string): Promise<string> {
  const isFile = await Deno.stat(data).then((info) => info.isFile, () => false);
  const folder = isFile ? /^(.*)[/\\]/.exec(data)?.[1] ?? "." : data;
  return `${folder}/${DEFAULT_CONFIG}`;
}

/** The text of a file; `null` when there is none. */
async function textOf(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}
