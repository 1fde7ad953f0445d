/** Finds the records of erased users. */

import { Buffer } from "node:buffer";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { decodeEvent } from "../../../src/events/codec.ts";
import type { Event } from "../../../src/events/event.ts";
import { decodeRejection } from "../../../src/events/rejection.ts";
import type { ErasedUsers } from "../../../src/users/erased_users.ts";
import { usersOfVersion } from "../../../src/serving/version_users.ts";
import { WITH_ALIASES } from "../../../src/users/user_codec.ts";
import type { LogRecord } from "../../log/log.ts";
import { INPUT } from "../../topics/delivery.ts";

/** A user, and the offset of the event on a partition of `events` that erases it. */
export interface Erasure {
  readonly user: string;
  readonly offset: number;
}

const decoder = new TextDecoder();

/**
 * Searches for many users at once. At each place of a text, the id that begins there is found by its length, bit by
 * bit: at most nine slices per place, however many users there are and whatever the text.
 *
 * ```text
 *   an id of 13 characters   ■■■■■■■■■■■■■    8 + 4 + 1
 *   its marks                ■■■■■■■■         8
 *                            ■■■■■■■■■■■■     8 + 4
 *                            ■■■■■■■■■■■■■    8 + 4 + 1
 * ```
 */
export class SoughtUsers {
  readonly #ids: ReadonlySet<string>;
  /** Prefixes of the ids, except ids that begin with another id, which would be found instead. */
  readonly #marks = new Set<string>();
  readonly #firsts = new Set<number>();
  /** Largest power of two that is not above the length of an id. */
  #longest = 0;

  /** @param users ids, none of them empty */
  constructor(users: Iterable<string>) {
    this.#ids = new Set(users);
    let last: string | undefined;
    for (const id of [...this.#ids].sort()) {
      if (last !== undefined && id.startsWith(last)) continue;
      last = id;
      this.#firsts.add(id.charCodeAt(0));
      const top = 1 << (31 - Math.clz32(id.length));
      this.#longest = Math.max(this.#longest, top);
      for (let bit = top, length = 0; bit > 0; bit >>= 1) {
        if ((id.length & bit) !== 0) this.#marks.add(id.slice(0, length += bit));
      }
    }
  }

  /** Whether a user is one of them. */
  has(user: string): boolean {
    return this.#ids.has(user);
  }

  /** Whether a text names one of them. */
  isIn(text: string): boolean {
    for (let at = 0; at < text.length; at++) {
      if (this.#firsts.has(text.charCodeAt(at)) && this.#beginsAt(text, at)) return true;
    }
    return false;
  }

  #beginsAt(text: string, at: number): boolean {
    for (let bit = this.#longest, end = at; bit > 0; bit >>= 1) {
      const start = text.slice(at, end + bit);
      if (!this.#marks.has(start)) continue;
      if (this.#ids.has(start)) return true;
      end += bit;
    }
    return false;
  }
}

/** The erasure that a record of `events` requests, if any. */
export function erasureOf({ value, offset }: LogRecord): Erasure | null {
  if (value === null || !mayBe(value, "forget")) return null;
  const decoded = decodeEvent(value);
  return decoded.ok && decoded.event.type === "forget" ? { user: decoded.event.user, offset } : null;
}

/** Whether a record of `events` hands something over to an erased user, so that the task has dropped it. */
export function isErasedMerge({ value }: LogRecord, erased: ErasedUsers): boolean {
  if (value === null || !mayBe(value, "merge")) return false;
  const decoded = decodeEvent(value);
  return decoded.ok && decoded.event.type === "merge" &&
    erased.includes(decoded.event.user, decoded.event.time);
}

/** The users that a record of another one names: the owner of a session, or the session that a user takes over. */
export function namedBy({ value }: LogRecord): readonly string[] {
  if (value === null || !mayBe(value, "alias", "merge")) return [];
  const decoded = decodeEvent(value);
  if (!decoded.ok) return [];
  const { event } = decoded;
  return event.type === "alias" ? [event.of] : event.type === "merge" ? [event.from] : [];
}

/** The users among `users` whom a record of `state` names as owner of its session, or as a session of its user. */
export function aliasesOf(users: readonly string[]): (record: LogRecord) => readonly string[] {
  const needles = users.map((user) => [user, latin1(new ByteWriter().string(user).toBytes())] as const);
  return ({ value }) => {
    if (value?.[0] === undefined || value[0] < WITH_ALIASES) return [];
    const text = latin1(value);
    return needles.filter(([, needle]) => text.includes(needle)).map(([user]) => user);
  };
}

/** A character for each byte: texts are searched faster. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/**
 * Whether a record of `events` belongs to a user up to the erasure, or cannot be read and contains an id.
 *
 * @param until offset of the event that erases, by user
 */
export function isEventOf({ key, value, offset }: LogRecord, until: ReadonlyMap<string, number>): boolean {
  const isOld = (user: string) => offset <= (until.get(user) ?? -1);
  if (key !== null && isOld(key)) return true;
  const decoded = decodeEvent(value ?? new Uint8Array(0));
  if (decoded.ok) return isOld(decoded.event.user);
  return value !== null && names(value, new SoughtUsers([...until.keys()].filter(isOld)));
}

/** Offset of the event that a record of `samples` or `recommendations` came from; `null` if unknown. */
export function inputOf({ headers }: LogRecord): number | null {
  const offset = Number(headers[INPUT]?.split("/")[1]);
  return Number.isInteger(offset) ? offset : null;
}

/** Whether the key, reason or bytes of a record of `rejected` name one of the users. */
export function isRejectionOf({ key, value }: LogRecord, users: SoughtUsers): boolean {
  if (key !== null && users.has(key)) return true;
  if (value === null) return false;
  try {
    const { reason, bytes } = decodeRejection(value);
    return isIn(reason, users) || names(Uint8Array.fromBase64(bytes), users);
  } catch {
    return names(value, users);
  }
}

/** Whether a version of the parameters has rows of one of the users, or lists one as removed. */
export function hasRowsOf(version: Uint8Array, users: SoughtUsers): boolean {
  return usersOfVersion(version).some((user) => users.has(user));
}

/** Whether bytes that are not a record of ours contain an id: as text, JSON-escaped, or as UTF-16. */
function names(bytes: Uint8Array, users: SoughtUsers): boolean {
  // UTF-16 may begin at an even or an odd place.
  const wide = ["utf-16le", "utf-16be"].map((encoding) => new TextDecoder(encoding));
  const texts = [
    decoder.decode(bytes),
    ...wide.flatMap((from) => [from.decode(bytes), from.decode(bytes.subarray(1))]),
  ];
  return texts.some((text) => isIn(text, users));
}

/** Whether a text names one of the users as it is, or JSON-escaped. */
function isIn(text: string, users: SoughtUsers): boolean {
  if (users.isIn(text)) return true;
  return text.includes("\\") && users.isIn(unescaped(text));
}

/** Whether bytes may be an event of one of some types. A cheap check: for text with escapes, the decoder decides. */
function mayBe(value: Uint8Array, ...types: readonly Event["type"][]): boolean {
  const text = decoder.decode(value);
  return text.includes("\\u") || types.some((type) => text.includes(type));
}

function unescaped(text: string): string {
  const short: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
  return text.replace(
    /\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))/g,
    (_, code, letter) =>
      code === undefined ? short[letter] ?? letter : String.fromCharCode(parseInt(code, 16)),
  );
}
