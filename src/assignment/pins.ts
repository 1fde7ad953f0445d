/**
 * Pinned model versions of variants. Settings name a pinned version as `model@version`, or `@version` for the
 * deployment's own model.
 */

import { type ExperimentRecord, isExperiment, type Variant } from "./experiment.ts";

/** Model key of a variant's settings; `undefined` = it does not set a model. */
export function modelKey({ model, version }: Pick<Variant, "model" | "version">): string | undefined {
  if (model === undefined && version === undefined) return undefined;
  return `${model ?? ""}${typeof version === "number" ? `@${version}` : ""}`;
}

/** The key with the deployment's own model where no name is given. */
export function fullKey(key: string, own: string): string {
  return key === "" || key.startsWith("@") ? own + key : key;
}

/** Model and pinned version, if any, of a full key. */
export function partsOf(key: string): { readonly model: string; readonly version?: number } {
  const at = key.lastIndexOf("@");
  return at < 0 ? { model: key } : { model: key.slice(0, at), version: Number(key.slice(at + 1)) };
}

/** Full keys of the versions pinned by running or promoted experiments. */
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
