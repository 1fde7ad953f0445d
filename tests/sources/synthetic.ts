/**
 * A small shop as a stream of source records, seeded: people with a taste for one category, lists, clicks that
 * follow the taste, ratings, profiles, catalogue updates in the middle of the stream, and the faults of a real
 * log (repeated, late, very late and broken events, people who want to be forgotten).
 *
 * @module
 */

import type { Event, ItemRecord } from "../../src/events/event.ts";
import { rejectionOf } from "../../src/events/rejection.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";

/** Size and seed of a stream. */
export interface SyntheticOptions {
  /** Page views; each is a request, an impression and the clicks on it. @default {200} */
  readonly views?: number;
  /** @default {30} */
  readonly users?: number;
  /** @default {24} */
  readonly items?: number;
  /** Items per list. @default {6} */
  readonly list?: number;
  /** @default {1} */
  readonly seed?: number;
}

const START = Date.UTC(2024, 0, 1);
const MINUTE = 60_000;
const CATEGORIES = ["red", "green", "blue"] as const;

/** The records of a stream, in the order of arrival. Same options, same records. */
export function syntheticRecords(options: SyntheticOptions = {}): SourceRecord[] {
  const { views = 200, users = 30, items = 24, list = 6, seed = 1 } = options;
  const random = mulberry32(seed);
  const below = (n: number) => Math.floor(random() * n);
  const records: SourceRecord[] = [];
  let line = 0;
  const place = () => ({ file: "events.jsonl", line: ++line });
  const event = (event: Event) => records.push({ kind: "event", event, ...place() });
  const item = (i: number, time: number) => records.push({ kind: "item", item: itemAt(i, time), ...place() });

  for (let i = 0; i < items; i++) item(i, START);
  for (let v = 0; v < views; v++) {
    const time = START + v * MINUTE;
    const u = below(users);
    const user = `u${u}`;
    const request = `r${v}`;
    if (random() < 0.05) event({ type: "profile", user, time, attributes: { age: String(20 + u) } });
    if (random() < 0.03) item(below(items), time);
    if (random() < 0.01) event({ type: "forget", user, time });
    if (random() < 0.03) records.push(brokenRecord(place()));
    const first = below(items);
    const shown = Array.from({ length: list }, (_, k) => `i${(first + 5 * k) % items}`);
    const candidates = shown.toReversed();
    event({ type: "request", user, time, request, count: list, candidates, surface: "home" });
    // At times another list is shown than the answer, and at times none.
    if (random() < 0.05) continue;
    event({ type: "impression", id: `s${v}`, user, time: time + 40, request, items: shown });
    for (const id of shown) {
      const liked = Number(id.slice(1)) % CATEGORIES.length === u % CATEGORIES.length;
      if (random() > (liked ? 0.7 : 0.05)) continue;
      const fault = random();
      // A late click, and one that is beyond the allowed lateness.
      const behind = fault < 0.04 ? 2 * MINUTE : fault < 0.06 ? 60 * MINUTE : 0;
      const click: Event = {
        type: "interaction",
        id: `c${v}-${id}`,
        user,
        time: time + 1000 - behind,
        item: id,
        action: "click",
        request,
      };
      event(click);
      if (fault > 0.97) event(click);
      if (fault > 0.9) {
        event({
          type: "interaction",
          user,
          time: time + 2000,
          item: id,
          action: "rating",
          value: 1 + below(5),
        });
      }
    }
  }
  return records;
}

export async function* sourceOf(records: readonly SourceRecord[]): AsyncGenerator<SourceRecord> {
  for (const record of records) yield await Promise.resolve(record);
}

/** Number of events among the records. */
export function countEvents(records: readonly SourceRecord[]): number {
  return records.filter(({ kind }) => kind === "event").length;
}

/** Writes the records as a folder of our own format, where the catalogue comes before the events. */
export async function writeFolder(records: readonly SourceRecord[], folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const lines = (kinds: readonly SourceRecord["kind"][]) =>
    records.filter(({ kind }) => kinds.includes(kind)).map((record) => `${lineOf(record)}\n`).join("");
  await Deno.writeTextFile(`${folder}/items.jsonl`, lines(["item"]));
  await Deno.writeTextFile(`${folder}/events.jsonl`, lines(["event", "rejected"]));
}

function lineOf(record: SourceRecord): string {
  if (record.kind === "rejected") return BROKEN;
  return JSON.stringify(record.kind === "event" ? record.event : record.item);
}

const BROKEN = '{"type":"interaction","user":"u1",';

function brokenRecord(place: { readonly file: string; readonly line: number }): SourceRecord {
  const refusal = { ok: false, code: "truncated-json", reason: "the text ends within an object" } as const;
  return {
    kind: "rejected",
    rejection: rejectionOf(place, refusal, new TextEncoder().encode(BROKEN)),
    ...place,
  };
}

function itemAt(i: number, time: number): ItemRecord {
  const category = CATEGORIES[i % CATEGORIES.length] ?? CATEGORIES[0];
  // A later record moves the item to a second category too: features at and after it must see that.
  const categories = time === START ? [category] : [category, `updated-${time - START}`];
  return { item: `i${i}`, time, categories, attributes: { band: String(i % 2) } };
}
