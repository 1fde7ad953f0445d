/**
 * A preference: which candidate a user took, of those that a request just before would have had. It needs no
 * impression, so an order can be learnt from behaviours alone.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { PairList, PairNames } from "../nn/models/pair_head/pair_list.ts";
import { times } from "../values/times.ts";

// H behaviours, newest first; K candidates; V values of a pair, A of a behaviour, B of a candidate

/** Bits of a number in half precision: its sign, and its exponent, all 1 if it is not finite. */
const SIGN = 0x8000;
const EXPONENT = 0x7c00;
/** Single precision has 13 more bits of mantissa, and an exponent bias that is larger by 112. */
const MORE_BITS = 13;
const MORE = 2 ** 112;

/** One preference. */
export interface Preference {
  /** Number H of behaviours. */
  readonly H: number;
  /** Number K of candidates. */
  readonly K: number;
  /** The place of the candidate that was taken. */
  readonly taken: number;
  /** Names of the values. */
  readonly names: PairNames;
  /** Values of the pairs [K, H, V], of the behaviours [H, A] and of the candidates [K, B], scores of the blend [K]. */
  readonly values: Float16Array;
}

export interface DrawOptions {
  /** The place of the candidate that was taken. */
  readonly taken: number;
  /** Most candidates: the one that was taken, and others at random. */
  readonly candidates: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * The places, out of `count`, of the candidates of a preference. One among randomly drawn candidates has, up to a
 * factor, the same expected gradient as one among all.
 */
export function drawPlaces(count: number, { taken, candidates, random }: DrawOptions): number[] {
  const places = times(count, (place) => place);
  if (count <= candidates) return places;
  [places[0], places[taken]] = [taken, 0];
  for (let i = 1; i < candidates; i++) {
    const other = i + Math.floor(random() * (count - i));
    [places[i], places[other]] = [places[other]!, places[i]!];
  }
  return places.slice(0, candidates);
}

/** The preference for a candidate of a list. @param taken Its place */
export function preferenceOf(list: PairList, names: PairNames, taken: number): Preference {
  const { H, K, pairs, behaviours, candidates, scores } = list;
  const values = new Float16Array(pairs.length + behaviours.length + candidates.length + K);
  let at = 0;
  for (const part of [pairs, behaviours, candidates, scores]) {
    values.set(part, at);
    at += part.length;
  }
  return { H, K, taken, names, values };
}

/** The list that a preference of finite values was made from, as far as the preference contains it. */
export function listOf({ H, K, names, values }: Preference): PairList {
  const words = wordsOf(values);
  let at = 0;
  const next = (size: number) => {
    const floats = new Float32Array(size), bits = new Uint32Array(floats.buffer);
    // Several times as fast as reading from the `Float16Array`.
    for (let n = 0; n < size; n++) {
      const word = words[at++]!;
      bits[n] = (word & SIGN) << 16 | (word & ~SIGN) << MORE_BITS;
      floats[n] = MORE * floats[n]!;
    }
    return floats;
  };
  return {
    H,
    K,
    pairs: next(K * H * names.pairs.length),
    behaviours: next(H * names.behaviours.length),
    candidates: next(K * names.candidates.length),
    scores: next(K),
  };
}

export function hasFiniteValues({ values }: Preference): boolean {
  const words = wordsOf(values);
  let most = 0;
  for (let n = 0; n < words.length; n++) most = Math.max(most, words[n]! & EXPONENT);
  return most < EXPONENT;
}

function wordsOf({ buffer, byteOffset, length }: Float16Array): Uint16Array {
  return new Uint16Array(buffer, byteOffset, length);
}

/** Appends a preference without its names. */
export function encodePreference(to: ByteWriter, { H, K, taken, values }: Preference): void {
  to.uint(H).uint(K).uint(taken).bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** Reads what {@linkcode encodePreference} wrote. @throws SyntaxError when it does not fit these names */
export function decodePreference(from: ByteReader, names: PairNames): Preference {
  const [H, K, taken] = [from.uint(), from.uint(), from.uint()];
  const bytes = from.bytes();
  const values = new Float16Array(bytes.slice(0, bytes.length & -2).buffer);
  const size = K * (H * names.pairs.length + names.candidates.length + 1) + H * names.behaviours.length;
  if (bytes.length !== 2 * size || taken >= K) {
    throw new SyntaxError(
      `Cannot decode a preference: it has ${bytes.length / 2} values and place ${taken}, ` +
        `not ${size} values and a place below ${K}`,
    );
  }
  return { H, K, taken, names, values };
}
