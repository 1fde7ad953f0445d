/**
 * A recurrent state in its stored bytes, in memory and on the log.
 *
 * ```text
 * bytes = floats in single precision, then floats in half precision, each in the order of the state
 * ```
 *
 * @module
 */

/** Lengths of the stretches of a state that are stored in half and in single precision, alternately, half first. */
export type StateStretches = readonly number[];

/** A state that is rounded once to its stored precision, so that everything computes with the same numbers. */
export class StoredState {
  /** The stored bytes. Shared, so never modified. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly stretches: StateStretches;

  private constructor(bytes: Uint8Array<ArrayBuffer>, stretches: StateStretches) {
    this.bytes = bytes;
    this.stretches = stretches;
  }

  /** Rounds a state. @param stretches those of the model; a state of another length is kept in single precision */
  static of(state: Float32Array, stretches: StateStretches): StoredState {
    const own = sum(stretches, 0) + sum(stretches, 1) === state.length ? stretches : [0, state.length];
    const { halves, singles, bytes } = room(own);
    let at = 0, half = 0, single = 0;
    own.forEach((length, i) => {
      const from = state.subarray(at, at += length);
      if (i % 2 === 0) halves.set(from, half), half += length;
      else singles.set(from, single), single += length;
    });
    return new StoredState(bytes, own);
  }

  /** Wraps written bytes. @throws SyntaxError when their length does not match the stretches */
  static from(written: Uint8Array, stretches: StateStretches): StoredState {
    if (written.length !== sizeOf(stretches)) {
      throw new SyntaxError(
        `Cannot decode a state of ${sizeOf(stretches)} bytes: current value has ${written.length}`,
      );
    }
    return new StoredState(written.slice(), stretches);
  }

  /** Length of the state in floats. */
  get size(): number {
    return sum(this.stretches, 0) + sum(this.stretches, 1);
  }

  /** The rounded state, in a new array. */
  floats(): Float32Array<ArrayBuffer> {
    const { stretches } = this;
    const { halves, singles } = views(this.bytes, stretches);
    const state = new Float32Array(halves.length + singles.length);
    let at = 0, half = 0, single = 0;
    stretches.forEach((length, i) => {
      if (i % 2 === 0) state.set(halves.subarray(half, half += length), at);
      else state.set(singles.subarray(single, single += length), at);
      at += length;
    });
    return state;
  }
}

function sum(stretches: StateStretches, from: 0 | 1): number {
  return stretches.reduce((sum, length, i) => i % 2 === from ? sum + length : sum, 0);
}

function sizeOf(stretches: StateStretches): number {
  return 2 * sum(stretches, 0) + 4 * sum(stretches, 1);
}

function room(stretches: StateStretches) {
  const bytes = new Uint8Array(sizeOf(stretches));
  return { bytes, ...views(bytes, stretches) };
}

/** In the byte order of the machine, which is little-endian wherever this runs. */
function views({ buffer }: Uint8Array<ArrayBuffer>, stretches: StateStretches) {
  const singles = new Float32Array(buffer, 0, sum(stretches, 1));
  return { singles, halves: new Float16Array(buffer, singles.byteLength, sum(stretches, 0)) };
}
