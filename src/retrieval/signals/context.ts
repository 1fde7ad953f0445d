/**
 * The earlier behaviours of a user, in typed arrays that are reused, so that a behaviour makes no garbage.
 *
 * @module
 */

/** The earlier behaviours of a user, newest first: the first `size` entries of parallel arrays. */
export interface Context {
  readonly size: number;
  readonly items: Uint32Array;
  /** Event times, milliseconds since the epoch. */
  readonly times: Float64Array;
  /** 1 if the behaviour was for the item (strength above 0), 0 if it was against it. */
  readonly liked: Uint8Array;
  /** Signed strengths. */
  readonly strengths: Float32Array;
}

/** A behaviour of a context. */
export interface Before {
  /** Item index. */
  readonly item: number;
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** Whether it was for the item. @default {true} */
  readonly liked?: boolean;
  /** Signed strength. @default {1, or −1 against the item} */
  readonly strength?: number;
}

/** A context of a fixed capacity that can be filled again. */
export class ContextBuffer implements Context {
  size = 0;
  readonly items: Uint32Array;
  readonly times: Float64Array;
  readonly liked: Uint8Array;
  readonly strengths: Float32Array;

  /** An empty context with room for `capacity` behaviours. */
  constructor(capacity: number) {
    this.items = new Uint32Array(capacity);
    this.times = new Float64Array(capacity);
    this.liked = new Uint8Array(capacity);
    this.strengths = new Float32Array(capacity);
  }

  /** Appends a behaviour that is older than all the others; there must be room. */
  push(item: number, time: number, liked: boolean, strength: number = liked ? 1 : -1): void {
    const at = this.size++;
    this.items[at] = item;
    this.times[at] = time;
    this.liked[at] = liked ? 1 : 0;
    this.strengths[at] = strength;
  }
}

/** A context of these behaviours, newest first. */
export function contextOf(before: readonly Before[]): Context {
  const context = new ContextBuffer(before.length);
  for (const { item, time, liked = true, strength } of before) context.push(item, time, liked, strength);
  return context;
}

/**
 * The weight of a further behaviour with an item: 1 / (1 + n), if n of those before it are with the same item, so that
 * a single user cannot dominate an item by repetition.
 */
export function repeatWeight({ size, items }: Context, item: number): number {
  let had = 0;
  for (let x = 0; x < size; x++) if (items[x] === item) had++;
  return 1 / (1 + had);
}
