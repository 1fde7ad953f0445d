/**
 * Cross features of the newest behaviours and a candidate's category, for the wide part of the logit: what people
 * turn to next, and what they are done with for a while. Each key has a learnt first-order weight.
 *
 * - `click:phones>cases` with value `strength · decay^rank · 2^(−age/halfLife)`, for each of the newest
 *   behaviours (rank 0 is the newest); `click:phones>done:cases` where something ended the search for cases since;
 * - `purchase@5:phones` with value 1: the newest purchase among phones is 2^5 − 1 to 2^6 − 2 hours old, for each
 *   action that the window has of the candidate's category; `purchase@5:*0` the same for all categories that are
 *   the first of their items, `*1` for all second ones;
 * - `click@5:=` with value 1: the same of the candidate itself, in steps of half an octave, for items of all kinds.
 *
 * Cross-product features as in Wide & Deep (Cheng et al. 2016), over the sequence.
 *
 * @module
 */

import type { SampleHistory } from "../learner/sample.ts";

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
   * Actions that end a search: behaviours before the newest one in a category of the candidate have weights of their
   * own for that category. @default {purchase}
   */
  readonly ends?: readonly string[];
}

const HOUR = 3_600_000;
const FOLLOWS = ["like", "cart", "purchase"];
const ENDS = ["purchase"];

/** Whether a key says what was turned to next, or how long ago something was. */
export type CrossKind = "transition" | "age";

interface Prefix {
  readonly prefix: string;
  readonly value: number;
  /** Index of the behaviour in the history. */
  readonly at: number;
}

/** The cross features of one impression's history. */
export class Transitions {
  readonly #prefixes: Prefix[] = [];
  /** Index of the newest behaviour that ended the search, by category. */
  readonly #ended = new Map<string, number>();
  readonly #since = new Map<string, string[]>();
  readonly #own = new Map<string, string[]>();

  /** Prepares the history, as seen at `time`. */
  constructor(history: SampleHistory, time: number, options: TransitionOptions) {
    this.#cross(history, time, options);
    this.#age(history, time);
    const ends = options.ends ?? ENDS;
    history.actions.forEach((action, t) => {
      if (ends.includes(action)) {
        for (const category of history.categories[t]!) this.#ended.set(category, t);
      }
    });
  }

  #cross(history: SampleHistory, time: number, options: TransitionOptions): void {
    const { behaviours = 12, decay = 0.5, halfLifeMs = 132 * HOUR, follows = FOLLOWS } = options;
    const T = history.items.length;
    let steps = 0;
    for (let t = T - 1; t >= Math.max(0, T - behaviours); t--) {
      const categories = history.categories[t]!;
      const rank = follows.includes(history.actions[t]!) ? steps : steps++;
      const age = Math.max(0, time - history.times[t]!);
      const value = history.strengths[t]! * decay ** rank * 2 ** (-age / halfLifeMs) / categories.length;
      for (const category of categories) {
        this.#prefixes.push({ prefix: `${history.actions[t]!}:${category}>`, value, at: t });
      }
    }
  }

  #age(history: SampleHistory, time: number): void {
    const found = new Set<string>();
    for (let t = history.items.length - 1; t >= 0; t--) {
      const octaves = Math.log2(1 + Math.max(0, time - history.times[t]!) / HOUR);
      const own = `${history.actions[t]!}=${history.items[t]!}`;
      if (!found.has(own)) {
        found.add(own);
        add(this.#own, history.items[t]!, `${history.actions[t]!}@${Math.floor(2 * octaves)}:=`);
      }
      for (const [level, category] of history.categories[t]!.entries()) {
        const what = `${history.actions[t]!}:${category}`;
        if (found.has(what)) continue;
        found.add(what);
        const since = `${history.actions[t]!}@${Math.floor(octaves)}:`;
        add(this.#since, category, `${since}${category}`);
        add(this.#since, category, `${since}*${level}`);
      }
    }
  }

  /** Calls `use` with each key and value of a candidate's categories, and its kind, in a fixed order. */
  forEach(categories: readonly string[], use: (key: string, value: number, kind: CrossKind) => void): void {
    for (const category of categories) {
      const ended = this.#ended.get(category) ?? -1;
      for (const { prefix, value, at } of this.#prefixes) {
        use(`${prefix}${at < ended ? "done:" : ""}${category}`, value / categories.length, "transition");
      }
      for (const key of this.#since.get(category) ?? []) use(key, 1 / categories.length, "age");
    }
  }

  /** The keys of a candidate that is among the behaviours itself, each of value 1 and the kind `age`. */
  own(item: string): readonly string[] {
    return this.#own.get(item) ?? [];
  }
}

function add(keys: Map<string, string[]>, what: string, key: string): void {
  const known = keys.get(what);
  if (known === undefined) keys.set(what, [key]);
  else known.push(key);
}
