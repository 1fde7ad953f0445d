/** The registry of log kinds: a new kind is added to {@linkcode LOG_KINDS}. */

import { KAFKA_KIND } from "../kafka/kind.ts";
import type { LogKind } from "../kind.ts";
import type { Log, LogAddress } from "../log.ts";
import { SQLITE_KIND } from "../sqlite/kind.ts";
import { MEMORY_KIND } from "./memory.ts";

export const LOG_KINDS: readonly LogKind[] = [MEMORY_KIND, SQLITE_KIND, KAFKA_KIND];

/** Name of the kind that has topics of other systems. */
export const FOREIGN_KIND = KAFKA_KIND.kind;

/** The kind of this name. @throws TypeError when there is none */
export function kindOf(name: string, kinds: readonly LogKind[] = LOG_KINDS): LogKind {
  const found = kinds.find(({ kind }) => kind === name);
  if (found !== undefined) return found;
  const names = kinds.map(({ kind }) => kind).join(", ");
  throw new TypeError(`Cannot open a log of the kind ${JSON.stringify(name)}: the kinds are ${names}`);
}

/** Opens the log at an address. @throws TypeError when its kind is unknown */
export async function openAt({ kind, options }: LogAddress): Promise<Log> {
  return await kindOf(kind).open(options);
}
