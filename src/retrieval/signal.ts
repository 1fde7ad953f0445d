/**
 * What retrieval learns from: a behaviour and what the user had done before it. A signal is complete in itself,
 * so a journal of signals is enough to bring any copy of the retrieval state up to date, in the same task after
 * a crash or in another one.
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import { Dictionary, readDictionary } from "../codec/dictionary.ts";

/** Most behaviours before a signal that it carries. */
export const MAX_CONTEXT = 100;

/** What a user did before, newest first; parallel lists. */
export interface Context {
  /** Item indices. */
  readonly items: readonly number[];
  /** Event times, milliseconds since the epoch. */
  readonly times: readonly number[];
  /** Whether the behaviour was for the item (strength above 0), not against it. */
  readonly liked: readonly boolean[];
}

/** One behaviour. */
export interface Signal {
  /** Whose it is. */
  readonly user: string;
  /** Item index. */
  readonly item: number;
  /** Event time, milliseconds since the epoch, at most the partition's. */
  readonly time: number;
  /** Whether it is for the item, not against it. */
  readonly liked: boolean;
  /** What came before. */
  readonly context: Context;
  /** First category of the behaviour before and of this one, as they are now; `null` when either has none. */
  readonly step: readonly [from: string, to: string] | null;
}

/** A user to be erased. */
export interface Forgotten {
  /** Id of the user. */
  readonly forget: string;
}

/** An entry of a journal. */
export type JournalEntry = Signal | Forgotten;

/** The context of the behaviour after a signal, when nothing came between. */
export function contextAfter({ item, time, liked, context }: Signal): Context {
  return {
    items: [item, ...context.items].slice(0, MAX_CONTEXT),
    times: [time, ...context.times].slice(0, MAX_CONTEXT),
    liked: [liked, ...context.liked].slice(0, MAX_CONTEXT),
  };
}

const FORMAT = 1;
const FORGET = 1;
const LIKED = 2;
/** The context is that after the user's signal before it in the journal: it is not written again. */
const GOES_ON = 4;
const HAS_STEP = 8;

/** Signals since a commit, put into bytes one by one. */
export class SignalJournal {
  #strings = new Dictionary();
  #body = new ByteWriter(1024);
  #entries = 0;
  #newest = new Map<string, Signal>();
  #time = 0;

  /** Number of entries. */
  get entries(): number {
    return this.#entries;
  }

  /** Appends a signal. @param idOf The id of an item. */
  add(signal: Signal, idOf: (item: number) => string): void {
    const { user, item, time, liked, context, step } = signal;
    const before = this.#newest.get(user);
    const goesOn = before !== undefined && sameContext(contextAfter(before), context);
    this.#body.u8((liked ? LIKED : 0) | (goesOn ? GOES_ON : 0) | (step === null ? 0 : HAS_STEP));
    this.#body.uint(this.#strings.index(user)).uint(this.#strings.index(idOf(item)));
    this.#body.int(time - this.#time);
    if (step !== null) this.#body.uint(this.#strings.index(step[0])).uint(this.#strings.index(step[1]));
    if (!goesOn) {
      this.#body.uint(context.items.length);
      let newer = time;
      context.items.forEach((other, k) => {
        this.#body.uint(2 * this.#strings.index(idOf(other)) + (context.liked[k] ? 1 : 0));
        this.#body.int(newer - context.times[k]!);
        newer = context.times[k]!;
      });
    }
    this.#newest.set(user, signal);
    this.#time = time;
    this.#entries++;
  }

  /** Appends the erasure of a user. */
  forget(user: string): void {
    this.#body.u8(FORGET).uint(this.#strings.index(user));
    this.#newest.delete(user);
    this.#entries++;
  }

  /** The bytes of all entries; the journal is empty then. */
  take(): Uint8Array {
    const to = new ByteWriter(this.#body.length + 1024).u8(FORMAT);
    this.#strings.encode(to);
    const bytes = to.uint(this.#entries).bytes(this.#body.toBytes()).toBytes();
    this.#strings = new Dictionary();
    this.#body = new ByteWriter(1024);
    this.#entries = 0;
    this.#newest = new Map();
    this.#time = 0;
    return bytes;
  }
}

/**
 * Reads what {@linkcode SignalJournal.take} gave.
 *
 * @param itemAt The index of an item's id.
 * @throws SyntaxError when the bytes are no journal.
 */
export function readJournal(bytes: Uint8Array, itemAt: (id: string) => number): JournalEntry[] {
  const from = new ByteReader(bytes);
  const format = from.u8();
  if (format !== FORMAT) {
    throw new SyntaxError(`Cannot decode a retrieval journal: format is ${format}, this reads ${FORMAT}`);
  }
  const strings = readDictionary(from);
  const count = from.uint();
  const body = new ByteReader(from.bytes());
  const newest = new Map<string, Signal>();
  const entries: JournalEntry[] = [];
  let last = 0;
  while (entries.length < count) {
    const flags = body.u8();
    const user = strings(body.uint());
    if (flags & FORGET) {
      entries.push({ forget: user });
      newest.delete(user);
      continue;
    }
    const item = itemAt(strings(body.uint()));
    const time = last + body.int();
    const step = (flags & HAS_STEP) ? [strings(body.uint()), strings(body.uint())] as const : null;
    const before = newest.get(user);
    if ((flags & GOES_ON) && before === undefined) {
      throw new SyntaxError(
        `Cannot decode a retrieval journal: entry ${entries.length} goes on from nothing`,
      );
    }
    const context = (flags & GOES_ON) ? contextAfter(before!) : readContext(body, time, strings, itemAt);
    const signal = { user, item, time, liked: (flags & LIKED) !== 0, context, step };
    newest.set(user, signal);
    entries.push(signal);
    last = time;
  }
  return entries;
}

function readContext(
  from: ByteReader,
  time: number,
  strings: (at: number) => string,
  itemAt: (id: string) => number,
): Context {
  const items: number[] = [];
  const times: number[] = [];
  const liked: boolean[] = [];
  let newer = time;
  for (let n = from.count(); n > 0; n--) {
    const word = from.uint();
    items.push(itemAt(strings(Math.floor(word / 2))));
    liked.push(word % 2 === 1);
    newer -= from.int();
    times.push(newer);
  }
  return { items, times, liked };
}

function sameContext(a: Context, b: Context): boolean {
  const n = a.items.length;
  if (n !== b.items.length) return false;
  for (let k = 0; k < n; k++) {
    if (a.items[k] !== b.items[k] || a.times[k] !== b.times[k] || a.liked[k] !== b.liked[k]) return false;
  }
  return true;
}
