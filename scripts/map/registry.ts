/** The registry of a topic whose mapping is suggested. */

import type { Config } from "../../streams/config/config.ts";
import type { RegistrySettings } from "../../streams/formats/registry_settings.ts";

/** The registry at a URL, with the login of a source, or of `outputs`, that uses the same registry. */
export function registryAt(
  url: string,
  username: string | undefined,
  { sources = {}, outputs }: Config,
): RegistrySettings {
  const all = [outputs, ...Object.values(sources)].map((own) => own?.registry);
  return { ...all.find((one) => one?.url === url), url, ...(username !== undefined && { username }) };
}
