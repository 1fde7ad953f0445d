/**
 * The history of an open impression within its user's record.
 *
 * It refers to the user's behaviours in the same record, as long as those are kept; otherwise it is written out. Categories
 * are always its own: those of an item may have changed since.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import { type EarlierBehaviours, NONE_EARLIER, type SampleHistory } from "../../samples/sample.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Behaviours, Read, Written } from "./impression_context.ts";

/** Writes the history of an impression, its earlier behaviours included. */
export function writeHistory(
  to: ByteWriter,
  { history, time }: { readonly history: SampleHistory; readonly time: number },
  { strings, lists, behaviours }: Pick<Written, "strings" | "lists" | "behaviours">,
): void {
  const { items, categories, actions, times, strengths, earlier = NONE_EARLIER } = history;
  const start = startOf(history, behaviours);
  to.uint(items.length).uint(1 + start);
  for (let t = 0; t < items.length; t++) {
    to.uint(lists.index(categories[t]!));
    if (start >= 0) continue;
    to.uint(strings.index(items[t]!)).uint(strings.index(actions[t]!)).int(time - times[t]!).f32(
      strengths[t]!,
    );
  }
  to.uint(earlier.items.length);
  for (let t = 0; t < earlier.items.length; t++) {
    to.uint(strings.index(earlier.items[t]!)).uint(lists.index(earlier.categories[t]!));
    to.uint(strings.index(earlier.actions[t]!)).int(time - earlier.times[t]!);
  }
}

/** Where a history begins among behaviours; −1 = not all of it is there. */
function startOf({ items, actions, times, strengths }: SampleHistory, behaviours: Behaviours): number {
  const isAt = (start: number) => {
    for (let t = items.length - 1; t >= 0; t--) {
      const at = start + t;
      if (behaviours.time(at) !== times[t] || behaviours.item(at) !== items[t]) return false;
      if (behaviours.action(at) !== actions[t] || behaviours.strength(at) !== strengths[t]) return false;
    }
    return true;
  };
  // Few behaviours follow it.
  for (let start = behaviours.length - items.length; start >= 0; start--) if (isAt(start)) return start;
  return -1;
}

/** Reads a history. @param time of the impression */
export function readHistory(from: ByteReader, time: number, read: Read): SampleHistory {
  const { strings, lists, behaviours } = read;
  const length = from.count();
  const start = from.uint() - 1;
  if (start >= 0 && start + length > behaviours.length) {
    throw new SyntaxError(
      `Cannot decode a history of ${length} behaviours from ${start} on: there are ${behaviours.length}`,
    );
  }
  const items: string[] = [];
  const categories: (readonly string[])[] = [];
  const actions: string[] = [];
  const times = new Float64Array(length);
  const strengths = new Float32Array(length);
  for (let t = 0; t < length; t++) {
    // Lists of categories have no nulls; those of field values, which are in the same dictionary, may.
    categories.push(lists(from.uint()) as readonly string[]); // see above
    if (start >= 0) {
      items.push(behaviours.item(start + t));
      actions.push(behaviours.action(start + t));
      times[t] = behaviours.time(start + t);
      strengths[t] = behaviours.strength(start + t);
      continue;
    }
    items.push(strings(from.uint()));
    actions.push(strings(from.uint()));
    times[t] = time - from.int();
    strengths[t] = from.f32();
  }
  return { items, categories, actions, times, strengths, earlier: readEarlier(from, time, read) };
}

function readEarlier(
  from: ByteReader,
  time: number,
  { strings, lists }: Pick<Read, "strings" | "lists">,
): EarlierBehaviours | undefined {
  const length = from.count();
  if (length === 0) return undefined;
  const [items, actions]: [string[], string[]] = [[], []];
  const categories: (readonly string[])[] = [];
  const times = new Float64Array(length);
  for (let t = 0; t < length; t++) {
    items.push(strings(from.uint()));
    categories.push(lists(from.uint()) as readonly string[]); // lists of categories have no nulls
    actions.push(strings(from.uint()));
    times[t] = time - from.int();
  }
  return { items, categories, actions, times };
}
