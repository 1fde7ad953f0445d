/**
 * Behaviour sequences of many users in slabs of typed arrays: a row holds one user's newest N behaviours,
 * oldest first. No object exists per behaviour.
 *
 * The *window* that models read is a function of the total count n of behaviours alone: with T the longest
 * window and P the hop, it is the behaviours `[s, n)` with `s = max(0, ⌈(n − T)/P⌉·P)`, so its length is in
 * `(T − P, T]` once n ≥ T. The start moves only every P behaviours; between two moves a recurrent state can be
 * carried forward one step a behaviour, and at a move it is folded again from s: T/P + 1 steps a behaviour on
 * average, and the state always equals the batch forward over the window, exactly.
 *
 * @module
 */

/** Sizes of the sequences. */
export interface SequenceOptions {
  /** Behaviours kept a user, N. @default {100} */
  readonly capacity?: number;
  /** Longest window T that a model reads, at most N. @default {50} */
  readonly window?: number;
  /** Hop P by which the window's start moves, 1..T. @default {10} */
  readonly hop?: number;
  /**
   * Fewest behaviours K that a lifelong state is learnt from, beside what it was before; K + 2P ≤ T, so that they
   * are in the window. @default {20, or less where T and P leave less}
   */
  readonly recent?: number;
}

/** One behaviour. */
export interface Behaviour {
  /** Index of the item in the catalogue. */
  readonly item: number;
  /** What was done: click, purchase, ... */
  readonly action: string;
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** Signed strength. */
  readonly strength: number;
}

/** Actions that may be behaviours at most; an index fits a byte. */
const MAX_ACTIONS = 256;

/** Slabs of behaviour sequences with a free list of rows. */
export class SequenceSlab {
  /** Behaviours kept a user, N. */
  readonly capacity: number;
  /** Longest window T that a model reads. */
  readonly window: number;
  /** Hop P by which the window's start moves. */
  readonly hop: number;
  /** Fewest behaviours K behind the anchor of a lifelong state. */
  readonly recent: number;
  #items: Uint32Array;
  /** Index into {@linkcode SequenceSlab.#actionNames}. */
  #actions: Uint8Array;
  #times: Float64Array;
  #strengths: Float32Array;
  /** Behaviours stored in the row. */
  #lengths: Uint16Array;
  /** Behaviours ever inserted into the row. */
  #totals: Float64Array;
  #rows = 0;
  readonly #actionNames: string[] = [];
  readonly #free: number[] = [];

  /** Makes slabs without rows. @throws RangeError when the sizes do not fit each other. */
  constructor(options: SequenceOptions = {}) {
    const { capacity = 100, window = 50, hop = 10 } = options;
    if (
      !(capacity >= 1 && capacity <= 65_535 && window >= 1 && window <= capacity && hop >= 1 && hop <= window)
    ) {
      throw new RangeError(
        `Cannot lay out sequences: need 1 <= hop <= window <= capacity <= 65535, got hop ${hop}, window ${window}, capacity ${capacity}`,
      );
    }
    const most = window - 2 * hop;
    const { recent = Math.max(0, Math.min(20, most)) } = options;
    if (!(recent >= 0 && recent <= Math.max(0, most))) {
      throw new RangeError(
        `Cannot learn lifelong states from ${recent} behaviours: need 0 <= recent <= window - 2 hop = ${most}`,
      );
    }
    this.capacity = capacity;
    this.window = window;
    this.hop = hop;
    this.recent = recent;
    this.#items = new Uint32Array(0);
    this.#actions = new Uint8Array(0);
    this.#times = new Float64Array(0);
    this.#strengths = new Float32Array(0);
    this.#lengths = new Uint16Array(0);
    this.#totals = new Float64Array(0);
  }

  /** Bytes of one row. */
  get rowBytes(): number {
    return this.capacity * 17 + 10;
  }

  /** Bytes held by the slabs. */
  get bytes(): number {
    return this.#items.byteLength + this.#actions.byteLength + this.#times.byteLength +
      this.#strengths.byteLength +
      this.#lengths.byteLength + this.#totals.byteLength;
  }

  /** Takes an empty row. */
  allocate(): number {
    const row = this.#free.pop() ?? this.#rows++;
    if (row >= this.#lengths.length) this.#grow(Math.max(64, 2 * this.#lengths.length));
    this.#lengths[row] = 0;
    this.#totals[row] = 0;
    return row;
  }

  /** Gives a row back. */
  release(row: number): void {
    this.#free.push(row);
  }

  /** Number of behaviours stored in a row. */
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
    return length === 0 ? null : this.#times[row * this.capacity + length - 1]!;
  }

  /** Index in the row at which the window starts; the window is `[start, length)`. */
  windowStart(row: number): number {
    const total = this.#totals[row]!;
    const start = Math.max(0, Math.ceil((total - this.window) / this.hop) * this.hop);
    return Math.max(0, start - (total - this.#lengths[row]!));
  }

  /** Item index at a place of the row. */
  item(row: number, index: number): number {
    return this.#items[row * this.capacity + index]!;
  }

  /** Action at a place of the row. */
  action(row: number, index: number): string {
    return this.#actionNames[this.#actions[row * this.capacity + index]!]!;
  }

  /** Strength at a place of the row. */
  strength(row: number, index: number): number {
    return this.#strengths[row * this.capacity + index]!;
  }

  /** Event time at a place of the row. */
  time(row: number, index: number): number {
    return this.#times[row * this.capacity + index]!;
  }

  /**
   * Inserts a behaviour at its place in time (behind those of equal time) and drops the oldest when full.
   *
   * @returns Whether it went to the end, so that a recurrent state may step instead of folding again.
   */
  insert(row: number, behaviour: Behaviour): boolean {
    const N = this.capacity;
    const base = row * N;
    let length = this.#lengths[row]!;
    this.#totals[row] = this.#totals[row]! + 1;
    let place = length;
    while (place > 0 && this.#times[base + place - 1]! > behaviour.time) place--;
    const atEnd = place === length;
    if (length === N) {
      // Older than everything kept: it counts, and is already outside of what is remembered.
      if (place === 0) return false;
      this.#shift(base + 1, base + place, base);
      place--;
      length--;
    } else if (!atEnd) {
      this.#shift(base + place, base + length, base + place + 1);
    }
    this.#items[base + place] = behaviour.item;
    this.#actions[base + place] = this.#actionIndex(behaviour.action);
    this.#times[base + place] = behaviour.time;
    this.#strengths[base + place] = behaviour.strength;
    this.#lengths[row] = length + 1;
    return atEnd;
  }

  /** Fills an empty row with stored behaviours; `total` counts the forgotten ones too. */
  restore(row: number, behaviours: readonly Behaviour[], total: number): void {
    for (const behaviour of behaviours) this.insert(row, behaviour);
    this.#totals[row] = total;
  }

  #actionIndex(name: string): number {
    const known = this.#actionNames.indexOf(name);
    if (known >= 0) return known;
    if (this.#actionNames.length === MAX_ACTIONS) {
      throw new RangeError(`Cannot store action ${name}: ${MAX_ACTIONS} others are behaviours already`);
    }
    return this.#actionNames.push(name) - 1;
  }

  #shift(from: number, to: number, target: number): void {
    this.#items.copyWithin(target, from, to);
    this.#actions.copyWithin(target, from, to);
    this.#times.copyWithin(target, from, to);
    this.#strengths.copyWithin(target, from, to);
  }

  #grow(rows: number): void {
    const N = this.capacity;
    const items = new Uint32Array(rows * N);
    items.set(this.#items);
    const actions = new Uint8Array(rows * N);
    actions.set(this.#actions);
    const times = new Float64Array(rows * N);
    times.set(this.#times);
    const strengths = new Float32Array(rows * N);
    strengths.set(this.#strengths);
    const lengths = new Uint16Array(rows);
    lengths.set(this.#lengths);
    const totals = new Float64Array(rows);
    totals.set(this.#totals);
    this.#items = items;
    this.#actions = actions;
    this.#times = times;
    this.#strengths = strengths;
    this.#lengths = lengths;
    this.#totals = totals;
  }
}
