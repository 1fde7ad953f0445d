/** Users whose ids are in a version of the parameters. */

import { decodeDelta, type RawKeys } from "../embeddings/delta.ts";
import { userOfPair } from "../features/pairs.ts";
import { decodeVersion } from "./version.ts";

/** Tables with users, and the user of a key. */
const TABLES: Readonly<Record<string, (key: string) => string | null>> = {
  user: (key) => key,
  "first:user": (key) => key,
  "first:pair": userOfPair,
};

const decoder = new TextDecoder();

/** The users who have rows in a version, or are listed as removed; may repeat. None if it cannot be read. */
export function usersOfVersion(version: Uint8Array): readonly string[] {
  try {
    const { tables } = decodeVersion(version);
    return Object.entries(TABLES).flatMap(([field, userOf]) => {
      const bytes = tables.get(field);
      if (bytes === undefined) return [];
      const { keys, removed } = decodeDelta(bytes);
      return [keys, removed].flatMap((all) => textsOf(all, bytes)).flatMap((key) => userOf(key) ?? []);
    });
  } catch {
    return [];
  }
}

function textsOf({ length, places }: RawKeys, bytes: Uint8Array): string[] {
  return Array.from({ length }, (_, n) => decoder.decode(bytes.subarray(places[2 * n], places[2 * n + 1])));
}
