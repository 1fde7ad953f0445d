/** Tries sources on some of their records: what each becomes, and what is missing. */

import { TASK_OPTIONS } from "../../src/engine/task_options.ts";
import { type ConfiguredNames, NameCheck } from "../../src/mapping/name_check.ts";
import { MAX_AHEAD_MS } from "../../src/events/limits.ts";
import type { Rejected } from "../../src/events/rejected.ts";
import type { MappedRecords } from "../../src/mapping/entries.ts";
import type { RecordMeta } from "../../src/mapping/scope.ts";
import { type RecordSource, take } from "./record_source.ts";

export interface TriedRecord {
  /** `null` for a tombstone. */
  readonly bytes: Uint8Array | null;
  readonly meta: RecordMeta;
}

/** A source, and records to try it on. */
export interface Tried {
  readonly source: RecordSource;
  readonly records: readonly TriedRecord[];
}

/** What the records of a source become. */
export interface Trial {
  readonly outcomes: readonly MappedRecords[];
  /** How many events of each type, items and removals there are. */
  readonly counts: ReadonlyMap<string, number>;
  /** Records that yielded no event or item. */
  readonly nothing: number;
  /** Why records, or entries of them, were rejected. */
  readonly rejected: readonly Rejected[];
}

/** Fewest ids on either side for it to mean something that none of them are equal. */
const MIN_IDS = 20;

/**
 * Tries sources of one deployment on some of their records.
 *
 * @returns the trial of each, and what is missing in the events and items of all of them, one sentence each
 */
export function tryRecords(
  tried: readonly Tried[],
  known: ConfiguredNames,
  allowedLatenessMs = TASK_OPTIONS.allowedLatenessMs.value,
): { readonly trials: readonly Trial[]; readonly missing: readonly string[] } {
  const names = new NameCheck(known);
  const missing = new Set<string>();
  const fields = new Map<string, Set<unknown>>();
  let late = 0;
  const trials = tried.map(({ source, records }): Trial => {
    const counts = new Map<string, number>();
    const rejected: Rejected[] = [];
    const newest = new Map<string, number>();
    let nothing = 0;
    const outcomes = records.map(({ bytes, meta }) => {
      const taken = take(source, bytes, meta);
      if (!taken.ok) rejected.push(taken);
      else if (taken.records.length === 0) nothing++;
      if (taken.ok) rejected.push(...taken.rejected ?? []);
      for (const own of taken.ok ? taken.records : []) {
        const what = own.kind === "item" ? own.isRemoved ? "removal" : "item" : own.event.type;
        counts.set(what, (counts.get(what) ?? 0) + 1);
        for (const [field, value] of Object.entries(own.kind === "item" ? own.item : own.event)) {
          const key = `${what}.${field}`;
          fields.set(key, (fields.get(key) ?? new Set()).add(value));
        }
        for (const sentence of names.see(own)) missing.add(sentence);
        if (own.kind === "item" || own.event.type !== "interaction") continue;
        const { user, time } = own.event;
        const before = newest.get(user) ?? -Infinity;
        if (time < before - allowedLatenessMs) late++;
        // One that is refused as too far ahead makes no other late.
        if (time <= (meta.time ?? Infinity) + MAX_AHEAD_MS) newest.set(user, Math.max(before, time));
      }
      return taken;
    });
    return { outcomes, counts, nothing, rejected };
  });
  for (const sentence of gapsIn(fields)) missing.add(sentence);
  const unmapped =
    trials.flatMap(({ rejected }) => rejected).filter(({ code }) => code === "unmapped").length;
  if (unmapped > 0) {
    missing.add(`${unmapped} records match no rule: write one for them, or set "otherwise": "skip"`);
  }
  if (late > 0) {
    missing.add(
      `${late} interactions are older than an earlier one of their user by more than allowedLatenessMs ` +
        `(${allowedLatenessMs}), and will be refused as too-late: raise it, unless their clocks are wrong`,
    );
  }
  return { trials, missing: [...missing] };
}

/** @param fields the values of each field, by what has it: `item.title`; every record has a time */
function gapsIn(fields: ReadonlyMap<string, ReadonlySet<unknown>>): readonly string[] {
  const has = (what: string) => fields.has(`${what}.item`) || fields.has(`${what}.items`);
  const lacks = (what: string, field: string) => has(what) && !fields.has(`${what}.${field}`);
  const gaps: string[] = [];
  if (has("interaction") && !has("impression")) {
    gaps.push(
      "no impressions: unless another source has them, states and candidates are built, but no click model learns",
    );
  }
  if (lacks("interaction", "id")) {
    gaps.push("interactions have no id: if the producer sends one twice, it counts twice");
  }
  if (has("impression") && lacks("interaction", "request")) {
    gaps.push("interactions name no request: a click joins the newest open list that contains its item");
  }
  if (has("item") && lacks("item", "category") && lacks("item", "categories")) {
    gaps.push("items have no category");
  }
  for (
    const [one, other] of [["interaction.request", "impression.request"], ["interaction.item", "item.item"]]
  ) {
    const [ours = new Set(), theirs = new Set()] = [fields.get(one!), fields.get(other!)];
    if (Math.min(ours.size, theirs.size) < MIN_IDS || !ours.isDisjointFrom(theirs)) continue;
    const [[first], [second]] = [[...ours], [...theirs]];
    gaps.push(`no ${one} of these records is an ${other}: ${first} and ${second}, for example`);
  }
  return gaps;
}
