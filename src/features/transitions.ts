/**
 * Cross features of the newest behaviours and a candidate's category, for the wide part of the logit: what people
 * turn to next, and what they are done with for a while. Each key has a learnt first-order weight.
 *
 * - `click:phones>cases` with value `strength · decay^rank · 2^(−age/halfLife)`, for each of the newest
 *   behaviours (rank 0 is the newest); `click:phones>done:cases` where something ended the search for cases since;
 * - `purchase@10:phones` and `purchase@11:phones` with values of sum 1: the newest purchase among phones is 2^5 − 1
 *   to 2^5.5 − 1 hours old, and the nearer of the two has the more (so the learnt effect is linear between the two),
 *   for each action that the history has of the candidate's category; `purchase@10:*0` the same for all categories
 *   that are the first of their items, `*1` for all second ones;
 * - `click@10:=` the same of the candidate itself, for items of all kinds.
 *
 * Cross-product features as in Wide & Deep (Cheng et al. 2016), over the sequence.
 *
 * @module
 */

import type { EarlierBehaviours, SampleHistory } from "../learner/sample.ts";

/** Options of the cross features. */
export interface TransitionOptions {
  /** Newest behaviours that are crossed. @default {12} */
  readonly behaviours?: number;
  /** Factor a rank, in (0, 1]. @default {0.5} */
  readonly decay?: number;
  /** Age at which a behaviour counts half, milliseconds. @default {475200000} */
  readonly halfLifeMs?: number;
  /**
   * Actions that follow another one on the same item, and have its rank: a click with its cart and purchase is one
   * step back in the history, not three. @default {like, cart, purchase}
   */
  readonly follows?: readonly string[];
  /**
   * Actions that end a search in the item's first category: behaviours before the newest one have weights of their own
   * for that category. The newest in each is remembered longer than models read. @default {purchase}
   */
  readonly ends?: readonly string[];
}

const HOUR = 3_600_000;
/** Ages are told apart in steps of half an octave. */
const STEPS_AN_OCTAVE = 2;
const FOLLOWS = ["like", "cart", "purchase"];
/** Default of {@linkcode TransitionOptions.ends}. */
export const ENDS: readonly string[] = ["purchase"];

/** Whether a key says what was turned to next, or how long ago something was. */
export type CrossKind = "transition" | "age";

/** A cross feature that is there. */
export interface CrossKey {
  /** Key of its weight. */
  readonly key: string;
  /** What the weight is multiplied by. */
  readonly value: number;
}

/** Joined keys that are remembered at most: then all are forgotten. */
const MAX_JOINED = 8192;

/**
 * Joins the two parts of keys, and remembers those that it has joined: an engine hashes a string once, and one that
 * was just made each time.
 */
export class JoinedKeys {
  readonly #keys = new Map<string, Map<string, string>>();
  #size = 0;

  /** `start + end`. */
  join(start: string, end: string): string {
    const ends = this.#keys.get(start);
    return ends?.get(end) ?? this.#remember(start, end);
  }

  #remember(start: string, end: string): string {
    if (this.#size++ === MAX_JOINED) {
      this.#keys.clear();
      this.#size = 1;
    }
    const ends = this.#keys.get(start) ?? new Map<string, string>();
    this.#keys.set(start, ends);
    const key = start + end;
    ends.set(end, key);
    return key;
  }
}

interface Prefix {
  readonly prefix: string;
  /** The same behind the end of a search. */
  readonly done: string;
  readonly value: number;
  /** Index of the behaviour in the history. */
  readonly at: number;
}

/** The cross features of one impression's history. */
export class Transitions {
  readonly #prefixes: Prefix[] = [];
  /** Index of the newest behaviour that ended the search, by category. */
  readonly #ended = new Map<string, number>();
  readonly #since = new Map<string, CrossKey[]>();
  readonly #own = new Map<string, Age[]>();
  readonly #joined: JoinedKeys;

  /** Prepares the history, as seen at `time`. @param joined remembers keys from one impression to the next */
  constructor(
    history: SampleHistory,
    time: number,
    options: TransitionOptions,
    joined: JoinedKeys = new JoinedKeys(),
  ) {
    this.#joined = joined;
    this.#cross(history, time, options);
    this.#age(history, time);
    const ends = options.ends ?? ENDS;
    history.actions.forEach((action, t) => {
      const [category] = history.categories[t]!;
      if (category !== undefined && ends.includes(action)) this.#ended.set(category, t);
    });
  }

  #cross(history: SampleHistory, time: number, options: TransitionOptions): void {
    const { behaviours = 12, decay = 0.5, halfLifeMs = 132 * HOUR, follows = FOLLOWS } = options;
    const T = history.items.length;
    const joined = this.#joined;
    let steps = 0;
    for (let t = T - 1; t >= Math.max(0, T - behaviours); t--) {
      const categories = history.categories[t]!;
      const rank = follows.includes(history.actions[t]!) ? steps : steps++;
      const age = Math.max(0, time - history.times[t]!);
      const value = history.strengths[t]! * decay ** rank * 2 ** (-age / halfLifeMs) / categories.length;
      for (const category of categories) {
        const prefix = joined.join(joined.join(joined.join(history.actions[t]!, ":"), category), ">");
        this.#prefixes.push({ prefix, done: joined.join(prefix, "done:"), value, at: t });
      }
    }
  }

  #age({ earlier, ...history }: SampleHistory, time: number): void {
    const found = new Map<string, Found>();
    for (let t = history.items.length - 1; t >= 0; t--) this.#ageOf(history, t, time, found);
    if (earlier === undefined) return;
    for (let t = earlier.items.length - 1; t >= 0; t--) this.#ageOf(earlier, t, time, found);
  }

  #ageOf(history: EarlierBehaviours, t: number, time: number, found: Map<string, Found>): void {
    const action = history.actions[t]!;
    let known = found.get(action);
    if (known === undefined) found.set(action, known = { items: new Set(), categories: new Set() });
    const age = () => ({ action, steps: stepsOf(time - history.times[t]!) });
    const item = history.items[t]!;
    if (!known.items.has(item)) {
      known.items.add(item);
      const own = this.#own.get(item);
      if (own === undefined) this.#own.set(item, [age()]);
      else own.push(age());
    }
    for (const [level, category] of history.categories[t]!.entries()) {
      if (known.categories.has(category)) continue;
      known.categories.add(category);
      let since = this.#since.get(category);
      if (since === undefined) this.#since.set(category, since = []);
      addAge(since, age(), category);
      addAge(since, age(), `*${level}`);
    }
  }

  /** Calls `use` with each key and value of a candidate's categories, and its kind, in a fixed order. */
  forEach(categories: readonly string[], use: (key: string, value: number, kind: CrossKind) => void): void {
    for (const category of categories) {
      const ended = this.#ended.get(category) ?? -1;
      for (const { prefix, done, value, at } of this.#prefixes) {
        const key = this.#joined.join(at < ended ? done : prefix, category);
        use(key, value / categories.length, "transition");
      }
      for (const { key, value } of this.#since.get(category) ?? []) {
        use(key, value / categories.length, "age");
      }
    }
  }

  /** The keys of a candidate that is among the behaviours itself, of the kind `age`. */
  own(item: string): readonly CrossKey[] {
    const keys: CrossKey[] = [];
    for (const age of this.#own.get(item) ?? []) addAge(keys, age, "=");
    return keys;
  }
}

/** How long ago the newest behaviour with an action was, in steps. */
interface Age {
  readonly action: string;
  readonly steps: number;
}

/** What a newer behaviour with an action was about. */
interface Found {
  readonly items: Set<string>;
  readonly categories: Set<string>;
}

function stepsOf(ageMs: number): number {
  return STEPS_AN_OCTAVE * Math.log2(1 + Math.max(0, ageMs) / HOUR);
}

/** Adds the keys of the two whole steps that an age is between. */
function addAge(keys: CrossKey[], { action, steps }: Age, of: string): void {
  const step = Math.floor(steps);
  const nearer = steps - step;
  keys.push({ key: `${action}@${step}:${of}`, value: 1 - nearer });
  if (nearer > 0) keys.push({ key: `${action}@${step + 1}:${of}`, value: nearer });
}
