/**
 * Remembers which users were erased and when, so that behaviours handed over late, by an alias no later than the
 * erasure, are not added again. It keeps hashes, since no id may outlive a `forget`.
 * ```text
 *   erased/1  erased/2  ...  erased      every thousand erasures become a record of their own, which never changes
 * ```
 *
 * An erasure is remembered for ever, since an alias may be used for ever: some 50 bytes in memory, 32 on the log.
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import { idHash } from "./user_state.ts";

/** Key of the newest erasures on the `statistics` topic, and prefix of the others' keys. */
export const ERASED_KEY = "erased";

/** Most erasures per record. */
const MOST = 1000;

const FORMAT = 1;
export const ERASED_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };

/** Key of a record of erasures. @param number 0 = the newest, 1 = the oldest, and so on */
export function erasedKey(number: number): string {
  return number === 0 ? ERASED_KEY : `${ERASED_KEY}/${number}`;
}

/** Whether a key is one of {@linkcode erasedKey}. */
export function isErasedKey(key: string): boolean {
  return key === ERASED_KEY || key.startsWith(`${ERASED_KEY}/`);
}

export class ErasedUsers {
  /** Event times of erasures by hash of the user. */
  readonly #times = new Map<number, number>();
  #newest = new Map<number, number>();
  /** Number of the other records. */
  #full = 0;
  #hasChanged = false;

  /** Remembers an erasure. @param time event time */
  note(user: string, time: number): void {
    this.#note(idHash(user), time);
  }

  /** Remembers the erasures of another partition; {@linkcode ErasedUsers.changes} does not return them. */
  add(other: ErasedUsers): void {
    for (const [hash, time] of other.#times) this.#remember(hash, time);
  }

  /** Whether the user was erased at an event time or later. */
  includes(user: string, time: number): boolean {
    return (this.#times.get(idHash(user)) ?? -Infinity) >= time;
  }

  /** Whether {@linkcode ErasedUsers.changes} would return any. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /** The records that have changed since the last call. */
  changes(): readonly { readonly key: string; readonly value: Uint8Array }[] {
    if (!this.#hasChanged) return [];
    this.#hasChanged = false;
    const changed: { key: string; value: Uint8Array }[] = [];
    const entries = [...this.#newest];
    while (entries.length > MOST) {
      changed.push({ key: erasedKey(++this.#full), value: encode(entries.splice(0, MOST)) });
    }
    this.#newest = new Map(entries);
    changed.push({ key: ERASED_KEY, value: encode(entries) });
    return changed;
  }

  /** Restores a record, replacing an earlier one with its key. @throws SyntaxError when it is malformed */
  restore(key: string, record: Uint8Array): void {
    const entries = decode(record);
    if (key === ERASED_KEY) this.#newest = new Map(entries);
    else this.#full = Math.max(this.#full, Number(key.slice(ERASED_KEY.length + 1)));
    for (const [hash, time] of entries) this.#remember(hash, time);
  }

  /** Adds the users of a record of another partition or generation. @throws SyntaxError when it is malformed */
  carry(record: Uint8Array): void {
    for (const [hash, time] of decode(record)) this.#note(hash, time);
  }

  #note(hash: number, time: number): void {
    if (!this.#remember(hash, time)) return;
    this.#newest.set(hash, time);
    this.#hasChanged = true;
  }

  /** @returns whether it was new */
  #remember(hash: number, time: number): boolean {
    if (time <= (this.#times.get(hash) ?? -Infinity)) return false;
    this.#times.set(hash, time);
    return true;
  }
}

type Entries = readonly (readonly [hash: number, time: number])[];

function encode(entries: Entries): Uint8Array {
  return new ByteWriter().u8(FORMAT).string(JSON.stringify(entries)).toBytes();
}

function decode(record: Uint8Array): Entries {
  const reader = new ByteReader(record);
  const format = reader.u8();
  if (format === FORMAT) return JSON.parse(reader.string());
  throw new SyntaxError(`Cannot decode erasures: format is ${format}, this release reads ${FORMAT}`);
}
