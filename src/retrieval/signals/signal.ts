/**
 * What retrieval learns from: a behaviour with the user's previous ones. A signal is self-contained, so a journal of
 * signals can bring any copy of the retrieval state up to date, in the same task after a crash or in another one.
 */

import { ByteReader } from "../../codec/byte_reader.ts";
import { ByteWriter } from "../../codec/byte_writer.ts";
import type { Formats } from "../../codec/formats.ts";
import { Dictionary, readDictionary } from "../../codec/dictionary.ts";
import { type Context, ContextBuffer } from "./context.ts";

/** Most previous behaviours that a signal carries: one further back would weigh less than 0.06. */
export const LEARNT_CONTEXT = 40;

/** One behaviour. */
export interface Signal {
  readonly user: string;
  readonly item: number;
  /** Event time, milliseconds since the epoch, not later than the partition's clock. */
  readonly time: number;
  /** Whether it is for the item, not against it. */
  readonly liked: boolean;
  /** Read by some sources only; if absent, strengths of the context count as 1 and −1. */
  readonly detail?: SignalDetail | undefined;
  /** Whether recommendations aim at such behaviours; if not, it is context only. */
  readonly wanted: boolean;
  /** The behaviours before it, at most {@linkcode LEARNT_CONTEXT}. */
  readonly context: Context;
  /** First category of the previous behaviour and of this one, as they are now; `null` when either has none. */
  readonly step: readonly [from: string, to: string] | null;
}

export interface SignalDetail {
  /** Signed strength, in single precision. */
  readonly strength: number;
  /** First category of the item, as it is now; `null` when it has none. */
  readonly category: string | null;
}

/** A user to be erased. */
export interface Forgotten {
  /** Id of the user. */
  readonly forget: string;
}

/** A positive that an item's popularity counts. */
export interface Raised {
  /** Item index. */
  readonly raised: number;
  /** Event time. */
  readonly time: number;
}

export type JournalEntry = Signal | Forgotten | Raised;

/** The context of the behaviour right after a signal. */
export function contextAfter({ item, time, liked, detail, context }: Signal): Context {
  const after = new ContextBuffer(Math.min(LEARNT_CONTEXT, context.size + 1));
  after.push(item, time, liked, detail?.strength);
  for (let x = 0; after.size < after.items.length; x++) {
    after.push(context.items[x]!, context.times[x]!, context.liked[x] === 1, context.strengths[x]);
  }
  return after;
}

const FORMAT = 2;
/** Format of a journal without details. */
const WITHOUT_DETAILS = 1;
export const JOURNAL_FORMATS: Formats = { oldest: WITHOUT_DETAILS, newest: FORMAT };
const FORGET = 1;
const LIKED = 2;
/** The context follows from the user's previous signal in the journal, so it is not written again. */
const GOES_ON = 4;
const HAS_STEP = 8;
const RAISED = 16;
/** Recommendations do not aim at it. */
const ASIDE = 32;
/** It has a detail; its context is written with strengths, since some are neither 1 nor −1. */
const DETAILED = 64;
const GRADED_CONTEXT = 128;
/** Most rings kept for the next journal. */
const MAX_RINGS = 1024;

/** Places of a ring, a power of two: {@linkcode LEARNT_CONTEXT} or more. */
const RING = 64;

/** The newest behaviours of a user in a journal, as the next signal's context would have them. */
class Ring {
  /** Number of the user in the journal. */
  user = 0;
  readonly #items = new Uint32Array(RING);
  readonly #times = new Float64Array(RING);
  readonly #liked = new Uint8Array(RING);
  readonly #strengths = new Float32Array(RING);
  /** Number of behaviours ever added; the newest is at the place before this. */
  #head = 0;
  #size = 0;

  /** Whether a context has the same behaviours. */
  equals({ size, items, times, liked, strengths }: Context, isGraded: boolean): boolean {
    if (size !== this.#size) return false;
    for (let x = 0; x < size; x++) {
      const at = (this.#head - 1 - x) & (RING - 1);
      if (this.#items[at] !== items[x] || this.#times[at] !== times[x] || this.#liked[at] !== liked[x]) {
        return false;
      }
      if (isGraded && this.#strengths[at] !== strengths[x]) return false;
    }
    return true;
  }

  /** Replaces its behaviours with those of a context. */
  set({ size, items, times, liked, strengths }: Context): void {
    this.#head = 0;
    this.#size = 0;
    for (let x = Math.min(size, LEARNT_CONTEXT) - 1; x >= 0; x--) {
      this.push(items[x]!, times[x]!, liked[x]!, strengths[x]!);
    }
  }

  push(item: number, time: number, liked: number, strength: number): void {
    const at = this.#head & (RING - 1);
    this.#items[at] = item;
    this.#times[at] = time;
    this.#liked[at] = liked;
    this.#strengths[at] = strength;
    this.#head++;
    if (this.#size < LEARNT_CONTEXT) this.#size++;
  }
}

/** Signals since a commit, encoded one by one. */
export class SignalJournal {
  #strings = new Dictionary();
  /** By item: the number of its id among the strings + 1; 0 = none. */
  #items = new Uint32Array(256);
  readonly #named: number[] = [];
  readonly #body = new ByteWriter(1024);
  #entries = 0;
  /** Whether an entry has a detail. */
  #isDetailed = false;
  readonly #newest = new Map<string, Ring>();
  /** Rings of users of earlier journals, for reuse. */
  readonly #rings: Ring[] = [];
  #time = 0;

  get entries(): number {
    return this.#entries;
  }

  /** Appends a signal. @param idOf The id of an item. */
  add(signal: Signal, idOf: (item: number) => string): void {
    const { user, item, time, liked, wanted, context, step, detail } = signal;
    const known = this.#newest.get(user);
    const goesOn = known !== undefined && known.equals(context, detail !== undefined);
    const isGraded = !goesOn && detail !== undefined && hasGrades(context);
    this.#isDetailed ||= detail !== undefined;
    const ring = known ?? this.#begin(user);
    const body = this.#body;
    const kinds = (liked ? LIKED : 0) | (wanted ? 0 : ASIDE) | (detail === undefined ? 0 : DETAILED) |
      (isGraded ? GRADED_CONTEXT : 0);
    body.u8(kinds | (goesOn ? GOES_ON : 0) | (step === null ? 0 : HAS_STEP));
    body.uint(ring.user).uint(this.#numberOf(item, idOf)).int(time - this.#time);
    if (step !== null) body.uint(this.#strings.index(step[0])).uint(this.#strings.index(step[1]));
    if (detail !== undefined) {
      body.f32(detail.strength).uint(detail.category === null ? 0 : 1 + this.#strings.index(detail.category));
    }
    if (!goesOn) {
      this.#writeContext(context, time, isGraded, idOf);
      ring.set(context);
    }
    ring.push(item, time, liked ? 1 : 0, detail?.strength ?? gradeOf(liked));
    this.#time = time;
    this.#entries++;
  }

  /** Adds a ring for a user who has none. */
  #begin(user: string): Ring {
    const ring = this.#rings.pop() ?? new Ring();
    ring.user = this.#strings.index(user);
    this.#newest.set(user, ring);
    return ring;
  }

  #writeContext(
    context: Signal["context"],
    time: number,
    isGraded: boolean,
    idOf: (item: number) => string,
  ): void {
    const body = this.#body.uint(context.size);
    let newer = time;
    for (let x = 0; x < context.size; x++) {
      body.uint(2 * this.#numberOf(context.items[x]!, idOf) + context.liked[x]!);
      body.int(newer - context.times[x]!);
      newer = context.times[x]!;
      if (isGraded) body.f32(context.strengths[x]!);
    }
  }

  /** Appends the erasure of a user. */
  forget(user: string): void {
    this.#body.u8(FORGET).uint(this.#strings.index(user));
    this.#newest.delete(user);
    this.#entries++;
  }

  /** Appends a positive for an item. @param idOf The id of an item. */
  raise(item: number, time: number, idOf: (item: number) => string): void {
    this.#body.u8(RAISED).uint(this.#numberOf(item, idOf)).int(time - this.#time);
    this.#entries++;
  }

  /** The bytes of all entries; empties the journal. */
  take(): Uint8Array {
    const to = new ByteWriter(this.#body.length + 1024).u8(this.#isDetailed ? FORMAT : WITHOUT_DETAILS);
    this.#strings.encode(to);
    const bytes = to.uint(this.#entries).bytes(this.#body.view()).toBytes();
    this.#strings = new Dictionary();
    for (const item of this.#named) this.#items[item] = 0;
    this.#named.length = 0;
    this.#body.reset();
    this.#entries = 0;
    this.#isDetailed = false;
    for (const ring of this.#newest.values()) if (this.#rings.length < MAX_RINGS) this.#rings.push(ring);
    this.#newest.clear();
    this.#time = 0;
    return bytes;
  }

  /** The number of an item's id among the strings. */
  #numberOf(item: number, idOf: (item: number) => string): number {
    if (item >= this.#items.length) {
      const items = new Uint32Array(Math.max(2 * this.#items.length, item + 1));
      items.set(this.#items);
      this.#items = items;
    }
    const known = this.#items[item]!;
    if (known > 0) return known - 1;
    const number = this.#strings.index(idOf(item));
    this.#items[item] = number + 1;
    this.#named.push(item);
    return number;
  }
}

/** The strength of a behaviour of which only the sign is known. */
function gradeOf(liked: boolean): number {
  return liked ? 1 : -1;
}

function hasGrades({ size, liked, strengths }: Context): boolean {
  for (let x = 0; x < size; x++) if (strengths[x] !== gradeOf(liked[x] === 1)) return true;
  return false;
}

/**
 * Reads the bytes of {@linkcode SignalJournal.take}.
 *
 * @param itemAt Returns the index of an item, from its id and the time of a behaviour with it.
 * @throws SyntaxError when the bytes are not a journal.
 */
export function readJournal(bytes: Uint8Array, itemAt: (id: string, time: number) => number): JournalEntry[] {
  const from = new ByteReader(bytes);
  const format = from.u8();
  if (format < WITHOUT_DETAILS || format > FORMAT) {
    throw new SyntaxError(
      `Cannot decode a retrieval journal: format is ${format}, this release reads ${WITHOUT_DETAILS} to ${FORMAT}`,
    );
  }
  const strings = readDictionary(from);
  const items: number[] = [];
  const itemOf = (number: number, time: number) => items[number] ??= itemAt(strings(number), time);
  const count = from.uint();
  const body = new ByteReader(from.bytes());
  const newest = new Map<string, Signal>();
  const entries: JournalEntry[] = [];
  let last = 0;
  while (entries.length < count) {
    const flags = body.u8();
    if (flags & RAISED) {
      const number = body.uint();
      const time = last + body.int();
      entries.push({ raised: itemOf(number, time), time });
      continue;
    }
    const user = strings(body.uint());
    if (flags & FORGET) {
      entries.push({ forget: user });
      newest.delete(user);
      continue;
    }
    const number = body.uint();
    const time = last + body.int();
    const item = itemOf(number, time);
    const step = (flags & HAS_STEP) ? [strings(body.uint()), strings(body.uint())] as const : null;
    const detail = (flags & DETAILED) ? readDetail(body, strings) : undefined;
    const before = newest.get(user);
    if ((flags & GOES_ON) && before === undefined) {
      throw new SyntaxError(
        `Cannot decode a retrieval journal: entry ${entries.length} continues from a missing one`,
      );
    }
    const context = (flags & GOES_ON) ? contextAfter(before!) : readContext(body, time, {
      itemOf,
      isGraded: (flags & GRADED_CONTEXT) !== 0,
    });
    const [liked, wanted] = [(flags & LIKED) !== 0, (flags & ASIDE) === 0];
    const more = detail === undefined ? {} : { detail };
    const signal = { user, item, time, liked, wanted, context, step, ...more };
    newest.set(user, signal);
    entries.push(signal);
    last = time;
  }
  return entries;
}

function readDetail(from: ByteReader, strings: (number: number) => string): SignalDetail {
  const strength = from.f32();
  const number = from.uint();
  return { strength, category: number === 0 ? null : strings(number - 1) };
}

function readContext(
  from: ByteReader,
  time: number,
  { itemOf, isGraded }: {
    readonly itemOf: (number: number, time: number) => number;
    readonly isGraded: boolean;
  },
): Context {
  const context = new ContextBuffer(from.count());
  let newer = time;
  while (context.size < context.items.length) {
    const word = from.uint();
    newer -= from.int();
    const item = itemOf(Math.floor(word / 2), newer);
    context.push(item, newer, word % 2 === 1, isGraded ? from.f32() : undefined);
  }
  return context;
}
