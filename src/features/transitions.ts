/**
 * Cross features of the newest behaviours and a candidate's category, for the wide part of the logit: what people
 * turn to next, and what they are done with for a while. Each key has a learnt first-order weight.
 *
 * - `click:phones>cases` with value `strength · decay^rank · 2^(−age/halfLife)`, for each of the newest
 *   behaviours (rank 0 is the newest); `click:phones>done:cases` where something ended the search for cases since;
 * - `purchase@10:phones` and `purchase@11:phones` with values of sum 1: the newest purchase among phones is 2^5 − 1
 *   to 2^5.5 − 1 hours old, and the nearer step has the larger value (so the learnt effect is linear between the two),
 *   for each action in the history on an item of the candidate's category; `purchase@10:*0` the same, shared by all
 *   categories that are the first of their items, `*1` by all second ones;
 * - `click@10:=` the same for the candidate itself, shared by all items.
 *
 * Values are divided by the number of the candidate's categories, unless they are for the candidate itself; those of
 * `>` also by the number of the behaviour's.
 *
 * Cross-product features as in Wide & Deep (Cheng et al. 2016), over the sequence.
 */

import { count, names, type OptionsOf, positive } from "../options/option.ts";
import type { EarlierBehaviours, SampleHistory } from "../samples/sample.ts";

/** Options of the cross features. */
export interface TransitionOptions {
  /** Newest behaviours that are crossed. @default {12} */
  readonly behaviours?: number | undefined;
  /** Age at which a behaviour counts half, milliseconds. @default {475200000} */
  readonly halfLifeMs?: number | undefined;
  /**
   * Actions that follow another on the same item, and share its rank: a click with its cart and purchase is one step
   * back in the history, not three. @default {["like", "cart", "purchase"]}
   */
  readonly follows?: readonly string[] | undefined;
  /**
   * Actions that end a search in the item's first category: behaviours before the newest of them have weights of their
   * own for that category. The newest per category is kept for longer than models read. @default {["purchase"]}
   */
  readonly ends?: readonly string[] | undefined;
}

/** The options of {@linkcode TransitionOptions}; defaults are applied where they are used, once per list. */
export const TRANSITION_OPTIONS = {
  behaviours: count(12, "how many of the newest behaviours are crossed"),
  halfLifeMs: positive(475_200_000, "age at which a behaviour counts half"),
  follows: names(["like", "cart", "purchase"], "actions that share the rank of the click they follow"),
  ends: names(["purchase"], "actions that end a search in the item's first category"),
} satisfies OptionsOf<TransitionOptions>;

const HOUR = 3_600_000;
/** Weight of a behaviour relative to the next newer one. */
const RANK_DECAY = 0.5;
/** Resolution of ages: steps of half an octave. */
const STEPS_PER_OCTAVE = 2;

/** Whether a key stands for a step from a behaviour to the candidate's category, or for the age of a behaviour. */
export type CrossKind = "transition" | "age";

export interface CrossKey {
  readonly key: string;
  /** What the weight is multiplied by. */
  readonly value: number;
}

export type WeightOf = (key: JoinedKey, kind: CrossKind) => number;

/** Most cached keys; beyond it all are dropped. */
const MAX_JOINED = 1 << 15;

/** A key, with longer keys made from it: joining the same parts again creates no string, and hashes only the second. */
export class JoinedKey {
  readonly text: string;
  weight = 0;
  /** State of the tables when `weight` was read; see `LookUps`. */
  weighedAt = 0;
  row = 0;
  /** The table's `removals` when `row` was looked up. */
  foundAt = 0;
  #longer: Map<string, JoinedKey> | undefined;

  /** A key from which no longer one has been made. */
  constructor(text: string) {
    this.text = text;
  }

  /** This key followed by `end`, if it was made before. */
  get(end: string): JoinedKey | undefined {
    return this.#longer?.get(end);
  }

  make(end: string): JoinedKey {
    const key = new JoinedKey(this.text + end);
    (this.#longer ??= new Map()).set(end, key);
    return key;
  }

  /** Drops the longer keys. */
  clear(): void {
    this.#longer = undefined;
  }
}

/**
 * Joins the parts of keys and caches the results: a string's hash is computed only once, but every newly joined string
 * would need its own.
 */
export class JoinedKeys {
  readonly #root = new JoinedKey("");
  #size = 0;

  /** A key of one part. */
  start(text: string): JoinedKey {
    return this.join(this.#root, text);
  }

  join(start: JoinedKey, end: string): JoinedKey {
    return start.get(end) ?? this.#make(start, end);
  }

  clear(): void {
    this.#root.clear();
    this.#size = 0;
  }

  #make(start: JoinedKey, end: string): JoinedKey {
    if (this.#size === MAX_JOINED) this.clear();
    this.#size++;
    return start.make(end);
  }
}

interface Prefix {
  readonly prefix: JoinedKey;
  /** The prefix for categories whose search has ended since. */
  readonly done: JoinedKey;
  readonly value: number;
  /** Index of the behaviour in the history. */
  readonly at: number;
}

/** The cross features of one impression's history. */
export class Transitions {
  readonly #prefixes: Prefix[] = [];
  /** Index of the newest behaviour that ended the search, by category. */
  readonly #ended = new Map<string, number>();
  readonly #since = new Map<string, Age[]>();
  readonly #own = new Map<string, Age[]>();
  readonly #joined: JoinedKeys;

  /** Prepares the history, as seen at `time`. @param joined caches keys from one impression to the next */
  constructor(
    history: SampleHistory,
    time: number,
    options: TransitionOptions,
    joined: JoinedKeys = new JoinedKeys(),
  ) {
    this.#joined = joined;
    this.#cross(history, time, options);
    this.#age(history, time);
    const ends = options.ends ?? TRANSITION_OPTIONS.ends.value;
    const { actions, categories } = history;
    for (let t = 0; t < actions.length; t++) {
      const category = categories[t]![0];
      if (category !== undefined && ends.includes(actions[t]!)) this.#ended.set(category, t);
    }
  }

  #cross(history: SampleHistory, time: number, options: TransitionOptions): void {
    const {
      behaviours = TRANSITION_OPTIONS.behaviours.value,
      halfLifeMs = TRANSITION_OPTIONS.halfLifeMs.value,
      follows = TRANSITION_OPTIONS.follows.value,
    } = options;
    const T = history.items.length;
    const joined = this.#joined;
    let steps = 0;
    for (let t = T - 1; t >= Math.max(0, T - behaviours); t--) {
      const categories = history.categories[t]!;
      const rank = follows.includes(history.actions[t]!) ? steps : steps++;
      const age = Math.max(0, time - history.times[t]!);
      const value = history.strengths[t]! * RANK_DECAY ** rank * 2 ** (-age / halfLifeMs) / categories.length;
      const action = joined.join(joined.start(history.actions[t]!), ":");
      for (const category of categories) {
        const prefix = joined.join(joined.join(action, category), ">");
        this.#prefixes.push({ prefix, done: joined.join(prefix, "done:"), value, at: t });
      }
    }
  }

  #age(history: SampleHistory, time: number): void {
    const newer: Newer[] = [];
    this.#ages(history, time, newer);
    if (history.earlier !== undefined) this.#ages(history.earlier, time, newer);
  }

  /** Adds the ages of the newest behaviours with each action, by item and category, unless `all` has newer ones. */
  #ages(history: EarlierBehaviours, time: number, all: Newer[]): void {
    for (let t = history.items.length - 1; t >= 0; t--) {
      const action = history.actions[t]!;
      const item = history.items[t]!;
      const categories = history.categories[t]!;
      const newer = newerOf(all, action);
      let age: Age | undefined;
      if (!newer.items.has(item)) {
        newer.items.add(item);
        age = { action, steps: stepsOf(time - history.times[t]!), level: -1 };
        listIn(this.#own, item).push(age);
      }
      for (let level = 0; level < categories.length; level++) {
        const category = categories[level]!;
        if (newer.categories.has(category)) continue;
        newer.categories.add(category);
        const steps = age?.steps ?? stepsOf(time - history.times[t]!);
        listIn(this.#since, category).push({ action, steps, level });
      }
    }
  }

  /** Calls `use` with each key and value of a candidate's categories, and its kind, in a fixed order. */
  forEach(
    categories: readonly string[],
    use: (key: JoinedKey, value: number, kind: CrossKind) => void,
  ): void {
    for (const category of categories) {
      const ended = this.#ended.get(category) ?? -1;
      for (const { prefix, done, value, at } of this.#prefixes) {
        const key = this.#joined.join(at < ended ? done : prefix, category);
        use(key, value / categories.length, "transition");
      }
      for (const age of this.#since.get(category) ?? []) {
        for (const name of [category, levelKey(age.level)]) {
          const step = Math.floor(age.steps);
          const nearer = age.steps - step;
          use(this.#ageKey(age.action, step, name), (1 - nearer) / categories.length, "age");
          if (nearer > 0) use(this.#ageKey(age.action, step + 1, name), nearer / categories.length, "age");
        }
      }
    }
  }

  /** Σ value · weight over the keys of one category, in the order of {@linkcode Transitions.forEach}. */
  sum(category: string, weightOf: WeightOf): number {
    const joined = this.#joined, prefixes = this.#prefixes;
    const ended = this.#ended.get(category) ?? -1;
    let sum = 0;
    for (let p = 0; p < prefixes.length; p++) {
      const { prefix, done, value, at } = prefixes[p]!;
      sum += value * weightOf(joined.join(at < ended ? done : prefix, category), "transition");
    }
    const ages = this.#since.get(category);
    if (ages === undefined) return sum;
    for (let i = 0; i < ages.length; i++) {
      const age = ages[i]!;
      sum = this.#addAge(sum, age, category, weightOf);
      sum = this.#addAge(sum, age, levelKey(age.level), weightOf);
    }
    return sum;
  }

  /** The keys, of kind `age`, of a candidate that is itself among the behaviours. */
  own(item: string): readonly CrossKey[] {
    return this.#own.get(item)?.flatMap((age) => this.#stepsOf(age, "=")) ?? [];
  }

  /** Whether a candidate is itself among the behaviours. */
  has(item: string): boolean {
    return this.#own.has(item);
  }

  /** Adds value · weight of each key of {@linkcode Transitions.own} to `sum`, one after the other. */
  addOwn(sum: number, item: string, weightOf: WeightOf): number {
    const ages = this.#own.get(item);
    if (ages === undefined) return sum;
    for (let i = 0; i < ages.length; i++) sum = this.#addAge(sum, ages[i]!, "=", weightOf);
    return sum;
  }

  /** The keys of the two whole steps that an age lies between. */
  #stepsOf({ action, steps }: Age, of: string): CrossKey[] {
    const step = Math.floor(steps);
    const nearer = steps - step;
    const first = { key: this.#ageKey(action, step, of).text, value: 1 - nearer };
    return nearer > 0 ? [first, { key: this.#ageKey(action, step + 1, of).text, value: nearer }] : [first];
  }

  #addAge(sum: number, { action, steps }: Age, of: string, weightOf: WeightOf): number {
    const step = Math.floor(steps);
    const nearer = steps - step;
    sum += (1 - nearer) * weightOf(this.#ageKey(action, step, of), "age");
    return nearer > 0 ? sum + nearer * weightOf(this.#ageKey(action, step + 1, of), "age") : sum;
  }

  #ageKey(action: string, step: number, of: string): JoinedKey {
    const joined = this.#joined;
    return joined.join(joined.join(joined.join(joined.start(action), "@"), stepKey(step)), of);
  }
}

/** How long ago the newest behaviour with an action was, in steps. */
interface Age {
  readonly action: string;
  readonly steps: number;
  /** Place of the category among those of the behaviour; −1 = of an item. */
  readonly level: number;
}

/** Items and categories of newer behaviours with an action. */
interface Newer {
  readonly action: string;
  readonly items: Set<string>;
  readonly categories: Set<string>;
}

/** A linear search: with few actions it is faster than a map. */
function newerOf(all: Newer[], action: string): Newer {
  for (let n = 0; n < all.length; n++) if (all[n]!.action === action) return all[n]!;
  const newer = { action, items: new Set<string>(), categories: new Set<string>() };
  all.push(newer);
  return newer;
}

function listIn<T>(lists: Map<string, T[]>, key: string): T[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, list = []);
  return list;
}

function stepsOf(ageMs: number): number {
  return STEPS_PER_OCTAVE * Math.log2(1 + Math.max(0, ageMs) / HOUR);
}

/** Texts of the first steps and levels; larger ones are rare. */
const STEP_KEYS = Array.from({ length: 64 }, (_, step) => `${step}:`);
const LEVEL_KEYS = Array.from({ length: 8 }, (_, level) => `*${level}`);

function stepKey(step: number): string {
  return STEP_KEYS[step] ?? `${step}:`;
}

function levelKey(level: number): string {
  return LEVEL_KEYS[level] ?? `*${level}`;
}
