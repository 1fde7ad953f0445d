/**
 * What a task knows of one user, and its binary record on the `state` topic.
 *
 * ```text
 * record = version u8, lastOffset, strings (dictionary), lists (dictionary of lists of strings),
 *          states (the anchor, then others that pending impressions have), sequence, statistics, profile,
 *          recent ids, hidden state, parked interactions, pending impressions
 * ```
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import { Dictionary, readDictionary } from "../codec/dictionary.ts";
import type { Attributes, InteractionEvent } from "../events/event.ts";
import type { Exposure } from "../experiments/experiment.ts";
import { UserStatistics } from "../features/statistics.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Pending, PendingRow } from "./pending.ts";
import type { SequenceSlab } from "./sequence.ts";

/** Format 1 knows no exposures, rewards and teams, format 2 no anchors. */
const FORMAT = 3;
const OLDEST_FORMAT = 1;

/** An interaction that waits for the impression that it names. */
export interface ParkedInteraction {
  /** Running number in the task, which breaks ties of time. */
  readonly sequence: number;
  /** The event. */
  readonly event: InteractionEvent;
}

/** The state of one user. The behaviours are in a {@linkcode SequenceSlab}, at `row`. */
export interface UserState {
  /** Id of the user. */
  readonly id: string;
  /** Row of the behaviours in the slab. */
  readonly row: number;
  /** What was learnt of the user. */
  readonly statistics: UserStatistics;
  /** Attributes of the user. */
  profile: Attributes;
  /** Newest event ids, oldest first, for de-duplication. */
  readonly recentIds: Set<string>;
  /** Impressions whose outcome is open, by request. */
  readonly pending: Map<string, Pending>;
  /** Interactions that came before the impression that they name, oldest first; bounded in number. */
  parked: ParkedInteraction[];
  /** Recurrent state of the model; empty when the model has none or nothing was folded yet. */
  hidden: Float32Array;
  /** State of a lifelong model before the recent behaviours, never written to; empty = the start state. */
  anchor: Float32Array;
  /** Parameter version that made `hidden`. */
  hiddenVersion: number;
  /** Count of all behaviours before the first that `hidden` was folded from: the window's start, or the anchor's end. */
  hiddenStart: number;
  /** Offset of the last applied event; an event at or below it is a no-op. */
  lastOffset: number;
  /** Estimated bytes in memory, as of its last record. */
  bytes: number;
}

/** A user without a past. */
export function createUser(id: string, sequences: SequenceSlab): UserState {
  return {
    id,
    row: sequences.allocate(),
    statistics: new UserStatistics(),
    profile: {},
    recentIds: new Set(),
    pending: new Map(),
    parked: [],
    hidden: new Float32Array(0),
    anchor: new Float32Array(0),
    hiddenVersion: 0,
    hiddenStart: 0,
    lastOffset: -1,
    bytes: 0,
  };
}

/** The binary record of a user. Same state, same bytes. */
export function encodeUser(user: UserState, sequences: SequenceSlab, catalogue: Catalogue): Uint8Array {
  const strings = new Dictionary();
  const lists = new Lists();
  const states = [user.anchor];
  const body = new ByteWriter(1024);
  const itemAt = (index: number) => strings.index(catalogue.at(index).id);

  const length = sequences.length(user.row);
  body.uint(sequences.total(user.row)).uint(length);
  let time = 0;
  for (let i = 0; i < length; i++) {
    body.uint(itemAt(sequences.item(user.row, i)));
    body.int(sequences.time(user.row, i) - time);
    body.uint(strings.index(sequences.action(user.row, i)));
    body.f32(sequences.strength(user.row, i));
    time = sequences.time(user.row, i);
  }
  writeStatistics(body, user.statistics);
  body.string(JSON.stringify(user.profile));
  body.uint(user.recentIds.size);
  for (const id of user.recentIds) body.string(id);
  body.uint(user.hidden.length).f32s(user.hidden).uint(user.hiddenVersion).uint(user.hiddenStart);
  body.uint(user.parked.length);
  for (const { sequence, event } of user.parked) body.uint(sequence).string(JSON.stringify(event));
  body.uint(user.pending.size);
  for (const pending of user.pending.values()) {
    writePending(body, pending, { itemAt, strings, lists, states });
  }

  const record = new ByteWriter(body.length + 256).u8(FORMAT).int(user.lastOffset);
  strings.encode(record);
  lists.encode(record);
  record.uint(states.length);
  for (const state of states) record.uint(state.length).f32s(state);
  return record.bytes(body.toBytes()).toBytes();
}

/**
 * Reads a record of {@linkcode encodeUser} into a new row.
 *
 * @throws SyntaxError when the bytes are not such a record.
 */
export function decodeUser(
  id: string,
  bytes: Uint8Array,
  sequences: SequenceSlab,
  catalogue: Catalogue,
): UserState {
  const record = new ByteReader(bytes);
  const format = record.u8();
  if (format < OLDEST_FORMAT || format > FORMAT) {
    throw new SyntaxError(
      `Cannot decode the state of user ${id}: format is ${format}, this reads ${OLDEST_FORMAT} to ${FORMAT}`,
    );
  }
  const lastOffset = record.int();
  const strings = readDictionary(record);
  const lists = readDictionary(record, (list) => JSON.parse(list) as readonly (string | null)[]);
  const states = format < 3 ? null : Array.from({ length: record.count() }, () => record.f32s(record.uint()));
  const body = new ByteReader(record.bytes());

  const user = createUser(id, sequences);
  user.anchor = states?.[0] ?? user.anchor;
  user.lastOffset = lastOffset;
  const total = body.uint();
  const length = body.count();
  const behaviours = [];
  let time = 0;
  const itemAt = (at: number) => catalogue.intern(strings(at), time).index;
  for (let i = 0; i < length; i++) {
    const at = body.uint();
    time += body.int();
    behaviours.push({ item: itemAt(at), time, action: strings(body.uint()), strength: body.f32() });
  }
  sequences.restore(user.row, behaviours, total);
  readStatistics(body, user.statistics);
  user.profile = JSON.parse(body.string()) as Attributes;
  for (let n = body.count(); n > 0; n--) user.recentIds.add(body.string());
  user.hidden = body.f32s(body.uint());
  user.hiddenVersion = body.uint();
  user.hiddenStart = body.uint();
  for (let n = body.count(); n > 0; n--) {
    user.parked.push({ sequence: body.uint(), event: JSON.parse(body.string()) as InteractionEvent });
  }
  for (let n = body.count(); n > 0; n--) {
    const pending = readPending(body, format, { itemAt, strings, lists, states });
    user.pending.set(pending.request, pending);
  }
  if (!body.done || !record.done) {
    throw new SyntaxError(`Cannot decode the state of user ${id}: the record goes on behind its end`);
  }
  return user;
}

/** Lists of strings by their JSON; one that many rows share is put into words once. */
class Lists {
  readonly #dictionary = new Dictionary();
  readonly #indices = new Map<readonly (string | null)[], number>();

  index(list: readonly (string | null)[]): number {
    const known = this.#indices.get(list);
    if (known !== undefined) return known;
    const index = this.#dictionary.index(JSON.stringify(list));
    this.#indices.set(list, index);
    return index;
  }

  encode(to: ByteWriter): void {
    this.#dictionary.encode(to);
  }
}

function writeStatistics(to: ByteWriter, of: UserStatistics): void {
  to.uint(of.outcomes).uint(of.positives).f64(of.recent);
  to.uint(of.values).f64(of.valueSum).f64(of.valueResidual).f64(of.valueRecent);
  to.f64s(of.popularity);
  to.uint(of.keys.size);
  for (const [key, stats] of of.keys) {
    to.string(key).uint(stats.outcomes).f64(stats.residual).f64(stats.recent);
    to.uint(stats.values).f64(stats.valueResidual);
  }
}

function readStatistics(from: ByteReader, into: UserStatistics): void {
  into.outcomes = from.uint();
  into.positives = from.uint();
  into.recent = from.f64();
  into.values = from.uint();
  into.valueSum = from.f64();
  into.valueResidual = from.f64();
  into.valueRecent = from.f64();
  into.popularity.set(from.f64s(into.popularity.length));
  for (let n = from.count(); n > 0; n--) {
    into.keys.set(from.string(), {
      outcomes: from.uint(),
      residual: from.f64(),
      recent: from.f64(),
      values: from.uint(),
      valueResidual: from.f64(),
    });
  }
}

interface Written {
  readonly itemAt: (index: number) => number;
  readonly strings: Dictionary;
  readonly lists: Lists;
  /** Gets the states; one that several impressions share is written once. */
  readonly states: Float32Array[];
}

function writePending(
  to: ByteWriter,
  pending: Pending,
  { itemAt, strings, lists, states }: Written,
): void {
  const list = (values: readonly (string | null)[]) => lists.index(values);
  to.string(pending.request).u8(pending.shown ? 1 : 0).f64(pending.time).f64(pending.deadline);
  to.uint(pending.sequence).uint(pending.version).u8(pending.newUser ? 1 : 0);
  to.uint(list(pending.userFields)).uint(list(pending.contextFields));
  const { items, categories, actions, times, strengths } = pending.history;
  to.uint(items.length);
  for (let t = 0; t < items.length; t++) {
    to.uint(strings.index(items[t]!)).uint(list(categories[t]!)).uint(strings.index(actions[t]!));
    to.int(pending.time - times[t]!).f32(strengths[t]!);
  }
  if (pending.state === undefined) to.uint(0);
  else {
    const known = states.indexOf(pending.state.values);
    to.uint(1 + (known >= 0 ? known : states.push(pending.state.values) - 1)).uint(pending.state.from);
  }
  to.uint(pending.rows.length);
  for (const row of pending.rows) {
    to.uint(itemAt(row.item)).uint(list(row.categories)).uint(list(row.fields));
    to.uint(row.numerics.length).f32s(row.numerics).f64(row.offset).f64(row.logit);
    to.u8((row.label ?? 2) + (row.closed ? 4 : 0)).uint(row.position).f64(row.propensity).f64(row.oracle);
    to.f64(row.reward ?? 0).u8(row.team === undefined ? 0 : 1 + row.team);
  }
  const exposures = pending.exposures ?? [];
  to.uint(exposures.length);
  for (const { experiment, variant } of exposures) {
    to.uint(strings.index(experiment)).uint(strings.index(variant));
  }
}

interface Read {
  readonly itemAt: (at: number) => number;
  readonly strings: (at: number) => string;
  readonly lists: (at: number) => readonly (string | null)[];
  /** `null` in a format that has none. */
  readonly states: readonly Float32Array[] | null;
}

function readPending(
  from: ByteReader,
  format: number,
  { itemAt, strings, lists, states }: Read,
): Pending {
  const list = () => lists(from.uint());
  // The dictionary of lists holds lists of categories, which have no nulls, beside those of field values.
  const categories = () => list() as readonly string[];
  const head = {
    request: from.string(),
    shown: from.u8() === 1,
    time: from.f64(),
    deadline: from.f64(),
    sequence: from.uint(),
    version: from.uint(),
    newUser: from.u8() === 1,
    userFields: list(),
    contextFields: list(),
  };
  const T = from.count();
  const items: string[] = [];
  const historyCategories: (readonly string[])[] = [];
  const actions: string[] = [];
  const times = new Float64Array(T);
  const strengths = new Float32Array(T);
  for (let t = 0; t < T; t++) {
    items.push(strings(from.uint()));
    historyCategories.push(categories());
    actions.push(strings(from.uint()));
    times[t] = head.time - from.int();
    strengths[t] = from.f32();
  }
  const stateAt = states === null ? 0 : from.uint();
  const values = states?.[stateAt - 1];
  if (stateAt > 0 && values === undefined) {
    throw new SyntaxError(`Cannot decode state ${stateAt} of a pending impression: there is none`);
  }
  const state = values === undefined ? {} : { state: { from: from.uint(), values } };
  const rows: PendingRow[] = [];
  for (let n = from.count(); n > 0; n--) {
    const item = itemAt(from.uint());
    const row = {
      item,
      categories: categories(),
      fields: list(),
      numerics: from.f32s(from.uint()),
      offset: from.f64(),
      logit: from.f64(),
    };
    const outcome = from.u8();
    const label = outcome & 3;
    const shown = {
      ...row,
      label: label === 2 ? null : label === 1 ? 1 as const : 0 as const,
      closed: (outcome & 4) !== 0,
      position: from.uint(),
      propensity: from.f64(),
      oracle: from.f64(),
    };
    const reward = format > 1 ? from.f64() : 0;
    const team = format > 1 ? from.u8() : 0;
    rows.push({
      ...shown,
      ...(reward === 0 ? {} : { reward }),
      ...(team === 0 ? {} : { team: team === 1 ? 0 as const : 1 as const }),
    });
  }
  const exposures: Exposure[] = [];
  for (let n = format > 1 ? from.count() : 0; n > 0; n--) {
    exposures.push({ experiment: strings(from.uint()), variant: strings(from.uint()) });
  }
  const history = { items, categories: historyCategories, actions, times, strengths };
  return { ...head, history, ...state, rows, ...(exposures.length === 0 ? {} : { exposures }) };
}
