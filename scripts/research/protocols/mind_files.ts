/**
 * Visits to a news page, in the format of MIND (Wu et al., "MIND: A Large-scale Dataset for News Recommendation", ACL
 * 2020): who came, what they had read before, what was shown, and what was clicked.
 */

import type { ItemRecord } from "../../../src/events/event.ts";
import { type ActionPolicies, DEFAULT_ACTIONS } from "../../../src/features/actions.ts";

export interface Visit {
  readonly user: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Articles that the user read before the data begin, oldest first; empty except for a user's first visit. */
  readonly read: readonly string[];
  /** Shown articles; their order has no meaning. */
  readonly shown: readonly string[];
  readonly clicked: readonly string[];
}

/** Articles read before the data begin are a user's past, not behaviours that lists are judged by. */
export const MIND_ACTIONS: ActionPolicies = {
  ...DEFAULT_ACTIONS,
  view: { positive: false, explicit: true, strength: 0.5 },
};

/** How many of the newest articles that a user had read are used. */
const READ = 20;

/** The visits of a `behaviors.tsv`, in the order of time. */
export function visitsOf(lines: readonly string[]): readonly Visit[] {
  const known = new Set<string>();
  return lines.map((line) => {
    const [, user = "", when = "", history = "", list = ""] = line.split("\t");
    const shown = list.split(" ").filter((item) => item !== "");
    const clicked = shown.filter((item) => item.endsWith("-1")).map((item) => item.slice(0, -2));
    return {
      user,
      time: new Date(`${when} UTC`).getTime(),
      clicked,
      read: history.split(" ").filter((item) => item !== "").slice(-READ),
      shown: shown.map((item) => item.slice(0, -2)),
    };
  }).toSorted((a, b) => a.time - b.time).map((visit) => {
    const read = known.has(visit.user) ? [] : visit.read;
    known.add(visit.user);
    return { ...visit, read };
  });
}

/** The articles of a `news.tsv`. */
export function articlesOf(lines: readonly string[]): readonly ItemRecord[] {
  return lines.map((line) => {
    const [item = "", category = "", kind = ""] = line.split("\t");
    return { item, time: 0, categories: [category, kind] };
  });
}
