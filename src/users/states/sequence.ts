/**
 * Behaviour sequences of many users in slabs of typed arrays: a row holds the newest N behaviours of one user,
 * oldest first. There is no object per behaviour, and a row has room for little more than what it holds.
 *
 * The *window* that models read is a function of the total count n of behaviours alone: with T the longest
 * window and P the hop, it is the behaviours `[s, n)` with `s = max(0, ⌈(n − T)/P⌉·P)`, so its length is in
 * `(T − P, T]` once n ≥ T. The start moves only every P behaviours; between two moves a recurrent state takes
 * one step per behaviour, and at a move it is refolded from s. That is T/P steps per behaviour on average, and the
 * state always equals the batch forward over the window, exactly.
 */

import { count, natural, type OptionsOf, settle } from "../../options/option.ts";
import { ActionTable, type Behaviour, BehaviourSlab, STRENGTH_BYTES } from "./behaviour_slab.ts";
import { times } from "../../values/times.ts";
import { grown } from "../../values/grown.ts";

/** Sizes of the sequences. */
export interface SequenceOptions {
  /** Behaviours kept per user, N. @default {100} */
  readonly capacity?: number | undefined;
  /** Longest window T that a model reads, at most N. @default {50} */
  readonly window?: number | undefined;
  /** Hop P by which the window's start moves, 1..T. @default {10} */
  readonly hop?: number | undefined;
  /**
   * Fewest behaviours K after the anchor that a lifelong state is learnt from; K + 2P ≤ T, so that they are in the
   * window; smaller if T and P require it. @default {20}
   */
  readonly recent?: number | undefined;
}

export const SEQUENCE_OPTIONS = {
  capacity: count(100, "behaviours kept per user"),
  window: count(50, "most behaviours that a model reads"),
  hop: count(10, "by how many behaviours the window's start moves"),
  recent: natural(
    20,
    "with lifelong memory, minimum number of newest behaviours that learning propagates back through; see [state](../explanation/state.md)",
  ),
} satisfies OptionsOf<SequenceOptions>;

/** A buffer for behaviours, in parallel arrays. */
export interface NewestBehaviours {
  size: number;
  /** Indices of the items in the catalogue. */
  readonly items: Uint32Array;
  /** Event times, milliseconds since the epoch. */
  readonly times: Float64Array;
  /** Whether the strength is above 0: 1 or 0. */
  readonly liked: Uint8Array;
  /** Signed strengths. */
  readonly strengths: Float32Array;
}

/** A buffer for all behaviours of a row, oldest first, in parallel arrays. */
export class BehaviourColumns {
  length = 0;
  /** Indices of the items in the catalogue. */
  readonly items: Uint32Array;
  readonly actions: string[];
  /** Event times, milliseconds since the epoch. */
  readonly times: Float64Array;
  readonly strengths: Float32Array;

  /** An empty buffer. @param capacity most behaviours */
  constructor(capacity: number) {
    this.items = new Uint32Array(capacity);
    this.actions = new Array(capacity);
    this.times = new Float64Array(capacity);
    this.strengths = new Float32Array(capacity);
  }
}

/** Capacities below N. A full row moves to the next one, so that users with few behaviours take little memory. */
const CAPACITIES = [8, 24, 56];
const ROW_BYTES = 15;

/** Slabs of behaviour sequences with a free list of rows. */
export class SequenceSlab {
  /** Behaviours kept per user, N. */
  readonly capacity: number;
  /** Longest window T that a model reads. */
  readonly window: number;
  /** Hop P by which the window's start moves. */
  readonly hop: number;
  /** Fewest behaviours K after the anchor of a lifelong state. */
  readonly recent: number;
  /** Capacities of rows, ascending; the last one is N. */
  readonly #capacities: readonly number[];
  /** By bytes per strength, then by capacity. */
  readonly #slabs: readonly BehaviourSlab[];
  /** By row: its slab, and the place of its first behaviour there. */
  #slabOf = new Uint8Array(64);
  #bases = new Uint32Array(64);
  /** Behaviours stored in the row. */
  #lengths = new Uint16Array(64);
  /** Behaviours ever inserted into the row. */
  #totals = new Float64Array(64);
  #rows = 0;
  readonly #actions = new ActionTable();
  readonly #free: number[] = [];

  /** Makes slabs without rows. @throws RangeError when the sizes contradict each other */
  constructor(options: SequenceOptions = {}) {
    const { capacity, window, hop } = settle(SEQUENCE_OPTIONS, options);
    if (
      !(capacity >= 1 && capacity <= 65_535 && window >= 1 && window <= capacity && hop >= 1 && hop <= window)
    ) {
      throw new RangeError(
        `Cannot lay out sequences: need 1 <= hop <= window <= capacity <= 65535, got hop ${hop}, window ${window}, capacity ${capacity}`,
      );
    }
    const most = window - 2 * hop;
    const { recent = Math.max(0, Math.min(SEQUENCE_OPTIONS.recent.value, most)) } = options;
    if (!(recent >= 0 && recent <= Math.max(0, most))) {
      throw new RangeError(
        `Cannot learn lifelong states from ${recent} behaviours: need 0 <= recent <= window - 2 hop = ${most}`,
      );
    }
    this.capacity = capacity;
    this.window = window;
    this.hop = hop;
    this.recent = recent;
    this.#capacities = [...CAPACITIES.filter((some) => some < capacity), capacity];
    this.#slabs = STRENGTH_BYTES.flatMap((bytes) =>
      this.#capacities.map((some) => new BehaviourSlab(some, bytes, this.#actions))
    );
  }

  rowBytes(row: number): number {
    return this.#slab(row).rowBytes + ROW_BYTES;
  }

  /** Bytes held by the slabs. */
  get bytes(): number {
    return this.#slabs.reduce((sum, { bytes }) => sum + bytes, ROW_BYTES * this.#lengths.length);
  }

  allocate(): number {
    const row = this.#free.pop() ?? this.#rows++;
    if (row >= this.#lengths.length) this.#grow(Math.ceil(1.5 * row));
    this.#begin(row);
    return row;
  }

  clear(row: number): void {
    this.#slab(row).release(this.#bases[row]!);
    this.#begin(row);
  }

  release(row: number): void {
    this.#slab(row).release(this.#bases[row]!);
    this.#free.push(row);
  }

  length(row: number): number {
    return this.#lengths[row]!;
  }

  /** Number of behaviours ever inserted into a row. */
  total(row: number): number {
    return this.#totals[row]!;
  }

  /** Event time of the newest behaviour, or `null`. */
  lastTime(row: number): number | null {
    const length = this.#lengths[row]!;
    return length === 0 ? null : this.#slab(row).time(this.#bases[row]! + length - 1);
  }

  /** Index in the row at which the window starts; the window is `[start, length)`. */
  windowStart(row: number): number {
    const total = this.#totals[row]!;
    const start = Math.max(0, Math.ceil((total - this.window) / this.hop) * this.hop);
    return Math.max(0, start - (total - this.#lengths[row]!));
  }

  item(row: number, index: number): number {
    return this.#slab(row).items[this.#bases[row]! + index]!;
  }

  action(row: number, index: number): string {
    return this.#actions.name(this.#slab(row).action(this.#bases[row]! + index));
  }

  strength(row: number, index: number): number {
    return this.#slab(row).strength(this.#bases[row]! + index);
  }

  /** Event time at a place of the row. */
  time(row: number, index: number): number {
    return this.#slab(row).time(this.#bases[row]! + index);
  }

  /** The behaviours of a row, oldest first. */
  behaviours(row: number): Behaviour[] {
    return times(this.length(row), (at) => ({
      item: this.item(row, at),
      action: this.action(row, at),
      time: this.time(row, at),
      strength: this.strength(row, at),
    }));
  }

  /** Fills `into`, which has room for N, with the behaviours of a row. */
  read(row: number, into: BehaviourColumns): void {
    const slab = this.#slab(row);
    const base = this.#bases[row]!;
    const length = this.#lengths[row]!;
    for (let i = 0; i < length; i++) {
      into.items[i] = slab.items[base + i]!;
      into.actions[i] = this.#actions.name(slab.action(base + i));
      into.times[i] = slab.time(base + i);
      into.strengths[i] = slab.strength(base + i);
    }
    into.length = length;
  }

  /** Fills `into` with the newest behaviours up to a time, newest first. */
  newest(row: number, until: number, into: NewestBehaviours): void {
    const slab = this.#slab(row);
    const base = this.#bases[row]!;
    const room = into.items.length;
    let size = 0;
    for (let at = base + this.#lengths[row]! - 1; at >= base && size < room; at--) {
      const time = slab.time(at);
      if (time > until) continue;
      into.items[size] = slab.items[at]!;
      into.times[size] = time;
      const strength = slab.strength(at);
      into.liked[size] = strength > 0 ? 1 : 0;
      into.strengths[size] = strength;
      size++;
    }
    into.size = size;
  }

  /**
   * Inserts a behaviour in the order of time (after those of equal time), dropping the oldest if the row is full.
   *
   * @returns whether it went to the end, so that a recurrent state may take a step instead of being refolded
   */
  insert(row: number, { item, action, time, strength: given }: Behaviour): boolean {
    let length = this.#lengths[row]!;
    const strength = Math.fround(given);
    const index = this.#actions.index(action, strength);
    this.#totals[row] = this.#totals[row]! + 1;
    const slab = this.#makeRoom(row, index, strength);
    const base = this.#bases[row]!;
    let place = length;
    while (place > 0 && slab.time(base + place - 1) > time) place--;
    const atEnd = place === length;
    if (length === this.capacity) {
      // Older than everything kept: it is only counted.
      if (place === 0) return false;
      slab.copy(base + 1, base + place, base);
      place--;
      length--;
    } else if (!atEnd) {
      slab.copy(base + place, base + length, base + place + 1);
    }
    slab.put(base + place, item, index, time, strength);
    this.#lengths[row] = length + 1;
    return atEnd;
  }

  /** Fills an empty row with stored behaviours; `total` also counts those no longer kept. */
  restore(row: number, behaviours: readonly Behaviour[], total: number): void {
    for (const behaviour of behaviours) this.insert(row, behaviour);
    this.#totals[row] = total;
  }

  #begin(row: number): void {
    this.#slabOf[row] = 0;
    this.#bases[row] = this.#slabs[0]!.allocate();
    this.#lengths[row] = 0;
    this.#totals[row] = 0;
  }

  #slab(row: number): BehaviourSlab {
    return this.#slabs[this.#slabOf[row]!]!;
  }

  /** Moves a row to a slab where one more behaviour fits, unless it already fits. */
  #makeRoom(row: number, action: number, strength: number): BehaviourSlab {
    const from = this.#slab(row);
    const length = this.#lengths[row]!;
    const isFull = length === from.capacity && length < this.capacity;
    const bytes = from.bytesWith(action, strength, this.#bases[row]!, length);
    if (!isFull && bytes === from.strengthBytes) return from;
    const sizes = this.#capacities.length;
    const at = STRENGTH_BYTES.indexOf(bytes) * sizes + this.#slabOf[row]! % sizes + (isFull ? 1 : 0);
    const into = this.#slabs[at]!;
    const base = into.allocate();
    into.copyFrom(base, from, this.#bases[row]!, length);
    from.release(this.#bases[row]!);
    this.#slabOf[row] = at;
    this.#bases[row] = base;
    return into;
  }

  #grow(rows: number): void {
    this.#slabOf = grown(this.#slabOf, new Uint8Array(rows));
    this.#bases = grown(this.#bases, new Uint32Array(rows));
    this.#lengths = grown(this.#lengths, new Uint16Array(rows));
    this.#totals = grown(this.#totals, new Float64Array(rows));
  }
}
