/** A user's statistics within the user's record. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Dictionary } from "../codec/dictionary.ts";
import { AVERAGE_STEPS, SUM_STEPS, type UserStatistics } from "../features/kept_statistics.ts";
import { KEY_NUMBERS } from "../features/user_keys.ts";

/** Parts that a record may have; parts without counts are left out. */
const PART = { outcomes: 1, values: 2, popularity: 4, keys: 8 } as const;

/** Writes the parts that have counts. */
export function writeStatistics(to: ByteWriter, of: UserStatistics, strings: Dictionary): void {
  const { popularity } = of;
  let buckets = 0;
  for (let b = 0; 2 * b < popularity.length; b++) if (popularity[2 * b]! > 0) buckets |= 1 << b;
  to.u8(
    (of.outcomes > 0 ? PART.outcomes : 0) | (of.values > 0 ? PART.values : 0) |
      (buckets > 0 ? PART.popularity : 0) | (of.keys.size > 0 ? PART.keys : 0),
  );
  if (of.outcomes > 0) to.uint(of.outcomes).uint(of.positives).f64(of.recent);
  if (of.values > 0) to.uint(of.values).f64(of.valueSum).f64(of.valueResidual).f64(of.valueRecent);
  if (buckets > 0) {
    to.uint(buckets);
    for (let b = 0; 2 * b < popularity.length; b++) {
      if (buckets & 1 << b) to.uint(popularity[2 * b]!).int(popularity[2 * b + 1]! * SUM_STEPS);
    }
  }
  if (of.keys.size === 0) return;
  to.uint(of.keys.size);
  const { numbers } = of.keys;
  of.keys.forEach((key, at) => {
    const kind = kindOf(key);
    const values = numbers[at + KEY_NUMBERS.values]!;
    to.uint(strings.index(kind)).string(key, kind.length + 1);
    to.uint(2 * numbers[at + KEY_NUMBERS.outcomes]! + (values > 0 ? 1 : 0));
    to.int(numbers[at + KEY_NUMBERS.residual]! * SUM_STEPS).int(
      numbers[at + KEY_NUMBERS.recent]! * AVERAGE_STEPS,
    );
    if (values > 0) to.uint(values).f32(numbers[at + KEY_NUMBERS.valueResidual]!);
  });
}

/** A cache of the kinds of keys: the categories, and one for each cross of a schema. */
const kinds: string[] = [];
const MAX_KINDS = 16;

/** The part of a key before its NUL. */
function kindOf(key: string): string {
  const end = key.indexOf("\0");
  for (let n = 0; n < kinds.length; n++) {
    if (kinds[n]!.length === end && key.startsWith(kinds[n]!)) return kinds[n]!;
  }
  const kind = key.slice(0, end);
  if (kinds.length < MAX_KINDS) kinds.push(kind);
  return kind;
}

/** Reads what {@linkcode writeStatistics} wrote into new statistics. @param strings the dictionary of the record */
export function readStatistics(
  from: ByteReader,
  into: UserStatistics,
  strings: (at: number) => string,
): void {
  const parts = from.u8();
  if (parts & PART.outcomes) {
    into.outcomes = from.uint();
    into.positives = from.uint();
    into.recent = from.f64();
  }
  if (parts & PART.values) {
    into.values = from.uint();
    into.valueSum = from.f64();
    into.valueResidual = from.f64();
    into.valueRecent = from.f64();
  }
  if (parts & PART.popularity) {
    const buckets = from.uint();
    for (let b = 0; 2 * b < into.popularity.length; b++) {
      if (buckets & 1 << b) into.addPopularity(2 * b, from.uint(), from.int() / SUM_STEPS);
    }
  }
  for (let n = parts & PART.keys ? from.count() : 0; n > 0; n--) readKey(from, into, strings);
}

function readKey(from: ByteReader, into: UserStatistics, strings: (at: number) => string): void {
  const key = `${strings(from.uint())}\0${from.string()}`;
  const counts = from.uint();
  const [residual, recent] = [from.int() / SUM_STEPS, from.int() / AVERAGE_STEPS];
  const values = counts % 2 === 1 ? from.uint() : 0;
  const valueResidual = values > 0 ? from.f32() : 0;
  putKey(into, key, { outcomes: Math.floor(counts / 2), residual, recent, values, valueResidual });
}

/** Sets the numbers of a key, which becomes the newest one. */
function putKey(
  into: UserStatistics,
  key: string,
  of: Readonly<Record<keyof typeof KEY_NUMBERS, number>>,
): void {
  const at = into.touchKey(key);
  const { numbers } = into.keys;
  numbers[at + KEY_NUMBERS.outcomes] = of.outcomes;
  numbers[at + KEY_NUMBERS.residual] = of.residual;
  numbers[at + KEY_NUMBERS.recent] = of.recent;
  numbers[at + KEY_NUMBERS.values] = of.values;
  numbers[at + KEY_NUMBERS.valueResidual] = of.valueResidual;
}
