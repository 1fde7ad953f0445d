/**
 * Behaviours in a user's record: their few distinct pairs of action and strength, then item and time of each, then which
 * pair it has.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Dictionary } from "../../codec/dictionary.ts";
import { times } from "../../values/times.ts";
import type { Behaviour } from "./behaviour_slab.ts";
import type { BehaviourColumns } from "./sequence.ts";

/** Number of values of half a byte. */
const HALF_BYTE = 16;

type Pair = Pick<Behaviour, "action" | "strength">;

function isPair(pair: Pair, action: string, strength: number): boolean {
  return pair.action === action && Object.is(pair.strength, strength);
}

/** Writes behaviours. @param numberOf the number of an item in the record */
export function writeBehaviours(
  to: ByteWriter,
  { length, items, actions, times, strengths }: BehaviourColumns,
  numberOf: (index: number) => number,
  texts: Dictionary,
): void {
  to.uint(length);
  const pairs: Pair[] = [];
  const places: number[] = [];
  for (let i = 0; i < length; i++) {
    const action = actions[i]!, strength = strengths[i]!;
    let pair = 0;
    while (pair < pairs.length && !isPair(pairs[pair]!, action, strength)) pair++;
    if (pair === pairs.length) pairs.push({ action, strength });
    places.push(pair);
  }
  to.uint(pairs.length);
  for (const { action, strength } of pairs) to.uint(texts.index(action)).f32(strength);
  let time = 0;
  for (let i = 0; i < length; i++) {
    to.uint(numberOf(items[i]!)).uint(times[i]! - time);
    time = times[i]!;
  }
  writePlaces(to, places, pairs.length);
}

/** Reads what {@linkcode writeBehaviours} wrote. @param itemAt the item with a number, met at a time */
export function readBehaviours(
  from: ByteReader,
  itemAt: (at: number, time: number) => number,
  texts: (at: number) => string,
): readonly Behaviour[] {
  const length = from.count();
  const pairs = times(from.count(), (): Pair => ({ action: texts(from.uint()), strength: from.f32() }));
  let time = 0;
  const itemsAndTimes = times(length, () => {
    const at = from.uint();
    time += from.uint();
    return { item: itemAt(at, time), time };
  });
  const places = readPlaces(from, length, pairs.length);
  return itemsAndTimes.map((each, i) => {
    const pair = pairs[places[i]!];
    if (pair === undefined) throw new SyntaxError("Cannot decode a behaviour: it has no action");
    return { ...each, ...pair };
  });
}

/** Writes which pair each behaviour has: nothing for a single pair, half a byte each for up to 16. */
function writePlaces(to: ByteWriter, places: readonly number[], pairs: number): void {
  if (pairs < 2) return;
  if (pairs > HALF_BYTE) { for (const place of places) to.uint(place); }
  else for (let i = 0; i < places.length; i += 2) to.u8(places[i]! + HALF_BYTE * (places[i + 1] ?? 0));
}

function readPlaces(from: ByteReader, length: number, pairs: number): number[] {
  if (pairs < 2) return new Array(length).fill(0);
  const places: number[] = [];
  if (pairs > HALF_BYTE) { while (places.length < length) places.push(from.uint()); }
  while (places.length < length) {
    const two = from.u8();
    places.push(two % HALF_BYTE, Math.floor(two / HALF_BYTE));
  }
  return places;
}
