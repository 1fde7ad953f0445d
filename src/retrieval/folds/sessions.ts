/**
 * Session nearest neighbours: what other users did in the sessions most like this one (VMIS-kNN of Kersbergen et al.,
 * "Serenade", SIGMOD 2022).
 *
 * A session is a user's behaviours with gaps below `gapMs`, until `sessions` others have begun after it. With p the
 * place of an item among the newest L ≤ 10 of the current session (1 = oldest), a session's similarity is Σ p/L over
 * the items that both have; the 100 best of the newest 500 sessions of each item count, the newer first among equals.
 * An item's score is
 *
 * ```text
 *   idf(item) · Σ_s similarity(s) · (1 − 0.1 · min(9, places since the newest common item))
 * ```
 *
 * Bounds: the newest `sessions` sessions, 50 items each.
 */

import { natural, type OptionsOf, positive, settle } from "../../options/option.ts";
import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { ItemScores } from "../items/item_scores.ts";
import { nthLargest } from "../../vectors/nth_largest.ts";
import type { Signal } from "../signals/signal.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";
import { times } from "../../values/times.ts";

const NEWEST_ITEMS = 10;
const NEWEST_SESSIONS = 500;
const NEIGHBOURS = 100;
const MAX_ITEMS = 50;
const NO_ITEMS: number[] = [];
/** Room for this many is made at first. */
const FEW_SESSIONS = 64;

/** Options of {@linkcode Sessions}. */
export interface SessionsOptions {
  /** Sessions kept; 0 turns them off. @default {20000} */
  readonly sessions?: number | undefined;
  /** Silence after which a session ends, milliseconds. @default {1800000} */
  readonly gapMs?: number | undefined;
}

export const SESSIONS_OPTIONS = {
  sessions: natural(20_000, "newest sessions kept; 0 turns them off"),
  gapMs: positive(1_800_000, "a longer silence ends a session"),
} satisfies OptionsOf<SessionsOptions>;

/** The session that a user is in. */
interface Current {
  session: number;
  /** Event time of its newest behaviour. */
  time: number;
}

/** The newest sessions of all users. */
export class Sessions {
  readonly #capacity: number;
  readonly #gapMs: number;
  /** By the last bits of a session's number: its items, oldest first, and the user who is in it. */
  #items: number[][] = [];
  #userOf: (string | undefined)[] = [];
  /** Number of the oldest session kept, and of the next one. */
  #first = 0;
  #next = 0;
  /** By user. */
  readonly #current = new Map<string, Current>();
  /** By item: its sessions in order of arrival; `undefined` = none. */
  #byItem: (number[] | undefined)[] = [];
  /** Scratch, by the last bits of a session's number: its similarity, and the place of the newest common item. */
  #similarity = new Float64Array(0);
  #places = new Uint8Array(0);
  #mask = 0;
  /** By number of sessions with an item: its weight among `seen` sessions, NaN until it is computed. */
  readonly #idfs = new Float64Array(2 * NEWEST_SESSIONS);
  #idfsOf = -1;
  /** Scratch: similarities, reordered. */
  #sorted = new Float64Array(256);

  constructor(options: SessionsOptions = {}) {
    const { sessions, gapMs } = settle(SESSIONS_OPTIONS, options);
    this.#capacity = sessions;
    this.#gapMs = gapMs;
    this.#makeRoom(Math.min(this.#capacity, FEW_SESSIONS));
  }

  learn({ user, item, time }: Signal): void {
    if (this.#capacity === 0) return;
    const current = this.#currentOf(user, time);
    if (current === undefined) return this.#note(item, this.#begin(user, time, item));
    current.time = time;
    const items = this.#itemsOf(current.session);
    if (items.length === MAX_ITEMS || items.includes(item)) return;
    items.push(item);
    this.#note(item, current.session);
  }

  /** Appends a session to those of an item. */
  #note(item: number, session: number): void {
    const sessions = this.#sessionsOf(item);
    sessions.push(session);
    if (sessions.length >= 2 * NEWEST_SESSIONS) sessions.splice(0, NEWEST_SESSIONS);
  }

  forget(user: string): void {
    const current = this.#current.get(user);
    if (current === undefined) return;
    this.#current.delete(user);
    this.#userOf[current.session & this.#mask] = undefined;
  }

  forgetAll(): void {
    this.#current.clear();
    this.#userOf.fill(undefined);
  }

  /** Adds the items of the sessions most like the user's current one. */
  score(user: string, time: number, into: ItemScores): void {
    const current = this.#currentOf(user, time);
    if (current === undefined) return;
    const mine = this.#itemsOf(current.session);
    const newest = mine.slice(-NEWEST_ITEMS);
    const touched: number[] = [];
    const [similarity, places, mask] = [this.#similarity, this.#places, this.#mask];
    for (let place = 0; place < newest.length; place++) {
      const sessions = this.#byItem[newest[place]!] ?? [];
      const share = (place + 1) / newest.length;
      for (let k = Math.max(0, sessions.length - NEWEST_SESSIONS); k < sessions.length; k++) {
        const session = sessions[k]!;
        if (session === current.session) continue;
        const at = session & mask;
        if (similarity[at] === 0) touched.push(session);
        similarity[at] = similarity[at]! + share;
        places[at] = place;
      }
    }
    for (const session of this.#best(touched)) {
      const at = session & mask;
      const weight = similarity[at]! * (1 - 0.1 * Math.min(9, newest.length - 1 - places[at]!));
      into.addAll(this.#itemsOf(session), weight);
    }
    for (const session of touched) similarity[session & mask] = 0;
    into.scaleAll((item) => this.#idf(this.#byItem[item]?.length ?? 0));
  }

  /** A copy of everything, to be written. */
  clone(): Sessions {
    const clone = new Sessions({ sessions: this.#capacity, gapMs: this.#gapMs });
    clone.#makeRoom(this.#items.length);
    [clone.#first, clone.#next] = [this.#first, this.#next];
    for (let session = this.#first; session < this.#next; session++) {
      const at = session & this.#mask;
      clone.#items[at] = this.#items[at]!.slice();
      clone.#userOf[at] = this.#userOf[at];
    }
    clone.#byItem = this.#byItem.map((sessions) => sessions?.slice());
    for (const [user, current] of this.#current) clone.#current.set(user, { ...current });
    return clone;
  }

  /** Writes everything. @param order The items by id. @param rank Their places in it. */
  *encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions {
    to.uint(this.#first).uint(this.#next);
    const sessions = Array.from({ length: this.#next - this.#first }, (_, n) => this.#first + n);
    yield* inPortions(sessions, (session) => {
      const items = this.#itemsOf(session);
      to.uint(items.length);
      for (const item of items) to.uint(rank[item]!);
    });
    to.uint(this.#current.size);
    yield* inPortions(sessions, (session) => {
      const user = this.#userOf[session & this.#mask];
      if (user !== undefined) to.string(user).uint(session).f64(this.#current.get(user)!.time);
    });
    const items = yield* filterInPortions(order, (item) => this.#byItem[item] !== undefined);
    to.uint(items.length);
    yield* inPortions(items, (item) => {
      const sessions = this.#byItem[item]!;
      to.uint(rank[item]!).uint(sessions.length);
      let last = 0;
      for (const session of sessions) {
        to.int(session - last);
        last = session;
      }
    });
  }

  /** Reads what {@linkcode Sessions.encode} wrote. @param itemAt The item at a place of the order. */
  *decode(from: ByteReader, itemAt: (rank: number) => number): Portions {
    const first = from.uint(), next = from.uint(), kept = Math.max(first, next - this.#capacity);
    this.#makeRoom(next - kept);
    [this.#first, this.#next] = [kept, next];
    let session = first;
    yield* timesInPortions(next - first, () => {
      const items = times(from.count(), () => itemAt(from.uint()));
      if (session >= this.#first) this.#items[session & this.#mask] = items;
      session++;
    });
    yield* timesInPortions(from.count(), () => {
      const user = from.string(), session = from.uint(), time = from.f64();
      if (session < this.#first) return; // there is less room now, or 0.2.0 wrote it
      this.#current.set(user, { session, time });
      this.#userOf[session & this.#mask] = user;
    });
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      let last = 0;
      for (let k = from.count(); k > 0; k--) {
        last += from.int();
        if (last >= this.#first) this.#sessionsOf(item).push(last);
      }
    });
  }

  #itemsOf(session: number): number[] {
    return this.#items[session & this.#mask]!;
  }

  /** Begins a session of a user with an item, replacing the oldest if there is no room. @returns Its number */
  #begin(user: string, time: number, item: number): number {
    if (this.#next - this.#first === this.#capacity) this.#drop();
    this.#makeRoom(this.#next - this.#first + 1);
    const [session, mask] = [this.#next++, this.#mask];
    this.#items[session & mask] = [item];
    const current = this.#current.get(user);
    if (current === undefined) this.#current.set(user, { session, time });
    else {
      this.#userOf[current.session & mask] = undefined;
      current.session = session;
      current.time = time;
    }
    this.#userOf[session & mask] = user;
    return session;
  }

  /** Makes room for so many sessions, at least doubling it. */
  #makeRoom(sessions: number): void {
    if (sessions <= this.#items.length) return;
    const places = 2 ** Math.ceil(Math.log2(sessions));
    const [items, userOf, mask] = [this.#items, this.#userOf, this.#mask];
    this.#items = new Array<number[]>(places).fill(NO_ITEMS);
    this.#userOf = new Array<string | undefined>(places).fill(undefined);
    this.#similarity = new Float64Array(places);
    this.#places = new Uint8Array(places);
    this.#mask = places - 1;
    for (let session = this.#first; session < this.#next; session++) {
      this.#items[session & this.#mask] = items[session & mask]!;
      this.#userOf[session & this.#mask] = userOf[session & mask];
    }
  }

  #drop(): void {
    const session = this.#first++;
    for (const item of this.#itemsOf(session)) this.#cut(item, session);
    this.#items[session & this.#mask] = NO_ITEMS;
    const user = this.#userOf[session & this.#mask];
    if (user !== undefined) this.forget(user);
  }

  /** Removes a session from those of an item, unless it was already cut off as one of the oldest. */
  #cut(item: number, session: number): void {
    const sessions = this.#byItem[item];
    const at = sessions?.indexOf(session) ?? -1;
    if (at < 0) return;
    if (sessions!.length === 1) this.#byItem[item] = undefined;
    else if (at === 0) sessions!.shift();
    else sessions!.splice(at, 1);
  }

  #sessionsOf(item: number): number[] {
    // Filled without holes: a sparse array would be a hash map.
    while (this.#byItem.length <= item) this.#byItem.push(undefined);
    return this.#byItem[item] ??= [];
  }

  /** ln(1 + sessions / (1 + seen)) of an item that was in `seen` sessions. */
  #idf(seen: number): number {
    const all = this.#next - this.#first;
    if (all !== this.#idfsOf) {
      this.#idfs.fill(NaN);
      this.#idfsOf = all;
    }
    const known = this.#idfs[seen]!;
    if (known === known) return known;
    return this.#idfs[seen] = Math.log(1 + all / (1 + seen));
  }

  /** The most similar sessions, at most {@linkcode NEIGHBOURS}; among equals the newer ones. */
  #best(sessions: number[]): number[] {
    if (sessions.length <= NEIGHBOURS) return sessions.sort((a, b) => b - a);
    const { length } = sessions;
    if (length > this.#sorted.length) this.#sorted = new Float64Array(2 * length);
    const [similarity, sorted, mask] = [this.#similarity, this.#sorted, this.#mask];
    for (let k = 0; k < length; k++) sorted[k] = similarity[sessions[k]! & mask]!;
    const border = nthLargest(sorted, NEIGHBOURS, length);
    const above: number[] = [];
    const equal: number[] = [];
    for (let k = 0; k < length; k++) {
      const of = similarity[sessions[k]! & mask]!;
      if (of > border) above.push(sessions[k]!);
      else if (of === border) equal.push(sessions[k]!);
    }
    equal.sort((a, b) => b - a);
    return above.concat(equal.slice(0, NEIGHBOURS - above.length)).sort((a, b) => b - a);
  }

  #currentOf(user: string, time: number): Current | undefined {
    const current = this.#current.get(user);
    return current !== undefined && Math.abs(time - current.time) < this.#gapMs ? current : undefined;
  }
}
