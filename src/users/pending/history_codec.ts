/**
 * The history of an open impression within its user's record.
 *
 * It refers to the user's behaviours in the same record, as long as those are kept; otherwise it is written out. Categories
 * are always its own: those of an item may have changed since.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import { type EarlierBehaviours, NONE_EARLIER, type SampleHistory } from "../../samples/sample.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { times } from "../../values/times.ts";
import type { Behaviours, Read, Written } from "./impression_context.ts";

/** Writes the history of an impression, its earlier behaviours included. */
export function writeHistory(
  to: ByteWriter,
  { history, time }: { readonly history: SampleHistory; readonly time: number },
  written: Pick<Written, "strings" | "lists" | "behaviours" | "last">,
): void {
  const { strings, lists, last } = written;
  if (last !== null && isSame(last.history, history)) to.again(last.start, last.end);
  else writeWindow(to, { history, time }, written);
  const { earlier = NONE_EARLIER } = history;
  to.uint(earlier.items.length);
  for (let t = 0; t < earlier.items.length; t++) {
    to.uint(strings.index(earlier.items[t]!)).uint(lists.index(earlier.categories[t]!));
    to.uint(strings.index(earlier.actions[t]!)).int(time - earlier.times[t]!);
  }
}

/** Whether two histories share their columns, so that they can differ only in their earlier behaviours. */
function isSame(a: SampleHistory, b: SampleHistory): boolean {
  return a.items === b.items && a.categories === b.categories && a.actions === b.actions &&
    a.times === b.times && a.strengths === b.strengths;
}

function writeWindow(
  to: ByteWriter,
  { history, time }: { readonly history: SampleHistory; readonly time: number },
  written: Pick<Written, "strings" | "lists" | "behaviours" | "last">,
): void {
  const { strings, lists } = written;
  const { items, categories, actions, times, strengths } = history;
  const { length } = to;
  const start = startOf(history, written.behaviours);
  to.uint(items.length).uint(1 + start);
  for (let t = 0; t < items.length; t++) {
    to.uint(lists.index(categories[t]!));
    if (start >= 0) continue;
    to.uint(strings.index(items[t]!)).uint(strings.index(actions[t]!)).int(time - times[t]!).f32(
      strengths[t]!,
    );
  }
  // A history that is written out has times relative to its impression, so no other can share its bytes.
  written.last = start < 0 ? null : { history, start: length, end: to.length };
}

/** Where a history begins among behaviours; −1 = not all of it is among them. */
function startOf({ items, actions, times, strengths }: SampleHistory, behaviours: Behaviours): number {
  const isAt = (start: number) => {
    for (let t = items.length - 1; t >= 0; t--) {
      const at = start + t;
      if (behaviours.times[at] !== times[t] || behaviours.items[at] !== items[t]) return false;
      if (behaviours.actions[at] !== actions[t] || behaviours.strengths[at] !== strengths[t]) return false;
    }
    return true;
  };
  // From the end, since few behaviours follow it.
  for (let start = behaviours.length - items.length; start >= 0; start--) if (isAt(start)) return start;
  return -1;
}

export function readHistory(from: ByteReader, time: number, read: Read): SampleHistory {
  const { last } = read;
  const history = last !== null && from.again(last.start, last.end)
    ? last.history
    : readWindow(from, time, read);
  const earlier = readEarlier(from, time, read);
  return earlier === undefined ? history : { ...history, earlier };
}

function readWindow(from: ByteReader, time: number, read: Read): SampleHistory {
  const { lists, behaviours } = read;
  const { position } = from;
  const length = from.count();
  const start = from.uint() - 1;
  const end = start + length;
  if (start >= 0 && end > behaviours.length) {
    throw new SyntaxError(
      `Cannot decode a history of ${length} behaviours from ${start} on: there are ${behaviours.length}`,
    );
  }
  if (start < 0) {
    read.last = null;
    return readWhole(from, length, time, read);
  }
  const history = {
    items: behaviours.items.slice(start, end),
    // Lists of categories have no nulls; those of field values, which are in the same dictionary, may.
    categories: times(length, () => lists(from.uint()) as readonly string[]),
    actions: behaviours.actions.slice(start, end),
    times: behaviours.times.slice(start, end),
    strengths: behaviours.strengths.slice(start, end),
    earlier: undefined,
  };
  read.last = { history, start: position, end: from.position };
  return history;
}

function readWhole(
  from: ByteReader,
  length: number,
  time: number,
  { strings, lists }: Pick<Read, "strings" | "lists">,
): SampleHistory {
  const [items, actions]: [string[], string[]] = [[], []];
  const categories: (readonly string[])[] = [];
  const times = new Float64Array(length);
  const strengths = new Float32Array(length);
  for (let t = 0; t < length; t++) {
    categories.push(lists(from.uint()) as readonly string[]); // lists of categories have no nulls
    items.push(strings(from.uint()));
    actions.push(strings(from.uint()));
    times[t] = time - from.int();
    strengths[t] = from.f32();
  }
  return { items, categories, actions, times, strengths, earlier: undefined };
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
