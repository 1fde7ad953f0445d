/**
 * Tries a source on its first records: what each becomes, and what is missing.
 *
 * @module
 */

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

export interface Trial {
  readonly outcomes: readonly MappedRecords[];
  /** How many events of each type, items and removals there are. */
  readonly counts: ReadonlyMap<string, number>;
  /** Records that yielded no event or item. */
  readonly nothing: number;
  /** Why records, or entries of them, were rejected. */
  readonly rejected: readonly Rejected[];
  /** What is missing in the events and items, one sentence each. */
  readonly missing: readonly string[];
}

export function tryRecords(
  source: RecordSource,
  records: readonly TriedRecord[],
  known: ConfiguredNames,
  allowedLatenessMs = TASK_OPTIONS.allowedLatenessMs.value,
): Trial {
  const names = new NameCheck(known);
  const counts = new Map<string, number>();
  const missing = new Set<string>();
  const fields = new Map<string, number>();
  const rejected: Rejected[] = [];
  const newest = new Map<string, number>();
  let nothing = 0, late = 0;
  const outcomes = records.map(({ bytes, meta }) => {
    const taken = take(source, bytes, meta);
    if (!taken.ok) rejected.push(taken);
    else if (taken.records.length === 0) nothing++;
    if (taken.ok) rejected.push(...taken.rejected ?? []);
    for (const own of taken.ok ? taken.records : []) {
      const what = own.kind === "item" ? own.isRemoved ? "removal" : "item" : own.event.type;
      counts.set(what, (counts.get(what) ?? 0) + 1);
      for (const field of Object.keys(own.kind === "item" ? own.item : own.event)) {
        const key = `${what}.${field}`;
        fields.set(key, (fields.get(key) ?? 0) + 1);
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
  for (const sentence of gapsIn(counts, fields)) missing.add(sentence);
  const unmapped = rejected.filter(({ code }) => code === "unmapped").length;
  if (unmapped > 0) {
    missing.add(`${unmapped} records match no rule: write one for them, or set "otherwise": "skip"`);
  }
  if (late > 0) {
    missing.add(
      `${late} interactions are older than an earlier one of their user by more than allowedLatenessMs ` +
        `(${allowedLatenessMs}), and will be refused as too-late: raise it, unless their clocks are wrong`,
    );
  }
  return { outcomes, counts, nothing, rejected, missing: [...missing] };
}

function gapsIn(counts: ReadonlyMap<string, number>, fields: ReadonlyMap<string, number>): readonly string[] {
  const lacks = (what: string, field: string) => counts.has(what) && !fields.has(`${what}.${field}`);
  const gaps: string[] = [];
  if (counts.has("interaction") && !counts.has("impression")) {
    gaps.push(
      "no impressions: unless another source has them, states and candidates are built, but no click model learns",
    );
  }
  if (lacks("interaction", "id")) {
    gaps.push("interactions have no id: if the producer sends one twice, it counts twice");
  }
  if (counts.has("impression") && lacks("interaction", "request")) {
    gaps.push("interactions name no request: a click joins the newest open list that contains its item");
  }
  if (counts.has("item") && lacks("item", "category") && lacks("item", "categories")) {
    gaps.push("items have no category");
  }
  return gaps;
}
