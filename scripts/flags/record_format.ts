/** The values of `--format`: a built-in format, a source of the configuration, or a preset. */

import { noSuch } from "../../src/events/keys/near_name.ts";
import { isOneOf } from "../../src/values/one_of.ts";
import { PRESET_NAMES } from "../../streams/mapping/presets.ts";
import { compileSource, type RecordSource } from "../../streams/mapping/record_source.ts";
import type { SourcesSettings } from "../../streams/mapping/source_settings.ts";
import { type Format, FORMATS } from "../../streams/sources/open.ts";

/** A built-in format, or a source. */
export type RecordFormat = Format | RecordSource;

export const SORT_HELP = "feed items first, then events ordered by time";

export const FORMAT_HELP = `its format: one of ${FORMATS.join(", ")}; a source of the configuration; or ` +
  `a preset, ${PRESET_NAMES.join(", ")}`;

/** The format of a name. @throws RangeError when there is none */
export function recordFormat(name: string, sources: SourcesSettings = {}): RecordFormat {
  if (isOneOf(FORMATS, name)) return name;
  if (Object.hasOwn(sources, name)) {
    return compileSource(name, sources[name]!, { env: (variable) => Deno.env.get(variable) });
  }
  if (isOneOf(PRESET_NAMES, name)) {
    return compileSource(name, { preset: name });
  }
  const names = [...FORMATS, ...Object.keys(sources), ...PRESET_NAMES];
  throw new RangeError(`Cannot read records as ${name}: ${noSuch("format or source", name, names)}`);
}

/** A record of a registry as JSON; `undefined` if of another format, unreadable, or if the registry is unavailable. */
export async function decodedText(
  { format, ready, read }: RecordSource,
  bytes: Uint8Array,
): Promise<string | undefined> {
  if (format !== "registry") return undefined;
  const isReady = await Promise.try(() => ready?.(bytes)).then(() => true, () => false);
  const parsed = isReady ? read(bytes) : undefined;
  return parsed?.ok ? JSON.stringify(parsed.value) : undefined;
}
