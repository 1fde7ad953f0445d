/**
 * Cross features of the newest behaviours and a candidate's category, for the wide part of the logit: what people
 * turn to next, and what they are done with for a while. Each key has a learnt first-order weight.
 *
 * - `click:phones>cases` with value `strength · decay^rank · 2^(−age/halfLife)`, for each of the newest
 *   behaviours (rank 0 is the newest);
 * - `purchase@5:phones` with value 1: the newest purchase among phones is 2^5 − 1 to 2^6 − 2 hours old, for each
 *   action that the window has of the candidate's category;
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
  /** Factor a rank, in (0, 1]. @default {0.6} */
  readonly decay?: number;
  /** Age at which a behaviour counts half, milliseconds. @default {4 days} */
  readonly halfLifeMs?: number;
}

const HOUR = 3_600_000;

/** The cross features of one impression's history. */
export class Transitions {
  readonly #prefixes: { readonly prefix: string; readonly value: number }[] = [];
  readonly #since = new Map<string, string[]>();
  readonly #own = new Map<string, string[]>();

  /** Prepares the history, as seen at `time`. */
  constructor(history: SampleHistory, time: number, options: TransitionOptions) {
    const { behaviours = 12, decay = 0.6, halfLifeMs = 96 * HOUR } = options;
    const T = history.items.length;
    for (let t = T - 1, rank = 0; t >= Math.max(0, T - behaviours); t--, rank++) {
      const categories = history.categories[t]!;
      const age = Math.max(0, time - history.times[t]!);
      const value = history.strengths[t]! * decay ** rank * 2 ** (-age / halfLifeMs) / categories.length;
      for (const category of categories) {
        this.#prefixes.push({ prefix: `${history.actions[t]!}:${category}>`, value });
      }
    }
    const found = new Set<string>();
    const add = (keys: Map<string, string[]>, what: string, key: string) => {
      const known = keys.get(what);
      if (known === undefined) keys.set(what, [key]);
      else known.push(key);
    };
    for (let t = T - 1; t >= 0; t--) {
      const octaves = Math.log2(1 + Math.max(0, time - history.times[t]!) / HOUR);
      const own = `${history.actions[t]!}=${history.items[t]!}`;
      if (!found.has(own)) {
        found.add(own);
        add(this.#own, history.items[t]!, `${history.actions[t]!}@${Math.floor(2 * octaves)}:=`);
      }
      for (const category of history.categories[t]!) {
        const what = `${history.actions[t]!}:${category}`;
        if (found.has(what)) continue;
        found.add(what);
        add(this.#since, category, `${history.actions[t]!}@${Math.floor(octaves)}:${category}`);
      }
    }
  }

  /** Calls `use` with each key and value of a candidate's categories, in a fixed order. */
  forEach(categories: readonly string[], use: (key: string, value: number) => void): void {
    for (const category of categories) {
      for (const { prefix, value } of this.#prefixes) use(prefix + category, value / categories.length);
      for (const key of this.#since.get(category) ?? []) use(key, 1 / categories.length);
    }
  }

  /** The keys of a candidate that is among the behaviours itself, each of value 1. */
  own(item: string): readonly string[] {
    return this.#own.get(item) ?? [];
  }
}
