/**
 * Commits records, replacing those that are too large for their topics. Nothing else of the commit is lost or written
 * twice, and the writer carries on.
 */

import { decodeRejection, encodeRejection } from "../../src/events/rejection.ts";
import { type Commit, LogError, type NewRecord, type Writer } from "../log/log.ts";

/** Records that are replaced together. */
export interface Part {
  readonly records: readonly NewRecord[];
}

export interface Committed<P> {
  readonly parts: readonly P[];
  /** Offset of the first record of each part; -1 = it has none. */
  readonly offsets: readonly number[];
}

/**
 * Commits records, all or nothing. A log writes none if some are too large; those are replaced, and the commit retried.
 *
 * @param rest the position, and records that cannot be replaced
 * @param smaller what to write in place of a part with a record that is too large; `null` = nothing
 * @throws LogError `too-large` when there is nothing smaller, or the log does not name what is too large
 */
export async function commitFitting<P extends Part>(
  writer: Pick<Writer, "commit">,
  parts: readonly P[],
  rest: Commit,
  smaller: (part: P, reason: string) => P | null,
): Promise<Committed<P>> {
  const records = parts.flatMap(({ records }) => records);
  try {
    const written = await writer.commit({ ...rest, records: [...records, ...rest.records] });
    let at = 0;
    const offsets = parts.map(({ records }) => {
      const first = records.length === 0 ? -1 : written[at] ?? -1;
      at += records.length;
      return first;
    });
    return { parts, offsets };
  } catch (error) {
    if (!(error instanceof LogError) || error.records.length === 0) throw error;
    if (error.records.some((large) => large >= records.length)) throw error;
    let at = 0;
    const next = parts.map((part) => {
      const from = at;
      at += part.records.length;
      if (!error.records.some((large) => large >= from && large < at)) return part;
      const replaced = smaller(part, error.message);
      if (replaced === null) throw error;
      return replaced;
    });
    return await commitFitting(writer, next, rest, smaller);
  }
}

/** A rejection without the bytes of what was rejected, for a topic with a smaller limit; `null` when it has none. */
export function withoutBytes(record: NewRecord): NewRecord | null {
  if (record.value === null) return null;
  const rejection = decodeRejection(record.value);
  if (rejection.bytes === "") return null;
  return { ...record, headers: {}, value: encodeRejection({ ...rejection, bytes: "", cut: true }) };
}
