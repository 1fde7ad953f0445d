/**
 * The records of generations on their topic: the blueprint of each, so that a different configuration is detected
 * before it changes anything on the log. See docs/decisions/0050-generations.md.
 */

import type { Formats } from "../../src/codec/formats.ts";
import type { Log, NewRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { corruptRecord, remedyByCopy } from "../log/unreadable.ts";
import type { Topics } from "./topics.ts";

/** How a deployment is made; plain JSON, with every default filled in. */
export interface Blueprint {
  readonly model: string;
  /** Names of models of variants. */
  readonly variants: readonly string[];
  /** Number of tasks: the number of partitions of `events`, or a multiple. */
  readonly partitions: number;
  /** Seed of weights and draws. */
  readonly seed: number;
  /** The options, as in the configuration. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A generation, as recorded. */
export interface Generation {
  /** Its number; the first is 1. */
  readonly number: number;
  readonly blueprint: Blueprint;
  /** When the record was first written, milliseconds since the epoch. */
  readonly since: number;
  /** Offsets of events up to which it is built, by task; absent = it existed from the beginning. */
  readonly until?: readonly number[] | undefined;
  /** Number of partitions that the events had when it was built; absent = as many as it has tasks. */
  readonly sources?: number | undefined;
  /** While it is built: number of the generation whose weights it starts from. */
  readonly carries?: number | undefined;
  /** While it is built: whether it was begun with backups of what the log has dropped. */
  readonly archived?: true | undefined;
  /** Whether the deployment existed before this record, which could then only be compared with its weights. */
  readonly isAdopted: boolean;
  /** Whether it has served and was replaced: a restart does not go back to it. */
  readonly hasServed?: true | undefined;
}

/** What only a generation that is being built has. */
export const BUILT: Pick<Generation, "carries" | "archived"> = { carries: undefined, archived: undefined };

const FORMAT = 1;
/** Formats of the record of a generation that this release reads and writes. */
export const GENERATION_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeGeneration(generation: Generation): Uint8Array {
  return encoder.encode(JSON.stringify({ format: FORMAT, ...generation }));
}

/** Decodes the record of a generation. @throws SyntaxError when it is not one, or has another format */
export function decodeGeneration(bytes: Uint8Array): Generation {
  const record: Generation & { readonly format: unknown } = JSON.parse(decoder.decode(bytes));
  const { format, ...generation } = record;
  if (format !== FORMAT) {
    throw new SyntaxError(
      `Cannot decode a generation: format is ${JSON.stringify(format)}, this release reads ${FORMAT}`,
    );
  }
  if (!Number.isSafeInteger(generation.number) || typeof generation.blueprint?.options !== "object") {
    throw new SyntaxError(`Cannot decode a generation: its number is ${generation.number}`);
  }
  return generation;
}

/** The generations of a deployment, by number. @throws LogError `corrupt` when a record cannot be read */
export async function generationsOf(
  log: Pick<Log, "identify" | "bounds" | "read">,
  { generations }: Pick<Topics, "generations">,
): Promise<ReadonlyMap<number, Generation>> {
  const found = new Map<number, Generation>();
  if (await log.identify(generations) === null) return found;
  for await (const record of readAll(log, generations, 0)) {
    const { key, value } = record;
    if (key === null || !/^\d+$/.test(key)) continue; // the keys of other records are names
    try {
      if (value === null) found.delete(Number(key));
      else found.set(Number(key), decodeGeneration(value));
    } catch (cause) {
      throw corruptRecord(`compare generation ${key}`, record, cause, remedyByCopy(record));
    }
  }
  return found;
}

export function generationRecord(
  { generations }: Pick<Topics, "generations">,
  generation: Generation,
  time: number,
): NewRecord {
  const value = encodeGeneration(generation);
  return { topic: generations, partition: 0, key: String(generation.number), value, time };
}
