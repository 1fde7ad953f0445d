/**
 * Rows of behaviours of one capacity, in parallel typed arrays.
 *
 * ```text
 * behaviour = item u32, action u8, time u48, strength (0, 2 or 4 bytes)
 * ```
 *
 * An action nearly always has the same strength; a row in which every action has its usual strength stores none. Other
 * rows store strengths in half precision if that is exact, else in single.
 */

import { grown } from "../../values/grown.ts";

export interface Behaviour {
  /** Index of the item in the catalogue. */
  readonly item: number;
  /** What was done: click, purchase, ... */
  readonly action: string;
  /** Event time, integer milliseconds since the epoch. */
  readonly time: number;
  /** Signed strength, single precision. */
  readonly strength: number;
}

export const STRENGTH_BYTES = [0, 2, 4] as const;
export type StrengthBytes = typeof STRENGTH_BYTES[number];

/** Most actions that may be behaviours: an index fits a byte. */
const MAX_ACTIONS = 256;
const PLAIN_BYTES = 11;
const HIGH = 2 ** 32;
/** Times fit 48 bits: up to the year 10889. */
const TIME_LIMIT = 2 ** 48;

/** The actions of a task's behaviours by index, with the usual strength of each. */
export class ActionTable {
  readonly #names: string[] = [];
  readonly #strengths: number[] = [];

  /** Index of an action; the strength of its first behaviour becomes the usual one. @throws RangeError for too many */
  index(name: string, strength: number): number {
    const known = this.#names.indexOf(name);
    if (known >= 0) return known;
    if (this.#names.length === MAX_ACTIONS) {
      throw new RangeError(`Cannot store action ${name}: ${MAX_ACTIONS} others are behaviours already`);
    }
    this.#strengths.push(strength);
    return this.#names.push(name) - 1;
  }

  name(index: number): string {
    return this.#names[index]!;
  }

  /** Usual strength of an action. */
  strength(index: number): number {
    return this.#strengths[index]!;
  }
}

function isHalf(strength: number): boolean {
  return Object.is(Math.f16round(strength), strength);
}

/** Rows of behaviours of one capacity. */
export class BehaviourSlab {
  readonly capacity: number;
  readonly strengthBytes: StrengthBytes;
  items = new Uint32Array(0);
  readonly #table: ActionTable;
  #actions = new Uint8Array(0);
  #lows = new Uint32Array(0);
  #highs = new Uint16Array(0);
  #strengths: Float16Array<ArrayBuffer> | Float32Array<ArrayBuffer> | null = null;
  #end = 0;
  readonly #free: number[] = [];

  constructor(capacity: number, strengthBytes: StrengthBytes, table: ActionTable) {
    this.capacity = capacity;
    this.strengthBytes = strengthBytes;
    this.#table = table;
  }

  get rowBytes(): number {
    return this.capacity * (PLAIN_BYTES + this.strengthBytes);
  }

  get bytes(): number {
    return this.items.length * (PLAIN_BYTES + this.strengthBytes);
  }

  /** Allocates a row. @returns the place of its first behaviour */
  allocate(): number {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    const base = this.#end;
    this.#end += this.capacity;
    if (this.#end > this.items.length) this.#grow(Math.max(64, Math.ceil(1.5 * base / this.capacity)));
    return base;
  }

  release(base: number): void {
    this.#free.push(base);
  }

  action(at: number): number {
    return this.#actions[at]!;
  }

  /** Event time at a place. */
  time(at: number): number {
    return this.#highs[at]! * HIGH + this.#lows[at]!;
  }

  strength(at: number): number {
    return this.#strengths === null ? this.#table.strength(this.#actions[at]!) : this.#strengths[at]!;
  }

  /** Fewest bytes per strength that hold a row of this slab and one more behaviour. */
  bytesWith(action: number, strength: number, base: number, length: number): StrengthBytes {
    const { strengthBytes } = this;
    if (strengthBytes === 0 && Object.is(strength, this.#table.strength(action))) return 0;
    if (strengthBytes === 4 || !isHalf(strength)) return 4;
    // The usual strength of an action need not fit half precision.
    for (let at = base; strengthBytes === 0 && at < base + length; at++) {
      if (!isHalf(this.strength(at))) return 4;
    }
    return 2;
  }

  /** Writes a behaviour. @param strength must fit @throws RangeError when the time does not */
  put(at: number, item: number, action: number, time: number, strength: number): void {
    if (!(Number.isInteger(time) && time >= 0 && time < TIME_LIMIT)) {
      throw new RangeError(`Cannot store a behaviour: need an integer time in [0, 2^48), got ${time}`);
    }
    this.items[at] = item;
    this.#actions[at] = action;
    this.#lows[at] = time; // its lower 32 bits
    this.#highs[at] = Math.floor(time / HIGH);
    if (this.#strengths !== null) this.#strengths[at] = strength;
  }

  copy(from: number, to: number, target: number): void {
    this.items.copyWithin(target, from, to);
    this.#actions.copyWithin(target, from, to);
    this.#lows.copyWithin(target, from, to);
    this.#highs.copyWithin(target, from, to);
    this.#strengths?.copyWithin(target, from, to);
  }

  /** Copies `length` behaviours of another slab, whose strengths must fit. */
  copyFrom(base: number, from: BehaviourSlab, at: number, length: number): void {
    const end = at + length;
    this.items.set(from.items.subarray(at, end), base);
    this.#actions.set(from.#actions.subarray(at, end), base);
    this.#lows.set(from.#lows.subarray(at, end), base);
    this.#highs.set(from.#highs.subarray(at, end), base);
    const strengths = this.#strengths;
    if (strengths !== null) { for (let i = 0; i < length; i++) strengths[base + i] = from.strength(at + i); }
  }

  #grow(rows: number): void {
    const length = rows * this.capacity;
    this.items = grown(this.items, new Uint32Array(length));
    this.#actions = grown(this.#actions, new Uint8Array(length));
    this.#lows = grown(this.#lows, new Uint32Array(length));
    this.#highs = grown(this.#highs, new Uint16Array(length));
    if (this.strengthBytes === 0) return;
    const wider = this.strengthBytes === 2 ? new Float16Array(length) : new Float32Array(length);
    this.#strengths = this.#strengths === null ? wider : grown(this.#strengths, wider);
  }
}
