/**
 * The records in which a task keeps what retrieval has learnt: a key, and bytes that begin with their format.
 */

import { ByteReader } from "../../codec/byte_reader.ts";
import { ByteWriter } from "../../codec/byte_writer.ts";
import type { Formats } from "../../codec/formats.ts";
import { reasonOf } from "../../values/reason.ts";
import type { Portions } from "../../values/portions.ts";

/** Prefix of the keys of all records. */
export const RETRIEVAL_KEY = "retrieval:";

/** Formats of all records but the blend's; 2 is a snapshot in pieces with a head, without counts of occasions that are 0. */
export const RETRIEVAL_FORMATS: Formats = { oldest: 1, newest: 2 };

/** A record to write; an empty value deletes one that is no longer needed. */
export interface RetrievalRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

/** A record that cannot be read. */
export class DamagedChange extends SyntaxError {
  /** Key of the record; of a snapshot, that of its first piece. */
  readonly key: string;

  /** Wraps the error that reading a record has thrown. */
  constructor(key: string, cause: unknown) {
    super(reasonOf(cause), { cause });
    this.key = key;
  }
}

/** Reads a record in portions and returns the result. @throws DamagedChange with the error that `read` throws */
export function* readingChange<T>(key: string, read: () => Portions<T>): Portions<T> {
  try {
    return yield* read();
  } catch (cause) {
    throw new DamagedChange(key, cause);
  }
}

/** Makes a record in the newest of the formats. */
export function encodeRecord(
  key: string,
  { newest }: Formats,
  encode: (to: ByteWriter) => void,
): RetrievalRecord {
  const to = new ByteWriter(1 << 10).u8(newest);
  encode(to);
  return { key, value: to.toBytes() };
}

/** Reads the record of a key, if there is one that was not deleted. @throws DamagedChange when it is not one */
export function decodeRecord(
  records: ReadonlyMap<string, Uint8Array>,
  { key, formats }: { readonly key: string; readonly formats: Formats },
  decode: (from: ByteReader, format: number) => void,
): void {
  const value = records.get(key);
  if (value === undefined || value.length === 0) return;
  try {
    const from = new ByteReader(value);
    decode(from, readFormat(from, formats));
    if (!from.done) throw new SyntaxError(`Cannot decode ${key}: there are bytes after its end`);
  } catch (cause) {
    throw new DamagedChange(key, cause);
  }
}

/** Reads the format that a record begins with. @throws SyntaxError when it is not one of these */
export function readFormat(from: ByteReader, { oldest, newest }: Formats): number {
  const format = from.u8();
  if (format >= oldest && format <= newest) return format;
  throw new SyntaxError(
    `Cannot decode the retrieval state: format is ${format}, this release reads ${oldest} to ${newest}`,
  );
}
