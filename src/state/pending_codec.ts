/**
 * Open impressions within a user's record.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { Dictionary } from "../codec/dictionary.ts";
import type { Exposure } from "../experiments/exposure.ts";
import { NONE_EARLIER } from "../learner/sample.ts";
import type { Pending, PendingRow, PendingState } from "./pending.ts";
import type { StoredState } from "./stored_state.ts";

/** Lists of earlier records to keep in mind. */
const MAX_LISTS = 1 << 12;

/** A list in words, with its number in the record that it was last in. */
interface ListEntry {
  readonly json: string;
  record: number;
  number: number;
}

/** Lists of strings by their JSON; one that many rows share, or many records, is put into words once. */
export class ListDictionary {
  readonly #dictionary = new Dictionary();
  readonly #entries = new Map<readonly (string | null)[], ListEntry>();
  #record = 0;

  /** The number of a list, which it has from now on. */
  index(list: readonly (string | null)[]): number {
    let entry = this.#entries.get(list);
    if (entry === undefined) {
      entry = { json: JSON.stringify(list), record: -1, number: 0 };
      this.#entries.set(list, entry);
    }
    if (entry.record !== this.#record) {
      entry.record = this.#record;
      entry.number = this.#dictionary.index(entry.json);
    }
    return entry.number;
  }

  /** Writes the lists in the order of their numbers. */
  encode(to: ByteWriter): void {
    this.#dictionary.encode(to);
  }

  /** Forgets the lists of all records. */
  forget(): void {
    this.#dictionary.forget();
    this.#entries.clear();
  }

  /** Begins another record. Keeps in mind the lists of those before, up to a bound: they come again. */
  reset(): void {
    this.#record++;
    this.#dictionary.reset();
    if (this.#entries.size > MAX_LISTS) this.#entries.clear();
  }
}

/** Formats of users' records up to this one have no states of other models. */
export const WITHOUT_OTHERS = 7;
/** Those up to this one have no behaviours that models do not read any more. */
const WITHOUT_EARLIER = 9;

/** What an impression is written with: ids and lists that are there more than once are written once. */
export interface Written {
  /** Number of an item, which it has from now on. */
  readonly numberOf: (index: number) => number;
  readonly strings: Dictionary;
  readonly lists: ListDictionary;
  /** Gets the states; one that several impressions share is written once. */
  readonly states: (StoredState | null)[];
}

/** Writes an impression. */
export function writePending(
  to: ByteWriter,
  pending: Pending,
  { numberOf, strings, lists, states }: Written,
): void {
  const list = (values: readonly (string | null)[]) => lists.index(values);
  to.string(pending.request).u8((pending.shown ? 1 : 0) + (pending.settled ? 2 : 0)).f64(pending.time).f64(
    pending.deadline,
  );
  to.uint(pending.sequence).uint(pending.version).u8(pending.newUser ? 1 : 0);
  to.uint(list(pending.userFields)).uint(list(pending.contextFields));
  const { items, categories, actions, times, strengths } = pending.history;
  to.uint(items.length);
  for (let t = 0; t < items.length; t++) {
    to.uint(strings.index(items[t]!)).uint(list(categories[t]!)).uint(strings.index(actions[t]!));
    to.int(pending.time - times[t]!).f32(strengths[t]!);
  }
  const stateOf = (stored: StoredState) => {
    const known = states.indexOf(stored);
    return known >= 0 ? known : states.push(stored) - 1;
  };
  if (pending.state === undefined) to.uint(0);
  else to.uint(1 + stateOf(pending.state.stored)).uint(pending.state.from);
  to.uint(pending.rows.length);
  for (const row of pending.rows) {
    to.uint(numberOf(row.item)).uint(list(row.categories)).uint(list(row.fields));
    to.uint(row.numerics.length).f32s(row.numerics).f64(row.offset).f64(row.logit);
    to.u8((row.label ?? 2) + (row.closed ? 4 : 0) + (row.late ? 8 : 0)).uint(row.position).f64(row.propensity)
      .f64(row.oracle);
    to.f64(row.reward ?? 0).u8(row.team === undefined ? 0 : 1 + row.team);
  }
  const exposures = pending.exposures ?? [];
  to.uint(exposures.length);
  for (const { experiment, variant } of exposures) {
    to.uint(strings.index(experiment)).uint(strings.index(variant));
  }
  to.uint(pending.model === undefined ? 0 : 1 + strings.index(pending.model));
  const others = pending.otherStates ?? [];
  to.uint(others.length);
  for (const { model, from, stored } of others) {
    to.uint(strings.index(model)).uint(1 + stateOf(stored)).uint(from);
  }
  const { earlier = NONE_EARLIER } = pending.history;
  to.uint(earlier.items.length);
  for (let t = 0; t < earlier.items.length; t++) {
    to.uint(strings.index(earlier.items[t]!)).uint(list(earlier.categories[t]!));
    to.uint(strings.index(earlier.actions[t]!)).int(pending.time - earlier.times[t]!);
  }
}

/** What an impression is read with. */
export interface Read {
  /** Index in the catalogue of the item of a number. */
  readonly itemAt: (at: number) => number;
  readonly strings: (at: number) => string;
  readonly lists: (at: number) => readonly (string | null)[];
  /** `null` in a format that has none. */
  readonly states: readonly (StoredState | null)[] | null;
}

/** Reads an impression. @param format of the user's record */
export function readPending(
  from: ByteReader,
  format: number,
  { itemAt, strings, lists, states }: Read,
): Pending {
  const list = () => lists(from.uint());
  // The dictionary of lists holds lists of categories, which have no nulls, beside those of field values.
  const categories = () => list() as readonly string[];
  const head = {
    request: from.string(),
    ...flags(from.u8()),
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
  const stateAt = (at: number) => {
    const stored = states?.[at - 1];
    if (at > 0 && stored == null) {
      throw new SyntaxError(`Cannot decode state ${at} of a pending impression: there is none`);
    }
    return stored;
  };
  const stored = states === null ? null : stateAt(from.uint());
  const state = stored == null ? {} : { state: { from: from.uint(), stored } };
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
      ...((outcome & 8) === 0 ? {} : { late: true }),
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
  const model = format > 4 ? from.uint() : 0;
  const otherStates: (PendingState & { readonly model: string })[] = [];
  for (let n = format > WITHOUT_OTHERS ? from.count() : 0; n > 0; n--) {
    const name = strings(from.uint());
    const stored = stateAt(from.uint());
    const end = from.uint();
    if (stored != null) otherStates.push({ model: name, from: end, stored });
  }
  const earlier = {
    items: [] as string[],
    categories: [] as (readonly string[])[],
    actions: [] as string[],
    times: new Float64Array(format > WITHOUT_EARLIER ? from.count() : 0),
  };
  for (let t = 0; t < earlier.times.length; t++) {
    earlier.items.push(strings(from.uint()));
    earlier.categories.push(categories());
    earlier.actions.push(strings(from.uint()));
    earlier.times[t] = head.time - from.int();
  }
  return {
    ...head,
    history: {
      ...{ items, categories: historyCategories, actions, times, strengths },
      ...(earlier.items.length === 0 ? {} : { earlier }),
    },
    ...state,
    rows,
    ...(exposures.length === 0 ? {} : { exposures }),
    ...(model === 0 ? {} : { model: strings(model - 1) }),
    ...(otherStates.length === 0 ? {} : { otherStates }),
  };
}

function flags(bits: number): { readonly shown: boolean; readonly settled?: boolean } {
  return { shown: (bits & 1) !== 0, ...((bits & 2) === 0 ? {} : { settled: true }) };
}
