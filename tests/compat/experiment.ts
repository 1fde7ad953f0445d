/**
 * Experiments in mid-course: what a release has stored of them, and what it shows then and later.
 *
 * @module
 */

import { gunzipSync } from "node:zlib";
import type { ExperimentsView } from "../../streams/experiments/views.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { compatFiles } from "./records.ts";

/** A record of the log as JSON: its value in base64, `null` = none. */
type StoredRecord = Omit<NewRecord, "value"> & { readonly value: string | null };

/** Experiments of two partitions in mid-course. */
export interface StoredExperiments {
  /** What is stored of them: records of `experiments` and `figures`. */
  readonly stored: readonly StoredRecord[];
  /** Answers and samples that are counted, by topic and partition. */
  readonly counted: readonly { readonly topic: string; readonly partition: number; readonly end: number }[];
  /** Answers and samples that come later. */
  readonly later: readonly StoredRecord[];
  /** What the release shows then. */
  readonly halfway: ExperimentsView;
  /** What it shows later, having counted all from the start. */
  readonly end: ExperimentsView;
}

/** Experiments in mid-course of all releases, and of `next`. */
export async function storedExperiments(): Promise<
  readonly { readonly release: string; readonly format: number; readonly experiments: StoredExperiments }[]
> {
  const found = [];
  for await (const { release, name, path } of compatFiles()) {
    const [all, format] = /^experiments-(\d+)\.json\.gz$/.exec(name) ?? [];
    if (all === undefined) continue;
    const text = new TextDecoder().decode(gunzipSync(await Deno.readFile(path)));
    found.push({ release, format: Number(format), experiments: JSON.parse(text) as StoredExperiments });
  }
  return found;
}

/** Appends stored records. */
export async function appendStored(log: Log, records: readonly StoredRecord[]): Promise<void> {
  await log.append(records.map(({ value, ...record }) => {
    return { ...record, value: value === null ? null : Uint8Array.fromBase64(value) };
  }));
}

/** A record as JSON. */
export function storedRecord({ value, ...record }: NewRecord): StoredRecord {
  return { ...record, value: value?.toBase64() ?? null };
}
