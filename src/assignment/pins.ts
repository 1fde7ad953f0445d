/**
 * Which version of a model a variant is scored with. With a pinned version its settings name the model as
 * `model@version`, or `@version` for the deployment's own model, whatever its name is.
 *
 * @module
 */

import { type ExperimentRecord, isExperiment, type Variant } from "./experiment.ts";

/** What settings call the model of a variant; `undefined` = it does not choose one. */
export function modelKey({ model, version }: Pick<Variant, "model" | "version">): string | undefined {
  if (model === undefined && version === undefined) return undefined;
  return `${model ?? ""}${typeof version === "number" ? `@${version}` : ""}`;
}

/** The same key with the name of the own model, where it says none. */
export function fullKey(key: string, own: string): string {
  return key === "" || key.startsWith("@") ? own + key : key;
}

/** The model of a full key, and its version if one is pinned. */
export function partsOf(key: string): { readonly model: string; readonly version?: number } {
  const at = key.lastIndexOf("@");
  return at < 0 ? { model: key } : { model: key.slice(0, at), version: Number(key.slice(at + 1)) };
}

/** The versions that experiments pin as long as they run or one of their variants is promoted: full keys. */
export function pinnedModels(records: Iterable<ExperimentRecord>, own: string): Set<string> {
  const keys = new Set<string>();
  for (const record of records) {
    if (!isExperiment(record) || record.status === "stopped") continue;
    for (const variant of record.variants) {
      if (typeof variant.version === "number") keys.add(fullKey(modelKey(variant)!, own));
    }
  }
  return keys;
}
