/**
 * Room for unlisted items, shared so that no sender uses it up. With `left` places free and `lately` items taken of
 * late, an item that nobody else has named is taken only while `lately < left`, and one that two users have named while
 * `lately < 3 left`: at once, half of the places or three quarters. At each full hour of event time a 256th of
 * `lately` is forgotten, half in a week. So some places are always kept for later.
 *
 * ```text
 *   200,000 places, a flood of invented ids at hour 0       left      lately    can be taken: new, named by two
 *   before                                               200,000           0         100,000            150,000
 *   after                                                100,000     100,000               0             50,000
 *   an hour later                                        100,000      99,609             196             50,098
 *   a week later                                         100,000      51,754          24,123             62,062
 * ```
 *
 * Who named an item that was not taken is kept as a hash, in one of a thousand slots that later ids overwrite, until
 * `2 lately < left`: an item that makes up a small share s of the ids that come is found there with a probability of
 * about 1000 s.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { hashString } from "../embeddings/hash.ts";

const HOUR_MS = 3_600_000;
const FORGOTTEN = 256;
const SLOTS = 1 << 10;
/** Bits of a slot that tell users apart; the others tell ids apart. */
const USER_BITS = 10;
const NO_BYTES = new Uint8Array(0);

/** How many unlisted items there may be, and who may add the next one. */
export class Room {
  readonly #places: number;
  #used = 0;
  #lately = 0;
  /** Event time of {@linkcode Room.moveTo}, in hours. */
  #hour = 0;
  /** By hash of an id that was not taken: more bits of that hash, and some of the user's. */
  readonly #named = new Uint32Array(SLOTS);
  #hasNamed = false;

  /** Room without items. */
  constructor(places: number) {
    this.#places = places;
  }

  /** Free places. */
  get left(): number {
    return Math.max(0, this.#places - this.#used);
  }

  /** How many items that nobody has named before can be taken now. */
  get open(): number {
    return Math.max(0, Math.ceil((this.left - this.#lately) / 2));
  }

  /** Counts an unlisted item. */
  use(): void {
    this.#used++;
  }

  /** Counts an item that is no longer unlisted. */
  free(): void {
    this.#used--;
  }

  /** Counts an item as taken of late, besides {@linkcode Room.use}. */
  take(): void {
    if (this.#places < Infinity) this.#lately++;
  }

  /** Moves to an event time, milliseconds since the epoch. */
  moveTo(time: number): void {
    const hour = Math.max(0, Math.floor(time / HOUR_MS));
    for (; this.#lately > 0 && this.#hour < hour; this.#hour++) {
      this.#lately -= Math.ceil(this.#lately / FORGOTTEN);
    }
    this.#hour = hour;
    if (!this.#hasNamed || 2 * this.#lately >= this.left) return;
    this.#named.fill(0);
    this.#hasNamed = false;
  }

  /** Whether new items that a user names can be taken. If not, they can be once another user names them, too. */
  admits(ids: readonly string[], user: string): boolean {
    if (ids.length <= this.open) return true;
    if (this.left === 0) return false;
    const unseen = ids.filter((id) => !this.#wasNamed(id, user));
    return unseen.length <= this.open && ids.length <= Math.ceil((3 * this.left - this.#lately) / 4);
  }

  /** Whether another user has named an id lately; if no user has, notes this one. */
  #wasNamed(id: string, user: string): boolean {
    const hash = hashString(id, 0), slot = hash & (SLOTS - 1);
    const before = this.#named[slot]!;
    const mark = (hash & -(1 << USER_BITS) | hashString(user, 1) >>> 32 - USER_BITS) >>> 0;
    if ((before ^ mark) >>> USER_BITS === 0) return before !== mark;
    this.#named[slot] = mark;
    this.#hasNamed = true;
    return false;
  }

  /** Writes what does not follow from the items. */
  encode(to: ByteWriter): void {
    to.uint(this.#hour).uint(this.#lately);
    to.bytes(this.#hasNamed ? new Uint8Array(this.#named.buffer) : NO_BYTES);
  }

  /** Reads what {@linkcode Room.encode} wrote. @throws SyntaxError when the bytes end too early */
  decode(from: ByteReader): void {
    this.#hour = from.uint();
    this.#lately = from.uint();
    const named = from.bytes();
    this.#hasNamed = named.length > 0;
    if (!this.#hasNamed) return;
    if (named.length !== this.#named.byteLength) {
      throw new SyntaxError(`Cannot decode who named new items: there are ${named.length} bytes`);
    }
    new Uint8Array(this.#named.buffer).set(named);
  }
}
