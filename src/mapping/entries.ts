/**
 * What the records and lists of a message become: each entry is taken or rejected by itself, by all rules or by none.
 *
 * Entries that are wrong alike, by code and rule, are one rejection with their places, so that the message is kept a few
 * times at most.
 */

import { MAX_ID_BYTES } from "../events/limits.ts";
import type { OwnRecord } from "../events/own_record.ts";
import { reject, type Rejected, shown } from "../events/rejected.ts";

/** Most events and items that a message becomes, and most entries of one that are rejected by themselves. */
export const MAX_MAPPED = 1000;

/** Most rejections of a message: entries that are wrong in yet another way are in the last one. */
const MAX_REJECTIONS = 8;

/** The events and items of a message. */
export interface TakenRecords {
  /** Something in it is accepted, or nothing in it was meant for us. */
  readonly ok: true;
  /** In the order of the message. */
  readonly records: readonly OwnRecord[];
  /** For each, the place of its entry in the message, `lines[3]`; empty for those of the message itself. */
  readonly places?: readonly string[];
  /** Rejected entries, each with its reason. */
  readonly rejected?: readonly Rejected[];
}

/** The events and items of a message, or why it is rejected as a whole. */
export type MappedRecords = TakenRecords | Rejected;

/** An event or item, or the id of one that is rejected. */
interface Made {
  readonly own: OwnRecord | undefined;
  readonly place: string;
  readonly id: string | undefined;
  /** Numbers it in its message. */
  readonly number: number;
  /** Numbers it among the events of its record that share an id; 0 for the first, and where its id is its own. */
  readonly shared: number;
}

/** An entry of a list in the current record. */
export interface Entry {
  readonly place: string;
  readonly index: number;
  /** Whether the entries of its list share an id. */
  readonly isShared: boolean;
}

/** Collects what a message becomes. */
export class MadeRecords {
  readonly #made: Made[] = [];
  /** Rejected entries by place. */
  readonly #bad = new Map<string, Rejected>();
  #whole: Rejected | undefined;
  #records = 0;
  /** The current record: its place, and what was there before. */
  #place = "";
  #before = { made: 0, numbers: 0 };
  #numbers = 0;

  /** Whether the message is rejected as a whole. */
  get isOver(): boolean {
    return this.#whole !== undefined || this.#bad.size > MAX_MAPPED;
  }

  /** How many more events and items it may become. */
  get room(): number {
    return MAX_MAPPED - this.#records;
  }

  /** The place of the current record. */
  get place(): string {
    return this.#place;
  }

  /** Begins a record. @param place empty for one that is the whole message */
  begin(place: string): void {
    this.#place = place;
    this.#before = { made: this.#made.length, numbers: this.#numbers };
  }

  /** Adds an event or item. @param entry the entry that it is made of, if not the current record itself */
  add(own: OwnRecord, entry?: Entry): void {
    this.#records++;
    this.#push(own, own.kind === "event" ? own.event.id : undefined, entry);
    if (own.kind === "event" && entry === undefined) this.#numbers++;
  }

  /** Rejects an entry. @param id the id that it would have had, which no other entry gets */
  rejectEntry(rejected: Rejected, entry: Entry, id: string | undefined): void {
    if (!this.#bad.has(entry.place)) this.#bad.set(entry.place, rejected);
    if (id !== undefined) this.#push(undefined, id, entry);
  }

  /** Ends a list of events: their numbers do not depend on what becomes of each. */
  endList(entries: number): void {
    this.#numbers += entries;
  }

  /** Rejects the current record with all that it became. */
  rejectRecord(rejected: Rejected): void {
    const { made } = this.#before;
    for (const { own, place } of this.#made.splice(made)) {
      if (own !== undefined) this.#records--;
      this.#bad.delete(place);
    }
    for (const place of this.#bad.keys()) {
      if (place.startsWith(`${this.#place}.`)) this.#bad.delete(place);
    }
    if (this.#place === "") this.rejectAll(rejected);
    else this.#bad.set(this.#place, rejected);
  }

  /** Rejects the message. */
  rejectAll(rejected: Rejected): void {
    this.#whole ??= rejected;
  }

  /** The events and items. @param keepsIds whether those that share an id are repeats of one */
  result({ keepsIds = false } = {}): MappedRecords {
    if (this.#whole !== undefined) return this.#whole;
    const all = this.#made.length > 1 && !keepsIds ? this.#made.map(this.#numbered()) : this.#made;
    const taken = this.#bad.size === 0 ? all : all.filter(({ place }) => !this.#bad.has(place));
    const left = taken.filter(({ own }) => own !== undefined);
    const records = left.map(({ own }) => own!);
    const [first] = this.#bad.values();
    if (first !== undefined && (records.length === 0 || this.#bad.size > MAX_MAPPED)) {
      return withOthers(first, this.#bad.size - 1);
    }
    const placed = left.some(({ place }) => place !== "") ? { places: left.map(({ place }) => place) } : {};
    return { ok: true, records, ...placed, ...(first && { rejected: alike(this.#bad) }) };
  }

  #push(own: OwnRecord | undefined, id: string | undefined, entry: Entry | undefined): void {
    const { place = this.#place, index = 0, isShared = false } = entry ?? {};
    const number = this.#numbers + index;
    const shared = isShared ? number - this.#before.numbers : 0;
    this.#made.push({ own, place, id, number, shared });
  }

  /** Several events of one message must not share an id, or all but the user's first would count as repeats. */
  #numbered(): (made: Made) => Made {
    const seen = new Set<string>();
    return (made) => {
      const { own, id, number, shared, place } = made;
      if (id === undefined) return made;
      let unique = shared > 0 ? `${id}/${shared}` : id;
      if (seen.has(unique)) unique = `${id}/${number}`;
      if (seen.has(unique) || new TextEncoder().encode(unique).length > MAX_ID_BYTES) {
        this.#rejectId(id, number, place);
        return made;
      }
      seen.add(unique);
      if (unique === id || own?.kind !== "event") return made;
      return { ...made, own: { kind: "event", event: { ...own.event, id: unique } } };
    };
  }

  #rejectId(id: string, number: number, place: string): void {
    const reason = `Cannot number the id of event ${number + 1} of the record: ${shown(id)} is too long`;
    if (!this.#bad.has(place)) this.#bad.set(place, reject("string-too-long", reason));
  }
}

/** Puts rejected entries together that have a code and a rule in common. */
function alike(bad: ReadonlyMap<string, Rejected>): readonly Rejected[] {
  const groups = new Map<string, { readonly first: Rejected; readonly entries: string[] }>();
  let last: string[] = [];
  for (const [place, rejected] of bad) {
    const key = JSON.stringify([rejected.code, rejected.rule]);
    const group = groups.get(key);
    if (group !== undefined) group.entries.push(place);
    else if (groups.size === MAX_REJECTIONS) last.push(place);
    else groups.set(key, { first: rejected, entries: last = [place] });
  }
  return Array.from(
    groups.values(),
    ({ first, entries }) => ({ ...withOthers(first, entries.length - 1), entries }),
  );
}

function withOthers(first: Rejected, others: number): Rejected {
  if (others === 0) return first;
  const many = others > MAX_MAPPED - 1 ? `more than ${MAX_MAPPED}` : String(others);
  return { ...first, reason: `${first.reason}, and ${many} other${others === 1 ? "" : "s"}` };
}

/** What the values of a list become, each by itself. Those that share an id are repeats of one. */
export function mapEach(
  values: readonly unknown[],
  map: (value: unknown) => MappedRecords,
): MappedRecords {
  const made = new MadeRecords();
  for (const [i, value] of values.entries()) {
    made.begin(`[${i}]`);
    const mapped = map(value);
    if (!mapped.ok) made.rejectRecord(inEntry(mapped, `record ${i} of the list`));
    else for (const own of mapped.records) made.add(own);
    if (made.isOver) break;
  }
  return made.result({ keepsIds: true });
}

/** A rejection that says where in the message. */
export function inEntry(rejected: Rejected, entry: string): Rejected {
  return { ...rejected, reason: `${rejected.reason}, in ${entry}` };
}

/**
 * Makes something of each event and item. What cannot be made of one rejects its entry, or, without one, the message.
 *
 * @param make returns a rejection where it cannot
 */
export function makeEach<T extends object>(
  { records, places, rejected = [] }: TakenRecords,
  make: (own: OwnRecord) => T | Rejected,
): { readonly made: readonly T[]; readonly rejected: readonly Rejected[] } | Rejected {
  const made: { readonly one: T; readonly place: string }[] = [];
  const bad = new Map<string, Rejected>();
  for (const [i, own] of records.entries()) {
    const one = make(own);
    const place = places?.[i] ?? "";
    if (!("ok" in one)) made.push({ one, place });
    else if (place === "") return one;
    else if (!bad.has(place)) bad.set(place, one);
  }
  const [first] = bad.values();
  const left = made.filter(({ place }) => !bad.has(place)).map(({ one }) => one);
  if (first !== undefined && left.length === 0) return withOthers(first, bad.size - 1);
  return { made: left, rejected: first === undefined ? rejected : [...rejected, ...alike(bad)] };
}

/** What some entries of a message become, when it is mapped again. @param entries their places; `undefined` = all of it */
export function onlyEntries(mapped: MappedRecords, entries: readonly string[] | undefined): MappedRecords {
  if (entries === undefined) return mapped;
  if (!mapped.ok) return { ...mapped, entries };
  const own = new Set(entries);
  const { records, places = [], rejected = [] } = mapped;
  const isOwn = (_: unknown, i: number) => own.has(places[i] ?? "");
  const again = rejected.flatMap((one) => {
    const left = one.entries?.filter((place) => own.has(place)) ?? [];
    return left.length === 0 ? [] : [{ ...one, entries: left }];
  });
  return { ok: true, records: records.filter(isOwn), places: places.filter(isOwn), rejected: again };
}
