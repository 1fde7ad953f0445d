/**
 * Public data sets as streams of events, whole or with their people in another order, clean or poisoned. The files are
 * in `../shared/data`, which is not part of this repository.
 *
 * @module
 */

import type { Event, InteractionEvent, ItemRecord } from "../../src/events/event.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { openSource } from "../../streams/sources/open.ts";

/** Where the files are. */
export const DATA = new URL("../../../shared/data/", import.meta.url).pathname;

/** A data set: its items, and its events in the order of time. */
export interface PublicStream {
  readonly items: readonly ItemRecord[];
  readonly events: readonly Event[];
  readonly profile: TaskOptions;
  /** Whether outcomes are ratings of single items rather than clicks on lists. */
  readonly isRated: boolean;
}

const lines = async (file: string) => (await Deno.readTextFile(DATA + file)).trim().split("\n");

async function replayed(format: "ml-100k" | "sparrow" | "open-bandit", path: string): Promise<PublicStream> {
  const items: ItemRecord[] = [], events: Event[] = [];
  for await (const record of openSource(format, DATA + path)) {
    if (record.kind === "item") items.push(record.item);
    if (record.kind === "event") events.push(record.event);
  }
  return { items, events, profile: PROFILES[format], isRated: format !== "open-bandit" };
}

/** Ratings 0..10 as stars; 7 of 10 is positive, like 3.5 stars for `sparrow`. */
async function movieTweetings(): Promise<PublicStream> {
  const items = (await lines("movietweetings-100k/movies.dat")).map((line): ItemRecord => {
    const [item = "", title = "", genres = ""] = line.split("::");
    const decade = /\((\d{3})\d\)/.exec(title)?.[1];
    const attributes = decade === undefined ? {} : { attributes: { decade: `${decade}0s` } };
    return {
      item,
      time: 0,
      title,
      categories: genres.split("|").filter((name) => name !== ""),
      ...attributes,
    };
  });
  const rows = (await lines("movietweetings-100k/ratings.dat")).map((line) => line.split("::"));
  rows.sort((a, b) => Number(a[3]) - Number(b[3]));
  const events = rows.flatMap(([user = "", item = "", rating, seconds], n): Event[] => {
    const time = Number(seconds) * 1000, request = `r${n}`;
    const value = Math.max(0.5, Number(rating) / 2);
    return [
      { type: "impression", user, time, request, items: [item] },
      { type: "interaction", user, time, item, action: "rating", value, request },
    ];
  });
  return { items, events, profile: PROFILES.sparrow, isRated: true };
}

/** Lists of a news page, with what was clicked. */
async function mind(): Promise<PublicStream> {
  const items = (await lines("mind-5k/news.tsv")).map((line): ItemRecord => {
    const [item = "", category = "", kind = ""] = line.split("\t");
    return { item, time: 0, category, attributes: { kind } };
  });
  const events = (await lines("mind-5k/behaviors.tsv")).flatMap((line, n): Event[] => {
    const [, user = "", when = "", history = "", shown = ""] = line.split("\t");
    const time = new Date(`${when} UTC`).getTime(), request = `r${n}`;
    const list = shown.split(" ").map((each) => each.split("-"));
    return [
      ...history.split(" ").filter((id) => id !== "").slice(-20).map((item, k): InteractionEvent => ({
        type: "interaction",
        user,
        time: time - 3_600_000 + k,
        item,
        action: "view",
        id: `${request}-${k}`,
      })),
      { type: "impression", user, time, request, items: list.map(([item = ""]) => item) },
      ...list.filter(([, clicked]) => clicked === "1").map(([item = ""]): InteractionEvent => ({
        type: "interaction",
        user,
        time: time + 1000,
        item,
        action: "click",
        request,
      })),
    ];
  });
  return { items, events: byTime(events), profile: PROFILES.metarank, isRated: false };
}

/** What a user looked at, and when. */
interface View {
  readonly user: string;
  readonly item: string;
  readonly category?: string;
  readonly time: number;
}

/** Views alone have no negatives: each becomes a click on a list with four more items that others have viewed before. */
function viewed(views: readonly View[]): PublicStream {
  const random = mulberry32(7);
  const known = new Map<string, ItemRecord>();
  const events = views.flatMap(({ user, item, category, time }, n): Event[] => {
    if (!known.has(item)) known.set(item, { item, time: 0, ...(category === undefined ? {} : { category }) });
    const list = [item];
    for (let k = 0; k < 4 && n > 0; k++) {
      const other = views[Math.floor(random() * n)]!.item;
      if (!list.includes(other)) list.push(other);
    }
    const [at, request] = [Math.floor(random() * list.length), `r${n}`];
    [list[0], list[at]] = [list[at]!, list[0]!];
    return [
      { type: "impression", user, time, request, items: list },
      { type: "interaction", user, time, item, action: "click", request },
    ];
  });
  return { items: [...known.values()], events, profile: PROFILES.taobao, isRated: false };
}

async function taobao(): Promise<PublicStream> {
  const rows = (await lines("taobao-userbehavior/stream-2017-11-26.csv")).map((line) => line.split(","));
  return viewed(
    rows.filter(([, , , what]) => what === "pv").map(([user = "", item = "", category = "", , seconds]) => (
      { user, item, category, time: Number(seconds) * 1000 }
    )),
  );
}

async function yoochoose(): Promise<PublicStream> {
  const rows = (await Promise.all(["train_full", "test"].map((name) => lines(`yoochoose-100k/${name}.txt`))))
    .flatMap((part) => part.slice(1)).map((line) => line.split("\t"));
  rows.sort((a, b) => Number(a[2]) - Number(b[2]));
  return viewed(
    rows.map(([user = "", item = "", seconds]) => ({ user, item, time: Math.floor(Number(seconds) * 1000) })),
  );
}

/** The data sets that have outcomes, or can be given them. */
export const PUBLIC_STREAMS: Readonly<Record<string, () => Promise<PublicStream>>> = {
  "ml-100k": () => replayed("ml-100k", "ml-100k"),
  "movietweetings": movieTweetings,
  "sparrow": () => replayed("sparrow", "sparrowrecsys/trainSamples.substitute.csv"),
  "mind": mind,
  "taobao": taobao,
  "yoochoose": yoochoose,
  "open-bandit": () => replayed("open-bandit", "open-bandit/random/men"),
};

function byTime(events: Event[]): Event[] {
  return events.sort((a, b) => a.time - b.time);
}

/**
 * The same people with their whole lives, each beginning when another one began: another stream of the same kind.
 *
 * @param seed 0 = as it was
 */
export function reshuffled(stream: PublicStream, seed: number): PublicStream {
  if (seed === 0) return stream;
  const random = mulberry32(seed);
  const starts = new Map<string, number>();
  for (const { user, time } of stream.events) if (!starts.has(user)) starts.set(user, time);
  const times = [...starts.values()];
  for (let n = times.length - 1; n > 0; n--) {
    const other = Math.floor(random() * (n + 1));
    [times[n], times[other]] = [times[other]!, times[n]!];
  }
  const shifts = new Map([...starts].map(([user, start], n) => [user, times[n]! - start]));
  const moved = stream.events.map((event) => ({ ...event, time: event.time + shifts.get(event.user)! }));
  return { ...stream, events: byTime(moved) };
}

/** A stream as a source: its items, then its events. */
export async function* recordsOf({ items, events }: PublicStream): AsyncGenerator<SourceRecord> {
  const file = "", time = events[0]?.time ?? 0;
  for (const [line, item] of items.entries()) yield { kind: "item", item: { ...item, time }, file, line };
  for (const [line, event] of events.entries()) yield { kind: "event", event, file, line };
}

/** Ways to poison the events of a stream. */
export const POISONS = ["flipped labels", "a robot", "absurd values"] as const;

/** One of {@linkcode POISONS}. */
export type Poison = typeof POISONS[number];

/** Poisons the events of a stream between two of them. */
export function poisoned(stream: PublicStream, poison: Poison, from: number, to = Infinity): PublicStream {
  const random = mulberry32(11);
  const clicked = new Set(
    stream.events.flatMap((event) =>
      event.type === "interaction" && event.action === "click" ? [`${event.request} ${event.item}`] : []
    ),
  );
  const like = (act: Omit<InteractionEvent, "type" | "action">): Event => (
    stream.isRated
      ? { type: "interaction", ...act, action: "rating", value: 5 }
      : { type: "interaction", ...act, action: "click" }
  );
  const change = (event: Event): readonly Event[] => {
    if (poison === "flipped labels") {
      // Flipped stars; clicks on everything in a list except what was clicked.
      if (event.type === "interaction" && event.action === "rating") {
        return [{ ...event, value: event.value! >= 3.5 ? 1 : 5 }];
      }
      if (event.type === "interaction") return event.action === "click" ? [] : [event];
      if (event.type !== "impression" || stream.isRated) return [event];
      const { user, time, request = "", items } = event;
      const others = items.filter((item) => !clicked.has(`${request} ${item}`));
      return [event, ...others.map((item) => like({ user, time, item, request }))];
    }
    if (poison === "a robot") {
      // For every list a robot is shown four like it, and likes everything.
      if (event.type !== "impression") return [event];
      const { time, items } = event;
      const lists = [0, 1, 2, 3].flatMap((n): Event[] => {
        const request = `robot-${event.request}-${n}`;
        return [
          { type: "impression", user: "robot", time, request, items },
          ...items.map((item) => like({ user: "robot", time, item, request })),
        ];
      });
      return [event, ...lists];
    }
    // Every third interaction comes with ratings at the ends of float64.
    if (event.type !== "interaction" || random() > 1 / 3) return [event];
    const { user, time, item } = event;
    const ratings = [1e308, -1e308].map((value): Event => (
      { type: "interaction", user, time, item, action: "rating", value }
    ));
    return [event, ...ratings];
  };
  return {
    ...stream,
    events: stream.events.flatMap((event, n) => n < from || n >= to ? [event] : change(event)),
  };
}
