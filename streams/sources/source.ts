/**
 * What a source of events yields, whatever the format of its files.
 *
 * @module
 */

import { checkEvent, checkItem } from "../../src/events/check.ts";
import type { Event, ItemRecord } from "../../src/events/event.ts";
import { type Refusal, refuse } from "../../src/events/refusal.ts";
import { type FilePlace, type Rejection, rejectionOf } from "../../src/events/rejection.ts";
import { MIN_TIME_MS } from "../../src/events/schema.ts";
import type { Line } from "./lines.ts";

/** An event, an item, or what could not be taken as either; each with the place that it came from. */
export type SourceRecord =
  | { readonly kind: "event"; readonly event: Event } & FilePlace
  | { readonly kind: "item"; readonly item: ItemRecord } & FilePlace
  | { readonly kind: "rejected"; readonly rejection: Rejection } & FilePlace;

/** What an adapter makes of a row. */
export interface Mapped {
  /** Items, which come first. */
  readonly items?: readonly ItemRecord[];
  /** Events, in their order. */
  readonly events?: readonly Event[];
}

/** Options of a source. */
export interface SourceOptions {
  /** Stops reading. */
  readonly signal?: AbortSignal;
}

/** The record of a line that is refused. */
export function rejected(file: string, line: Line, refusal: Refusal): SourceRecord {
  const place = { file, line: line.number };
  return { kind: "rejected", rejection: rejectionOf(place, refusal, line.bytes, line.size), ...place };
}

/**
 * The records of a row of a foreign format. All of them pass our validator or none is taken; what an adapter throws as
 * a `SyntaxError` becomes a rejection.
 */
export function mapRow(file: string, line: Line, map: () => Mapped): readonly SourceRecord[] {
  let mapped: Mapped;
  try {
    mapped = map();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [rejected(file, line, refuse("malformed-row", error.message))];
  }
  const place = { file, line: line.number };
  const records: SourceRecord[] = [];
  for (const item of mapped.items ?? []) {
    const checked = checkItem(item);
    if (!checked.ok) return [rejected(file, line, checked)];
    records.push({ kind: "item", item, ...place });
  }
  for (const event of mapped.events ?? []) {
    const checked = checkEvent(event);
    if (!checked.ok) return [rejected(file, line, checked)];
    records.push({ kind: "event", event, ...place });
  }
  return records;
}

/**
 * Puts the catalogue before the events, with the time of the first of them: files of items have no time of their own.
 */
export async function* withCatalogue(
  events: AsyncIterable<SourceRecord>,
  catalogue: (time: number) => AsyncIterable<SourceRecord>,
): AsyncGenerator<SourceRecord> {
  let known = false;
  for await (const record of events) {
    if (!known && record.kind === "event") {
      known = true;
      yield* catalogue(record.event.time);
    }
    yield record;
  }
  if (!known) yield* catalogue(MIN_TIME_MS);
}
