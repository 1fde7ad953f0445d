/**
 * The features of a candidate other than its sources' scores: properties of the item, and of the user's behaviours.
 */

import type { FeatureStatistics } from "../features/statistics.ts";
import type { UserState } from "../users/user_state.ts";
import { copyColumn } from "./features.ts";
import { ItemScores } from "./items/item_scores.ts";
import { logarithms } from "./items/logarithms.ts";
import { placed, sameAnywhere, TraitLifts } from "./items/trait_lifts.ts";
import { OCCASION_KINDS } from "./folds/occasions.ts";
import type { CandidateRequest } from "./signals/candidate_request.ts";
import type { SourceParts } from "./sources/parts.ts";

/** A user with fewer behaviours is cold: popularity counts more. */
const WARM = 3;
/** Weight of a behaviour relative to the next newer one, and number of behaviours that count. */
const AFFINITY_STEP = 0.85;
const AFFINITY_BEHAVIOURS = 10;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** How sharp the time of day is: a behaviour three hours away from it counts about half, one six hours away 0.08. */
const SHARPNESS = 2.5;

export interface Candidates {
  readonly request: CandidateRequest;
  readonly count: number;
  /** Indices of the items; here and in `categories`, the first `count` are valid. */
  readonly items: readonly number[];
  /** Numbers of the categories of each. */
  readonly categories: readonly (readonly number[])[];
  /** Features of all, row by row. */
  readonly values: Float64Array;
  /** Features per row. */
  readonly columns: number;
}

/** Writes the property of each candidate to a column of their features, which is all 0. */
export type Fill = (candidates: Candidates, column: number) => void;

export interface PropertyParts
  extends
    Pick<SourceParts, "catalogue" | "lists" | "neighbours" | "occasions" | "options" | "returns" | "trends"> {
  /** Rates of items, and tastes of users. */
  readonly statistics: FeatureStatistics;
}

export interface Property {
  readonly name: string;
  readonly weight: number;
  /** The source whose feature it repeats, unless it is 0, so that its weight adds to the source's. */
  readonly repeats?: string;
  /** Makes the function that fills its column. @param columnOf Column of a source's feature; −1 without the source */
  create(parts: PropertyParts, columnOf: (source: string) => number): Fill;
}

/** Marks items that the user already had. */
export const OWN = "own";

export const PROPERTIES: readonly Property[] = [
  {
    name: "cold",
    weight: 0.8,
    repeats: "popular",
    create: (_parts, columnOf) => {
      const repeated = columnOf("popular");
      return ({ request, count, values, columns }, column) => {
        if (request.context.size >= WARM || repeated < 0) return;
        for (let c = 0, at = 0; c < count; c++, at += columns) values[at + column] = values[at + repeated]!;
      };
    },
  },
  {
    name: OWN,
    weight: 0,
    create: ({ catalogue }) => {
      let own = new Uint8Array(64);
      return ({ request: { context }, count, items, values, columns }, column) => {
        if (catalogue.size > own.length) own = new Uint8Array(2 * catalogue.size);
        for (let x = 0; x < context.size; x++) own[context.items[x]!] = 1;
        for (let c = 0, at = column; c < count; c++, at += columns) values[at] = own[items[c]!]!;
        for (let x = 0; x < context.size; x++) own[context.items[x]!] = 0;
      };
    },
  },
  {
    name: "times had",
    weight: 0,
    create: (parts) =>
      ofOwn(parts, (own, { context: { size, items } }) => {
        for (let x = 0; x < size; x++) own[items[x]!] = own[items[x]!]! + 1;
      }),
  },
  {
    name: "had at this hour",
    weight: 0,
    create: (parts) =>
      ofOwn(parts, (own, { context: { size, items, times }, time }) => {
        for (let x = 0; x < size; x++) own[items[x]!] = own[items[x]!]! + closeness(time - times[x]!);
      }),
  },
  {
    name: "time since had",
    weight: 0,
    create: (parts) =>
      ofOwn(parts, (own, { context: { size, items, times }, time }) => {
        for (let x = size - 1; x >= 0; x--) own[items[x]!] = Math.max(0, time - times[x]!) / MINUTE_MS;
      }),
  },
  {
    name: "quality",
    weight: 0.4,
    create: ({ catalogue, statistics }) => ({ count, items, values, columns }, column) => {
      for (let c = 0, at = column; c < count; c++, at += columns) {
        values[at] = statistics.quality(catalogue.at(items[c]!).statistics);
      }
    },
  },
  { name: "taste", weight: 0.5, create: tasteOf },
  {
    name: "affinity",
    weight: 0.8,
    create: ({ lists }) => {
      /** By number of a category: affinity of the newest behaviours to it. */
      const affinity = new ItemScores();
      return ({ request: { context }, count, categories, values, columns }, column) => {
        affinity.clear();
        for (let x = 0; x < Math.min(AFFINITY_BEHAVIOURS, context.size); x++) {
          for (const category of lists.categoriesOf(context.items[x]!)) {
            affinity.add(category, AFFINITY_STEP ** x);
          }
        }
        for (let c = 0, at = column; c < count; c++, at += columns) {
          const own = categories[c]!;
          let sum = 0;
          for (let k = 0; k < own.length; k++) sum += affinity.get(own[k]!);
          values[at] = sum / (5 * Math.sqrt(own.length || 1));
        }
      };
    },
  },
  {
    name: "usual categories",
    weight: 0,
    create: ({ lists, catalogue }) =>
      liftsOf(new TraitLifts(lists, (item) => catalogue.at(item).categories, sameAnywhere)),
  },
  {
    name: "usual fields",
    weight: 0,
    create: ({ lists, catalogue }) =>
      liftsOf(new TraitLifts(lists, (item) => catalogue.at(item).fields, placed)),
  },
  {
    name: "count",
    weight: -0.2,
    create: ({ neighbours }) => {
      let unit = 1;
      const fill = logarithmsOf((item) => neighbours.count(item) / unit);
      return (candidates, column) => {
        unit = neighbours.unit(candidates.request.time);
        fill(candidates, column);
      };
    },
  },
  {
    name: "age of behaviours",
    weight: 0,
    create: ({ trends }) => {
      let now = 0;
      const fill = logarithmsOf((item) => trends.age(item, now) / MINUTE_MS);
      return (candidates, column) => {
        now = candidates.request.time;
        fill(candidates, column);
      };
    },
  },
  ...OCCASION_KINDS.map((name, kind): Property => ({
    name,
    weight: 0,
    create: ({ occasions }) => (candidates, column) => {
      const { request, values, columns } = candidates;
      occasions.lifts(kind, request, candidates, (place, lift) => values[place * columns + column] = lift);
    },
  })),
];

/** How near two times are by the time of day, from 1 to almost 0 half a day apart. @param gap Between them, milliseconds */
function closeness(gap: number): number {
  return Math.exp(SHARPNESS * (Math.cos(2 * Math.PI * gap / DAY_MS) - 1));
}

/** ln(1 + x) of a number of each candidate. */
function logarithmsOf(of: (item: number) => number): Fill {
  let scratch = new Float64Array(64);
  return ({ count, items, values, columns }, column) => {
    if (count > scratch.length) scratch = new Float64Array(2 * count);
    for (let c = 0; c < count; c++) scratch[c] = of(items[c]!);
    logarithms(scratch, count);
    copyColumn(count, { values, column, columns, scratch });
  };
}

/**
 * ln(1 + x) of a number for each item that the user already had; 0 for all others.
 *
 * @param note Sets that number at the items' places, which are 0
 */
function ofOwn(
  { catalogue, returns }: PropertyParts,
  note: (own: Float64Array, request: CandidateRequest) => void,
): Fill {
  let own = new Float64Array(64);
  const fill = logarithmsOf((item) => own[item]!);
  return (candidates, column) => {
    const { request } = candidates;
    if (!returns.expected) return;
    if (catalogue.size > own.length) own = new Float64Array(2 * catalogue.size);
    note(own, request);
    fill(candidates, column);
    for (let x = 0; x < request.context.size; x++) own[request.context.items[x]!] = 0;
  };
}

/** How much more the user favours the traits of each candidate than others do. */
function liftsOf(lifts: TraitLifts): Fill {
  return ({ request: { context }, count, items, values, columns }, column) => {
    if (!lifts.ask(context)) return;
    for (let c = 0, at = column; c < count; c++, at += columns) values[at] = lifts.of(items[c]!);
  };
}

/** The user's mean taste in the categories of a candidate. */
function tasteOf({ catalogue, statistics }: PropertyParts): Fill {
  /**
   * By number of a category: the user's taste in it, NaN if it has not been computed; and the categories computed.
   */
  let tastes = new Float64Array(256).fill(NaN);
  let tasted: number[] = [];
  const ask = (user: UserState, number: number, item: number, k: number): number => {
    if (number >= tastes.length) {
      const wider = new Float64Array(2 * number).fill(NaN);
      wider.set(tastes);
      tastes = wider;
    }
    tasted.push(number);
    return tastes[number] = statistics.taste(user.statistics, catalogue.at(item).categories[k]!);
  };
  return ({ request: { user }, count, items, categories, values, columns }, column) => {
    if (user === null) return;
    for (let c = 0, at = column; c < count; c++, at += columns) {
      const own = categories[c]!;
      let sum = 0;
      for (let k = 0; k < own.length; k++) {
        const number = own[k]!;
        const known = number < tastes.length ? tastes[number]! : NaN;
        sum += known === known ? known : ask(user, number, items[c]!, k);
      }
      values[at] = sum / (own.length || 1);
    }
    for (const category of tasted) tastes[category] = NaN;
    tasted = [];
  };
}
