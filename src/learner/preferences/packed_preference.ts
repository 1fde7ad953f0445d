/**
 * A past preference packed into one byte per value: in the same memory, more preferences are worth more than exact
 * values.
 *
 * ```text
 *   value = lo + byte/255 · (hi − lo)        lo, hi the least and largest value of its column, in half precision
 * ```
 *
 * A column is one named value of all pairs, behaviours or candidates. A column of equal values takes no bytes; many
 * columns are constant on a given stream. A list of 16 candidates takes some 1.6 KB instead of 3.6.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { PairList, PairNames } from "../../nn/models/pair_head/pair_list.ts";
import type { Preference } from "../../samples/preference.ts";

export interface PackedPreference extends Pick<Preference, "H" | "K" | "taken"> {
  /** The lo and hi of each column. */
  readonly ranges: Float16Array;
  /** Bytes of the columns that have different values, one column after the other. */
  readonly bytes: Uint8Array;
}

/** Memory that the values take, bytes. */
export function sizeOf({ ranges, bytes }: PackedPreference): number {
  return ranges.byteLength + bytes.length;
}

export function packed({ H, K, taken, names, values }: Preference): PackedPreference {
  const all = columnsIn(names, H, K);
  const ranges = new Float16Array(2 * all.length), bytes = new Uint8Array(values.length);
  let size = 0;
  for (let column = 0; column < all.length; column++) {
    const { from, rows, columns } = all[column]!;
    let lo = rows === 0 ? 0 : Infinity, hi = rows === 0 ? 0 : -Infinity;
    for (let row = 0, at = from; row < rows; row++, at += columns) {
      lo = Math.min(lo, values[at]!);
      hi = Math.max(hi, values[at]!);
    }
    ranges[2 * column] = lo;
    ranges[2 * column + 1] = hi;
    if (!(hi > lo)) continue;
    for (let row = 0, at = from; row < rows; row++, at += columns) {
      bytes[size++] = Math.round((values[at]! - lo) / (hi - lo) * 255);
    }
  }
  return { H, K, taken, ranges, bytes: bytes.slice(0, size) };
}

/** A list of candidates of which one was taken. */
export interface TakenList {
  readonly list: PairList;
  /** Place of that one. */
  readonly taken: number;
}

/** The list of a preference; its values stay rounded. */
export function unpacked(
  { H, K, taken, ranges, bytes }: PackedPreference,
  names: PairNames,
): TakenList {
  const [P, A, B] = [K * H * names.pairs.length, H * names.behaviours.length, K * names.candidates.length];
  const values = new Float32Array(P + A + B + K);
  const all = columnsIn(names, H, K);
  let next = 0;
  for (let column = 0; column < all.length; column++) {
    const { from, rows, columns } = all[column]!;
    const lo = ranges[2 * column]!, step = (ranges[2 * column + 1]! - lo) / 255;
    if (step > 0) {
      for (let row = 0, at = from; row < rows; row++, at += columns) values[at] = lo + step * bytes[next++]!;
    } else if (lo !== 0) {
      for (let row = 0, at = from; row < rows; row++, at += columns) values[at] = lo;
    }
  }
  const list = {
    H,
    K,
    pairs: values.subarray(0, P),
    behaviours: values.subarray(P, P + A),
    candidates: values.subarray(P + A, P + A + B),
    scores: values.subarray(P + A + B),
  };
  return { list, taken };
}

export function encodePacked(to: ByteWriter, { H, K, taken, ranges, bytes }: PackedPreference): void {
  to.uint(H).uint(K).uint(taken).bytes(new Uint8Array(ranges.buffer)).bytes(bytes);
}

/** Reads what {@linkcode encodePacked} wrote. @throws SyntaxError when it does not fit these names */
export function decodePacked(from: ByteReader, names: PairNames): PackedPreference {
  const [H, K, taken, range, bytes] = [from.uint(), from.uint(), from.uint(), from.bytes(), from.bytes()];
  const ranges = new Float16Array(range.slice(0, range.length & -2).buffer);
  const columns = columnsIn(names, H, K);
  const wanted = columns.reduce(
    (sum, { rows }, c) => ranges[2 * c + 1]! > ranges[2 * c]! ? sum + rows : sum,
    0,
  );
  if (range.length !== 4 * columns.length || bytes.length !== wanted || taken >= K) {
    throw new SyntaxError(
      `Cannot decode a packed preference: its lengths are ${range.length} and ${bytes.length} and its place is ` +
        `${taken}, not ${4 * columns.length} and ${wanted} and a place below ${K}`,
    );
  }
  return { H, K, taken, ranges, bytes: bytes.slice() };
}

/** Places of the columns in the values: pairs [K·H, V], behaviours [H, A], candidates [K, B], scores [K, 1]. */
function columnsIn({ pairs, behaviours, candidates }: PairNames, H: number, K: number) {
  const all: { readonly from: number; readonly rows: number; readonly columns: number }[] = [];
  let begin = 0;
  const add = (rows: number, columns: number) => {
    for (let column = 0; column < columns; column++) all.push({ from: begin + column, rows, columns });
    begin += rows * columns;
  };
  add(K * H, pairs.length);
  add(H, behaviours.length);
  add(K, candidates.length);
  add(K, 1);
  return all;
}
