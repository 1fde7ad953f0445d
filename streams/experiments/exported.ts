/** Experiments of an exported deployment. */

import { type ExperimentRecord, isExperiment } from "../../src/assignment/experiment.ts";
import { fileIn, isFolder } from "../sources/files.ts";
import { readLines } from "../sources/lines.ts";
import { decodeExperiment } from "./record.ts";

/** Reads the experiments of a folder, each in its last state. @throws SyntaxError naming an invalid line */
export async function readExported(path: string): Promise<readonly ExperimentRecord[]> {
  const records = new Map<string, ExperimentRecord>();
  const file = await isFolder(path)
    ? await fileIn(path, ["experiments.jsonl", "experiments.jsonl.gz"])
    : undefined;
  if (file === undefined) return [];
  for await (const lines of readLines(file)) {
    for (const { bytes, number } of lines) {
      try {
        const record = decodeExperiment(bytes);
        records.set(record.name, record);
      } catch (cause) {
        throw new SyntaxError(`Cannot take ${file}:${number} as an experiment`, { cause });
      }
    }
  }
  return [...records.values()];
}

/** Whether an experiment pins versions of models, which only its own deployment has. */
export function hasPins(record: ExperimentRecord): boolean {
  return isExperiment(record) && record.variants.some(({ version }) => typeof version === "number");
}
