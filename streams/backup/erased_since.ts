/** Repeats, after a restore, the erasures since the backup was made, from the receipts of `forget`. */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Log, NewRecord } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import type { Topics } from "../topics/topics.ts";
import { knownIds } from "./known_users.ts";

/** The part of a receipt that a restore needs. */
export interface ErasureReceipt {
  /** SHA-256 of the user's id, hexadecimal. */
  readonly userSha256: string;
  /** When the erasure was on the log, ISO 8601. */
  readonly taken: string;
}

/** Most by which the clocks of the machines that erased and that backed up may differ. */
const CLOCKS_MS = 60_000;

/** Reads receipts, in a file or a folder of files. @throws Error naming a file that is not a receipt */
export async function readReceipts(path: string): Promise<ErasureReceipt[]> {
  const { isDirectory } = await Deno.stat(path);
  const entries = isDirectory ? await Array.fromAsync(Deno.readDir(path)) : [];
  const files = isDirectory ? entries.map(({ name }) => join(path, name)).sort() : [path];
  return await Promise.all(files.map(async (file) => {
    const receipt: Partial<ErasureReceipt> = await Deno.readTextFile(file).then(JSON.parse).catch((cause) => {
      throw new Error(`Cannot read ${file} as a receipt of an erasure`, { cause });
    });
    const { userSha256 = "", taken = "" } = receipt ?? {};
    if (/^[0-9a-f]{64}$/.test(userSha256) && Date.parse(taken) > 0) return { userSha256, taken };
    throw new Error(
      `Cannot read ${file} as a receipt of an erasure: it lacks the user's digest or the time`,
    );
  }));
}

/**
 * Appends an erasure for each user on the log who is named by a receipt newer than the backup.
 *
 * @param made when the backup was made, ISO 8601
 * @returns the number of these users
 */
export async function eraseAgain(
  log: Log,
  topics: Topics,
  { receipts, made, now }: {
    readonly receipts: readonly ErasureReceipt[];
    readonly made: string;
    /** Milliseconds since the epoch. */
    readonly now: number;
  },
): Promise<number> {
  const newer = receipts.filter(({ taken }) => Date.parse(taken) >= Date.parse(made) - CLOCKS_MS);
  /** When each user was erased last. */
  const times = new Map<string, number>();
  for (const { userSha256, taken } of newer) {
    times.set(userSha256, Math.max(Date.parse(taken), times.get(userSha256) ?? -Infinity));
  }
  if (times.size === 0) return 0;
  const { events } = topics;
  const partitions = (await log.topics(events)).get(events)!.partitions;
  const records: NewRecord[] = [];
  for (const user of await knownIds(log, topics)) {
    const time = times.get(createHash("sha256").update(user).digest("hex"));
    if (time === undefined) continue;
    const value = encodeEvent({ type: "forget", user, time: Math.min(time, now) });
    const partition = partitionOf(user, partitions);
    records.push({ topic: events, partition, key: user, value, time: now });
  }
  if (records.length > 0) await log.append(records);
  return records.length;
}
