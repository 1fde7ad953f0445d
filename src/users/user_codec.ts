/**
 * The binary record of a user on the `state` topic. Same state, same bytes.
 *
 * ```text
 * record = format u8, last offset, ids of items, strings, lists of strings, states (the anchor, then others that
 *          pending impressions have), body
 * body   = behaviours, statistics, profile, recent ids, hidden state, parked interactions, pending impressions, what was
 *          shown, states of variants' models
 * ```
 *
 * What is mostly absent is absent: a user without a shown list has no statistics, no impressions, no lists.
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import { Dictionary, readDictionary } from "../codec/dictionary.ts";
import { readIds, writeIds } from "../codec/ids.ts";
import { ListDictionary } from "../codec/list_dictionary.ts";
import type { Attributes, InteractionEvent } from "../events/event.ts";
import type { Catalogue } from "../items/catalogue.ts";
import type { Behaviours } from "./pending/impression_context.ts";
import { readPending, WITHOUT_OTHERS, writePending } from "./pending/pending_codec.ts";
import type { Behaviour, SequenceSlab } from "./states/sequence.ts";
import { StoredState } from "./states/stored_state.ts";
import { createUser, idHash, putPending, type RecurrentState, type UserState } from "./user_state.ts";
import { readOldStatistics, readStatistics, writeStatistics } from "./user_statistics_codec.ts";

/**
 * Format 1 knows no exposures, rewards and teams, format 2 no anchors; up to format 3, items are among the strings,
 * recent ids are whole, and statistics and strengths are written out; format 4 knows no models of impressions, format 5
 * not which behaviours samples have, format 6 not what was shown, format 7 no states of variants' models; up to format
 * 8, ids of items are strings, actions are beside their behaviours, sums of statistics in double precision and anchors
 * in single, with a state after the newest behaviours beside them; format 9 has no behaviours of impressions that models
 * do not read any more; up to format 10, impressions have their history written out, and rows all that there can be.
 */
const FORMAT = 11;
const OLDEST_FORMAT = 1;
/** Values of half a byte. */
const HALF_BYTE = 16;

/** Writes and reads the users of one task. Keeps its buffers from one record to the next. */
export class UserCodec {
  readonly #sequences: SequenceSlab;
  readonly #catalogue: Catalogue;
  readonly #record = new ByteWriter(4096);
  readonly #body = new ByteWriter(4096);
  readonly #strings = new Dictionary();
  readonly #lists = new ListDictionary();
  /** By index in the catalogue: in which record it was seen last, and its number there. */
  #seenIn = new Uint32Array(64);
  #numbers = new Uint32Array(64);
  #records = 0;
  /** The items of the record in hand, by number. */
  #items: number[] = [];

  /** @param sequences where the behaviours are, and go to */
  constructor(sequences: SequenceSlab, catalogue: Catalogue) {
    this.#sequences = sequences;
    this.#catalogue = catalogue;
  }

  /** Forgets words of users, which are kept in mind from one record to the next. */
  forget(): void {
    this.#strings.forget();
    this.#lists.forget();
  }

  /** The record of a user. */
  encode(user: UserState): Uint8Array {
    const record = this.#record;
    const body = this.#body;
    record.reset();
    body.reset();
    this.#beginItems();
    const strings = this.#strings;
    const lists = this.#lists;
    strings.reset();
    lists.reset();
    const variants = [...user.variants];
    const states = [user.anchor, ...variants.map(([, { anchor }]) => anchor)];
    const numberOf = (index: number) => this.#numberOf(index);

    this.#writeBehaviours(body, user.row, strings);
    writeStatistics(body, user.statistics, strings);
    const profile = JSON.stringify(user.profile);
    body.string(profile === "{}" ? "" : profile);
    body.uint(user.recentIds.length);
    for (const hash of user.recentIds) body.u48(hash);
    body.uint(user.hidden.length).f32s(user.hidden).uint(user.hiddenVersion).uint(user.hiddenStart)
      .uint(user.sampledBehaviours);
    body.uint(user.parked.length);
    for (const { sequence, event } of user.parked) body.uint(sequence).string(JSON.stringify(event));
    body.uint(user.pending.size);
    const behaviours = this.#behaviours(user.row);
    for (const pending of user.pending.values()) {
      writePending(body, pending, { numberOf, strings, lists, behaviours, states });
    }
    body.uint(user.shown.length);
    let before = 0;
    for (const { item, time } of user.shown) {
      body.uint(numberOf(item)).int(time - before);
      before = time;
    }

    body.uint(variants.length);
    for (const [at, [model, { hidden, hiddenVersion, hiddenStart }]] of variants.entries()) {
      body.uint(strings.index(model)).uint(hidden.length).f32s(hidden).uint(hiddenVersion).uint(hiddenStart)
        .uint(1 + at);
    }
    record.u8(FORMAT).int(user.lastOffset);
    writeIds(record, this.#items.map((index) => this.#catalogue.at(index).id));
    strings.encode(record);
    lists.encode(record);
    record.uint(states.length);
    for (const state of states) writeState(record, state);
    return record.bytes(body.view()).toBytes();
  }

  /**
   * Reads a record of {@linkcode UserCodec.encode}, of this or an older format, into a new row.
   *
   * @throws SyntaxError when the bytes are not such a record.
   */
  decode(id: string, bytes: Uint8Array): UserState {
    const record = new ByteReader(bytes);
    const format = record.u8();
    if (format < OLDEST_FORMAT || format > FORMAT) {
      throw new SyntaxError(
        `Cannot decode the state of user ${id}: format is ${format}, this reads ${OLDEST_FORMAT} to ${FORMAT}`,
      );
    }
    const lastOffset = record.int();
    const ids = format < 4 ? null : format < 9 ? readDictionary(record) : readIds(record);
    const strings = readDictionary(record);
    const lists = readDictionary(record, (list) => JSON.parse(list) as readonly (string | null)[]);
    const states = format < 3
      ? null
      : Array.from({ length: record.count() }, () => readState(record, format));
    const body = new ByteReader(record.bytes());

    const { behaviours, total } = readBehaviours(body, format, ids ?? strings, strings, this.#catalogue);
    const time = behaviours.at(-1)?.time ?? 0;
    const itemAt = (at: number) => this.#catalogue.intern((ids ?? strings)(at), time).index;
    const user = createUser(id, this.#sequences);
    user.anchor = states?.[0] ?? null;
    user.lastOffset = lastOffset;
    this.#sequences.restore(user.row, behaviours, total);
    if (format < 4) readOldStatistics(body, user.statistics);
    else readStatistics(body, user.statistics, format < 9 ? null : strings);
    const profile = body.string();
    if (profile !== "") user.profile = JSON.parse(profile) as Attributes;
    for (let n = body.count(); n > 0; n--) {
      user.recentIds.push(readRecentId(body, format));
    }
    user.hidden = body.f32s(body.uint());
    user.hiddenVersion = body.uint();
    user.hiddenStart = body.uint();
    if (format > 5) user.sampledBehaviours = body.uint();
    for (let n = body.count(); n > 0; n--) {
      const parked = { sequence: body.uint(), event: JSON.parse(body.string()) as InteractionEvent };
      user.parked = [...user.parked, parked];
    }
    // Those of the record: the row keeps fewer of them when the capacity has been made smaller since.
    const own = behavioursOf(behaviours, this.#catalogue);
    for (let n = body.count(); n > 0; n--) {
      putPending(user, readPending(body, { format, itemAt, strings, lists, behaviours: own, states }));
    }
    if (format > 6) readShown(user, body, itemAt);
    if (format > WITHOUT_OTHERS) user.variants = readVariants(user.row, body, strings, states ?? []);
    if (!body.done || !record.done) {
      throw new SyntaxError(`Cannot decode the state of user ${id}: the record goes on behind its end`);
    }
    return user;
  }

  /** The behaviours of a row. */
  #behaviours(row: number): Behaviours {
    const sequences = this.#sequences, catalogue = this.#catalogue;
    return {
      length: sequences.length(row),
      item: (at) => catalogue.at(sequences.item(row, at)).id,
      action: (at) => sequences.action(row, at),
      time: (at) => sequences.time(row, at),
      strength: (at) => sequences.strength(row, at),
    };
  }

  /** Behaviours, with the few pairs of action and strength that there are written once. */
  #writeBehaviours(to: ByteWriter, row: number, strings: Dictionary): void {
    const sequences = this.#sequences;
    const length = sequences.length(row);
    to.uint(sequences.total(row)).uint(length);
    const pairs: Pair[] = [];
    const places: number[] = [];
    for (let i = 0; i < length; i++) {
      const action = sequences.action(row, i);
      const strength = sequences.strength(row, i);
      let pair = 0;
      while (pair < pairs.length && !isPair(pairs[pair]!, action, strength)) pair++;
      if (pair === pairs.length) pairs.push({ action, strength });
      places.push(pair);
    }
    to.uint(pairs.length);
    for (const { action, strength } of pairs) to.uint(strings.index(action)).f32(strength);
    let time = 0;
    for (let i = 0; i < length; i++) {
      const next = sequences.time(row, i);
      to.uint(this.#numberOf(sequences.item(row, i))).uint(next - time);
      time = next;
    }
    writePlaces(to, places, pairs.length);
  }

  #beginItems(): void {
    this.#items = [];
    this.#records++;
    const size = this.#catalogue.size;
    if (this.#seenIn.length >= size && this.#records < 2 ** 32) return;
    this.#seenIn = new Uint32Array(Math.max(64, 2 * size));
    this.#numbers = new Uint32Array(this.#seenIn.length);
    this.#records = 1;
  }

  #numberOf(index: number): number {
    if (this.#seenIn[index] === this.#records) return this.#numbers[index]!;
    this.#seenIn[index] = this.#records;
    this.#numbers[index] = this.#items.length;
    return this.#items.push(index) - 1;
  }
}

interface Pair {
  readonly action: string;
  readonly strength: number;
}

function isPair(pair: Pair, action: string, strength: number): boolean {
  return pair.action === action && Object.is(pair.strength, strength);
}

function writeState(to: ByteWriter, state: StoredState | null): void {
  const stretches = state?.stretches ?? [];
  to.uint(stretches.length);
  for (const length of stretches) to.uint(length);
  if (state !== null) to.bytes(state.bytes);
}

function readState(from: ByteReader, format: number): StoredState | null {
  if (format < 9) {
    const state = from.f32s(from.uint());
    return state.length === 0 ? null : StoredState.of(state, [0, state.length]);
  }
  const stretches = Array.from({ length: from.count() }, () => from.uint());
  return stretches.length === 0 ? null : StoredState.from(from.bytes(), stretches);
}

/** Which pair each behaviour has: nothing when there is one, half a byte when there are few. */
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

/** Up to format 3 ids are whole, up to format 8 their hashes have 53 bits. */
function readRecentId(from: ByteReader, format: number): number {
  return format < 4 ? idHash(from.string()) : format < 9 ? Math.floor(from.f64() / 2 ** 5) : from.u48();
}

function readShown(user: UserState, from: ByteReader, itemAt: (at: number) => number): void {
  let time = 0;
  const count = from.count();
  if (count === 0) return;
  user.shown = Array.from({ length: count }, () => {
    const item = itemAt(from.uint());
    time += from.int();
    return { item, time };
  });
}

function readVariants(
  row: number,
  from: ByteReader,
  strings: (at: number) => string,
  states: readonly (StoredState | null)[],
): ReadonlyMap<string, RecurrentState> {
  const variants = new Map<string, RecurrentState>();
  for (let n = from.count(); n > 0; n--) {
    const model = strings(from.uint());
    const hidden = from.f32s(from.uint());
    const [hiddenVersion, hiddenStart, anchor] = [from.uint(), from.uint(), states[from.uint()]];
    if (anchor === undefined) throw new SyntaxError(`Cannot decode the state of ${model}: it has no anchor`);
    variants.set(model, { row, hidden, anchor, hiddenVersion, hiddenStart });
  }
  return variants;
}

function behavioursOf(behaviours: readonly Behaviour[], catalogue: Catalogue): Behaviours {
  return {
    length: behaviours.length,
    item: (at) => catalogue.at(behaviours[at]!.item).id,
    action: (at) => behaviours[at]!.action,
    time: (at) => behaviours[at]!.time,
    strength: (at) => behaviours[at]!.strength,
  };
}

function readBehaviours(
  from: ByteReader,
  format: number,
  ids: (at: number) => string,
  strings: (at: number) => string,
  catalogue: Catalogue,
): { readonly behaviours: readonly Behaviour[]; readonly total: number } {
  const total = from.uint();
  const length = from.count();
  const pairs: { readonly action: string; readonly strength: number }[] = [];
  let places: number[] = [];
  for (let n = format < 4 ? 0 : from.count(); n > 0; n--) {
    pairs.push({ action: strings(from.uint()), strength: from.f32() });
  }
  const items: number[] = [], times: number[] = [];
  let time = 0;
  for (let i = 0; i < length; i++) {
    const at = from.uint();
    time += format < 9 ? from.int() : from.uint();
    items.push(catalogue.intern(ids(at), time).index);
    times.push(time);
    if (format < 4) pairs.push({ action: strings(from.uint()), strength: from.f32() });
    else if (format < 9) places.push(from.uint());
  }
  if (format > 8) places = readPlaces(from, length, pairs.length);
  const behaviours = items.map((item, i) => {
    const pair = pairs[format < 4 ? i : places[i]!];
    if (pair === undefined) throw new SyntaxError("Cannot decode a behaviour: it has no action");
    return { item, time: times[i]!, action: pair.action, strength: pair.strength };
  });
  return { behaviours, total };
}
