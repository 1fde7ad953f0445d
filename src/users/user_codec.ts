/**
 * The binary record of a user on the `state` topic. Same state, same bytes.
 *
 * ```text
 * record = format u8, last offset, ids of items, strings, lists of strings, states (the anchor, then others that
 *          pending impressions have), body
 * body   = behaviours, statistics, profile, recent ids, hidden state, parked interactions, pending impressions, shown
 *          items, states of variants' models; in format 12, former items; in format 13, former items if any, and the
 *          list that was written last; in format 14, each of these if any, and aliases; format 15 is the same as 14,
 *          with phases in pending impressions; in format 16, sessions as well
 * ```
 *
 * Empty parts take a byte each, or none: a user who was shown nothing has no statistics, impressions or lists.
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import { Dictionary, readDictionary } from "../codec/dictionary.ts";
import { readIds, writeIds } from "../codec/ids.ts";
import { ListDictionary } from "../codec/list_dictionary.ts";
import type { Attributes, InteractionEvent } from "../events/event.ts";
import type { Catalogue } from "../items/catalogue.ts";
import type { Behaviours, Read, Written } from "./pending/impression_context.ts";
import type { Pending } from "./pending/pending.ts";
import { hasPhase, readPending, writePending } from "./pending/pending_codec.ts";
import type { Alias } from "./states/aliases.ts";
import { FormerItems } from "./states/former_items.ts";
import { readBehaviours, writeBehaviours } from "./states/behaviours_codec.ts";
import { BehaviourColumns, type SequenceSlab } from "./states/sequence.ts";
import type { Session } from "./states/sessions.ts";
import { StoredState } from "./states/stored_state.ts";
import {
  createRecurrent,
  createUser,
  type ListedState,
  putPending,
  type RecurrentState,
  type ShownItem,
  type UserState,
} from "./user_state.ts";
import { readStatistics, writeStatistics } from "./user_statistics_codec.ts";
import { times } from "../values/times.ts";
import type { Behaviour } from "./states/behaviour_slab.ts";

/** Formats before this one were never deployed. */
const FORMAT = 11;
const WITH_FORMER = 12;
/** The format of users whose lists are written. */
const WITH_LISTED = 13;
/** @internal The format of users with aliases. */
export const WITH_ALIASES = 14;
/** The format of users with lists of experiments that were restarted. */
const WITH_PHASES = 15;
/** The format of users who were sessions until recently. */
const WITH_SESSIONS = 16;
export const USER_FORMATS: Formats = { oldest: FORMAT, newest: WITH_SESSIONS };

/** Writes and reads the users of one task. Keeps its buffers from one record to the next. */
export class UserCodec {
  readonly #sequences: SequenceSlab;
  readonly #catalogue: Catalogue;
  readonly #record = new ByteWriter(4096);
  readonly #body = new ByteWriter(4096);
  readonly #strings = new Dictionary();
  readonly #lists = new ListDictionary();
  readonly #behaviours: BehaviourColumns;
  /** By index in the catalogue: the last record that contains the item, and its number there. */
  #seenIn = new Uint32Array(64);
  #numbers = new Uint32Array(64);
  #records = 0;
  /** The items of the record that is being written, by number. */
  #items: number[] = [];

  /** @param sequences holds the behaviours of all users */
  constructor(sequences: SequenceSlab, catalogue: Catalogue) {
    this.#sequences = sequences;
    this.#catalogue = catalogue;
    this.#behaviours = new BehaviourColumns(sequences.capacity);
  }

  /** Drops the strings that are cached from one record to the next: some may belong to an erased user. */
  forget(): void {
    this.#strings.forget();
    this.#lists.forget();
  }

  encode(user: UserState): Uint8Array {
    const record = this.#record;
    const body = this.#body;
    record.reset();
    body.reset();
    this.#beginItems();
    this.#strings.reset();
    this.#lists.reset();
    this.#sequences.read(user.row, this.#behaviours);
    const variants = [...user.variants];
    const states = [user.anchor, ...variants.map(([, { anchor }]) => anchor)];
    const pending = [...user.pending.values()];
    const format = formatOf(user);

    body.uint(this.#sequences.total(user.row));
    writeBehaviours(body, this.#behaviours, (index) => this.#numberOf(index), this.#strings);
    writeStatistics(body, user.statistics, this.#strings);
    writeProfile(body, user.profile);
    body.uint(user.recentIds.length);
    for (const hash of user.recentIds) body.u48(hash);
    writeRecurrent(body, user);
    body.uint(0).uint(user.parked.length); // 0: a former count
    for (const { sequence, event } of user.parked) body.uint(sequence).string(JSON.stringify(event));
    this.#writePending(body, pending, states);
    this.#writeShown(body, user.shown);
    body.uint(variants.length);
    for (const [at, [model, state]] of variants.entries()) {
      body.uint(this.#strings.index(model));
      writeRecurrent(body, state);
      body.uint(1 + at); // its anchor among the states
    }
    writeLaterParts(body, user, format);

    record.u8(format).int(user.lastOffset);
    writeIds(record, this.#items.map((index) => this.#catalogue.idOf(index)));
    this.#strings.encode(record);
    this.#lists.encode(record);
    record.uint(states.length);
    for (const state of states) writeState(record, state);
    return record.bytes(body.view()).toBytes();
  }

  /**
   * Reads a record of {@linkcode UserCodec.encode} into a new row.
   *
   * @throws SyntaxError when the bytes are not such a record.
   */
  decode(id: string, bytes: Uint8Array): UserState {
    const record = new ByteReader(bytes);
    const format = record.u8();
    if (format < FORMAT || format > WITH_SESSIONS) {
      throw new SyntaxError(
        `Cannot decode the state of user ${id}: format is ${format}, this release reads ${FORMAT} to ${WITH_SESSIONS}`,
      );
    }
    const lastOffset = record.int();
    const ids = readIds(record);
    const strings = readDictionary(record);
    const lists = readDictionary(record, (list): readonly (string | null)[] => JSON.parse(list));
    const states = times(record.count(), () => readState(record));
    const body = new ByteReader(record.bytes());

    const total = body.uint();
    const behaviours = readBehaviours(
      body,
      (at, time) => this.#catalogue.intern(ids(at), time).index,
      strings,
    );
    const time = behaviours.at(-1)?.time ?? 0;
    const itemAt = (at: number) => this.#catalogue.intern(ids(at), time);
    const user = createUser(id, this.#sequences);
    user.anchor = states[0] ?? null;
    user.lastOffset = lastOffset;
    this.#sequences.restore(user.row, behaviours, total);
    readStatistics(body, user.statistics, strings);
    readProfile(user, body);
    for (let n = body.count(); n > 0; n--) user.recentIds.push(body.u48());
    readRecurrent(user, body);
    body.uint(); // a former count
    for (let n = body.count(); n > 0; n--) {
      const parked = { sequence: body.uint(), event: body.json<InteractionEvent>() };
      user.parked = [...user.parked, parked];
    }
    readAllPending(user, body, {
      itemAt: (at, ...lists) => itemAt(at).featuresWith(...lists),
      strings,
      lists,
      // The record may have more behaviours than the row, if the capacity was reduced since it was written.
      behaviours: () => behavioursOf(behaviours, this.#catalogue),
      states,
    });
    readShown(user, body, (at) => itemAt(at).index);
    user.variants = readVariants(user.row, body, strings, states);
    readLaterParts(user, body, format);
    if (!body.done || !record.done) {
      throw new SyntaxError(`Cannot decode the state of user ${id}: there are bytes after its end`);
    }
    return user;
  }

  #writePending(to: ByteWriter, pending: readonly Pending[], states: (StoredState | null)[]): void {
    to.uint(pending.length);
    if (pending.length === 0) return;
    const { length, items, actions, times, strengths } = this.#behaviours;
    const ids: string[] = [];
    for (let i = 0; i < length; i++) ids.push(this.#catalogue.idOf(items[i]!));
    const written: Written = {
      numberOf: (index) => this.#numberOf(index),
      strings: this.#strings,
      lists: this.#lists,
      behaviours: { length, items: ids, actions, times, strengths },
      states,
      last: null,
    };
    for (const list of pending) writePending(to, list, written);
  }

  #writeShown(to: ByteWriter, shown: readonly ShownItem[]): void {
    to.uint(shown.length);
    let before = 0;
    for (const { item, time } of shown) {
      to.uint(this.#numberOf(item)).int(time - before);
      before = time;
    }
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

function writeState(to: ByteWriter, state: StoredState | null): void {
  const stretches = state?.stretches ?? [];
  to.uint(stretches.length);
  for (const length of stretches) to.uint(length);
  if (state !== null) to.bytes(state.bytes);
}

function readState(from: ByteReader): StoredState | null {
  const stretches = times(from.count(), () => from.uint());
  return stretches.length === 0 ? null : StoredState.from(from.bytes(), stretches);
}

/** The oldest format that can hold a user. */
function formatOf({ pending, aliases, sessions, listed, former }: UserState): number {
  if (sessions.length > 0) return WITH_SESSIONS;
  for (const list of pending.values()) if (hasPhase(list)) return WITH_PHASES;
  if (aliases.length > 0) return WITH_ALIASES;
  if (listed !== null) return WITH_LISTED;
  return former === null ? FORMAT : WITH_FORMER;
}

/** Writes the parts that not all formats have. */
function writeLaterParts(to: ByteWriter, user: UserState, format: number): void {
  const { former, listed, aliases, sessions } = user;
  if (format >= WITH_LISTED) to.u8(former === null ? 0 : 1);
  former?.encode(to);
  if (format >= WITH_ALIASES) to.u8(listed === null ? 0 : 1);
  if (listed !== null) writeListed(to, listed);
  if (format >= WITH_ALIASES) writeAliases(to, aliases);
  if (format >= WITH_SESSIONS) writeSessions(to, sessions);
}

function readLaterParts(user: UserState, from: ByteReader, format: number): void {
  const hasFormer = format >= WITH_LISTED ? from.u8() === 1 : format === WITH_FORMER;
  if (hasFormer) user.former = FormerItems.decode(from);
  const hasListed = format >= WITH_ALIASES ? from.u8() === 1 : format === WITH_LISTED;
  if (hasListed) user.listed = readListed(from);
  if (format >= WITH_ALIASES) user.aliases = readAliases(from);
  if (format >= WITH_SESSIONS) user.sessions = readSessions(from);
}

function writeProfile(to: ByteWriter, profile: Attributes): void {
  const json = JSON.stringify(profile);
  to.string(json === "{}" ? "" : json);
}

function readProfile(user: UserState, from: ByteReader): void {
  const json = from.string();
  if (json !== "") user.profile = JSON.parse(json);
}

/** Writes a recurrent state without its anchor. */
function writeRecurrent(to: ByteWriter, { hidden, hiddenVersion, hiddenStart }: RecurrentState): void {
  to.uint(hidden.length).f32s(hidden).uint(hiddenVersion).uint(hiddenStart);
}

function readRecurrent(into: RecurrentState, from: ByteReader): void {
  into.hidden = from.f32s(from.uint());
  into.hiddenVersion = from.uint();
  into.hiddenStart = from.uint();
}

/** Reads the pending impressions. @param read makes the behaviours that they refer to only if there are any */
function readAllPending(
  user: UserState,
  from: ByteReader,
  { behaviours, ...read }: Omit<Read, "behaviours" | "last"> & { readonly behaviours: () => Behaviours },
): void {
  const count = from.count();
  if (count === 0) return;
  const context = { ...read, behaviours: behaviours(), last: null };
  for (let n = count; n > 0; n--) putPending(user, readPending(from, context));
}

function writeListed(to: ByteWriter, { time, hash, due }: ListedState): void {
  to.int(time).u48(hash).uint(due === null ? 0 : 1);
  if (due !== null) to.int(due.time).uint(due.sequence);
}

function readListed(from: ByteReader): ListedState {
  const [time, hash, waits] = [from.int(), from.u48(), from.uint()];
  return { time, hash, due: waits === 0 ? null : { time: from.int(), sequence: from.uint() } };
}

function writeAliases(to: ByteWriter, aliases: readonly Alias[]): void {
  to.uint(aliases.length);
  for (const { of, until } of aliases) to.string(of).int(until);
}

function readAliases(from: ByteReader): readonly Alias[] {
  return times(from.count(), () => ({ of: from.string(), until: from.int() }));
}

function writeSessions(to: ByteWriter, sessions: readonly Session[]): void {
  to.uint(sessions.length);
  for (const { id, login } of sessions) to.string(id).int(login);
}

function readSessions(from: ByteReader): readonly Session[] {
  return times(from.count(), () => ({ id: from.string(), login: from.int() }));
}

function readShown(user: UserState, from: ByteReader, itemAt: (at: number) => number): void {
  let time = 0;
  const count = from.count();
  if (count === 0) return;
  user.shown = times(count, () => {
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
    const variant = createRecurrent(row);
    readRecurrent(variant, from);
    const anchor = states[from.uint()];
    if (anchor === undefined) throw new SyntaxError(`Cannot decode the state of ${model}: it has no anchor`);
    variant.anchor = anchor;
    variants.set(model, variant);
  }
  return variants;
}

function behavioursOf(behaviours: readonly Behaviour[], catalogue: Catalogue): Behaviours {
  return {
    length: behaviours.length,
    items: behaviours.map(({ item }) => catalogue.idOf(item)),
    actions: behaviours.map(({ action }) => action),
    times: new Float64Array(behaviours.map(({ time }) => time)),
    strengths: new Float32Array(behaviours.map(({ strength }) => strength)),
  };
}
