/**
 * Commits what a feeder has taken from its source. A record that is larger than its topic takes is rejected by itself:
 * the feeder goes on, and nothing that was taken with it is lost or appended twice.
 *
 * @module
 */

import { decodeRejection, encodeRejection } from "../../src/events/rejection.ts";
import { type Commit, LogError, type NewRecord, type Writer } from "../log/log.ts";

/** What a feeder appends for one record of its source. */
export interface Fed {
  readonly records: readonly NewRecord[];
}

/**
 * Commits records, all or nothing. A log that finds some too large takes none, so they are replaced and it is tried again.
 *
 * @param rest the position and its records, none of which is replaced
 * @param smaller what to append in place of what is too large; `null` = nothing
 * @returns What was appended
 * @throws LogError `too-large` when there is nothing smaller, or the log does not name what is too large
 */
export async function commitFed<F extends Fed>(
  writer: Pick<Writer, "commit">,
  fed: readonly F[],
  rest: Commit,
  smaller: (fed: F, reason: string) => F | null,
): Promise<readonly F[]> {
  try {
    await writer.commit({ ...rest, records: [...fed.flatMap(({ records }) => records), ...rest.records] });
    return fed;
  } catch (error) {
    if (!(error instanceof LogError) || error.records.length === 0) throw error;
    let at = 0;
    const next = fed.map((one) => {
      const from = at;
      at += one.records.length;
      if (!error.records.some((large) => large >= from && large < at)) return one;
      const replaced = smaller(one, error.message);
      if (replaced === null) throw error;
      return replaced;
    });
    if (error.records.some((large) => large >= at)) throw error;
    return await commitFed(writer, next, rest, smaller);
  }
}

/** A rejection without the bytes of what was rejected, for a topic that takes no more; `null` when it has none. */
export function withoutBytes(record: NewRecord): NewRecord | null {
  if (record.value === null) return null;
  const rejection = decodeRejection(record.value);
  if (rejection.bytes === "") return null;
  return { ...record, headers: {}, value: encodeRejection({ ...rejection, bytes: "", cut: true }) };
}
