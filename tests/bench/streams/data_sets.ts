/**
 * Public data sets as streams of behaviours, and one that ships with the repository. Their files are in a folder of the
 * reader's, each in its own folder; none is part of this repository.
 *
 * @module
 */

import type { Event, ItemRecord } from "../../../src/events/event.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import type { TaskOptions } from "../../../src/engine/task_options.ts";
import { PROFILES } from "../../../streams/replay/profiles.ts";
import type { SourceRecord } from "../../../streams/sources/source.ts";
import { type Stream, streamOf } from "../../../scripts/evaluate/stream.ts";
import { articlesOf, MIND_ACTIONS, visitsOf } from "../../../scripts/research/protocols/mind_files.ts";

export interface BenchmarkStream {
  readonly name: string;
  /** What kind of stream it is, in words. */
  readonly kind: string;
  /** Whether people come back to items; decided by the data set, not by measurements. */
  readonly withoutOwn: boolean;
  /** Reciprocal rank over the later half that a method should reach. */
  readonly target: number;
  /** Length of a list. @default {20} */
  readonly count?: number;
  /** Whether it runs only when named, and then whole. @default {false} */
  readonly onRequest?: boolean;
  /** Opens it in the folder of all data sets. @throws Deno.errors.NotFound when it is not there */
  open(folder: string): Promise<Stream>;
}

/** Seconds between behaviours where a data set has an order but no times. */
const PACE_MS = 10_000;
const START_MS = Date.UTC(2000, 0, 1);
/** The published split: when the judged part begins, and the share of the time before that belongs to one user. */
const HELD_FROM_MS = START_MS + 3_600_000;
const LIFE = 0.05;

/** All of them. */
export const BENCHMARK_STREAMS: readonly BenchmarkStream[] = [
  {
    name: "shop",
    kind: "the simulated shop that ships with this repository",
    target: 0.085,
    withoutOwn: true,
    open: () =>
      Promise.resolve(streamOf("meander", new URL("../../../fixtures/shop", import.meta.url).pathname)),
  },
  {
    name: "ml-100k",
    kind: "films, rated in sittings",
    target: 0.1,
    withoutOwn: true,
    open: (folder) => existing(streamOf("ml-100k", `${folder}/ml-100k`)),
  },
  {
    name: "ml-1m-order",
    kind: "films, one user after the other",
    target: 0.11,
    withoutOwn: true,
    open: (folder) => fromLines(`${folder}/ml-1m-order/sequences.txt`, "ml-1m-order", sequences),
  },
  {
    name: "ml-1m-split",
    kind:
      "films, by the published split: the last one of each user is judged, after all but the last two are learnt",
    target: 0.13,
    withoutOwn: true,
    count: 10,
    onRequest: true,
    open: async (folder) => ({
      ...await fromLines(`${folder}/ml-1m-order/sequences.txt`, "ml-1m-split", leaveLast),
      isHeld: ({ time }) => time >= HELD_FROM_MS,
    }),
  },
  {
    name: "movietweetings",
    kind: "films, tweeted as they come out",
    target: 0.15,
    withoutOwn: true,
    open: (folder) =>
      fromLines(`${folder}/movietweetings-100k/ratings.dat`, "movietweetings", tweets(folder), RATED),
  },
  {
    name: "yoochoose",
    kind: "clicks of anonymous sessions in a shop",
    target: 0.36,
    withoutOwn: false,
    open: async (folder) => ({
      ...await fromLines(`${folder}/yoochoose-100k/train_full.txt`, "yoochoose", clicks(folder)),
      knownUsers: true,
    }),
  },
  {
    name: "taobao",
    kind: "two hours of a marketplace",
    target: 0.038,
    withoutOwn: false,
    open: (folder) => existing(streamOf("taobao", `${folder}/taobao-userbehavior/stream-2017-11-26.csv`)),
  },
  {
    name: "mind",
    kind: "clicks on news of a day",
    target: 0.15,
    withoutOwn: true,
    open: async (folder) => ({
      ...await fromLines(`${folder}/mind-5k/behaviors.tsv`, "mind", news(folder)),
      profile: { ...PROFILES.meander, actions: MIND_ACTIONS },
    }),
  },
];

/** Ratings of 0 to 10; as in our half-star data sets, 7 and more means liked. */
const RATED: TaskOptions = {
  ...PROFILES.meander,
  actions: { rating: { positive: 7, explicit: true, strength: 1, surprise: true } },
};

async function existing(stream: Stream): Promise<Stream> {
  await Deno.stat(stream.name);
  return stream;
}

/** The contents of a data set, in any order. */
interface Read {
  readonly items?: readonly ItemRecord[];
  readonly events: readonly Event[];
}

/** A stream of files small enough to be held in memory. */
async function fromLines(
  file: string,
  name: string,
  read: (lines: readonly string[]) => Read | Promise<Read>,
  profile: TaskOptions = PROFILES.meander,
): Promise<Stream> {
  await Deno.stat(file);
  const open = async function* (): AsyncGenerator<SourceRecord> {
    const { items = [], events } = await read(await linesOf(file));
    const sorted = events.toSorted((a, b) => a.time - b.time);
    for (const [line, item] of items.entries()) yield { kind: "item", item, file, line };
    for (const [line, event] of sorted.entries()) yield { kind: "event", event, file, line };
  };
  return { name, open, profile };
}

async function linesOf(file: string): Promise<readonly string[]> {
  return (await Deno.readTextFile(file)).trim().split("\n");
}

/** Whole lives in the order of sign-up, which is from the last user to the first. */
function sequences(lines: readonly string[]): Read {
  const events = lines.toReversed().flatMap((line) => {
    const [user = "", train = "", ...held] = line.split("\t");
    return [...train.split(" "), ...held].map((item) => ({ user, item }));
  });
  return {
    events: events.map(({ user, item }, n): Event => ({
      type: "interaction",
      user,
      item,
      action: "click",
      time: START_MS + PACE_MS * n,
    })),
  };
}

/**
 * Lives that overlap, within the hour before the judged part; then each user's last item but one is known, but not
 * learnt from, and the last one is judged.
 */
function leaveLast(lines: readonly string[]): Read {
  const random = mulberry32(0);
  const life = LIFE * (HELD_FROM_MS - START_MS);
  const parts = lines.toReversed().map((line) => {
    const [user = "", train = "", known = "", held = ""] = line.split("\t");
    const begin = START_MS + random() * (HELD_FROM_MS - START_MS - life);
    const items = train.split(" ");
    const times = items.map(() => Math.floor(begin + random() * life)).sort((a, b) => a - b);
    return { user, items, times, known, held };
  });
  const behaviour = (user: string, item: string, time: number): Event => ({
    type: "interaction",
    user,
    item,
    action: "click",
    time,
  });
  const learnt = parts.flatMap(({ user, items, times }) =>
    items.map((item, n) => behaviour(user, item, times[n]!))
  );
  const time = HELD_FROM_MS - 1;
  const brought = parts.map(({ user, known: item }): Event => ({
    type: "merge",
    user,
    from: `${user}, before`,
    time,
    behaviours: [{ item, action: "click", time, strength: 1 }],
  }));
  const last = learnt.toSorted((a, b) => a.time - b.time).at(-1)!;
  return {
    events: [
      ...learnt.filter((event) => event !== last),
      ...brought,
      { ...last, time },
      ...parts.map(({ user, held }, n) => behaviour(user, held, HELD_FROM_MS + n)),
    ],
  };
}

function tweets(folder: string) {
  return async (lines: readonly string[]): Promise<Read> => ({
    items: (await linesOf(`${folder}/movietweetings-100k/movies.dat`)).map((line): ItemRecord => {
      const [item = "", , genres = ""] = line.split("::");
      return { item, time: 0, categories: genres.split("|").filter((name) => name !== "") };
    }),
    events: lines.map((line): Event => {
      const [user = "", item = "", value, seconds] = line.split("::");
      const time = Number(seconds) * 1000;
      return { type: "interaction", user, item, action: "rating", value: Number(value), time };
    }),
  });
}

function clicks(folder: string) {
  return async (lines: readonly string[]): Promise<Read> => {
    const parts = [lines, await linesOf(`${folder}/yoochoose-100k/test.txt`)];
    return {
      events: parts.flatMap((part, n) =>
        part.slice(1).map((line): Event => {
          const [session = "", item = "", seconds] = line.split("\t");
          const time = Math.floor(Number(seconds) * 1000);
          return { type: "interaction", user: `${n}-${session}`, item, action: "click", time };
        })
      ),
    };
  };
}

/** Clicks, preceded by what the user had read before the first one. */
function news(folder: string) {
  return async (lines: readonly string[]): Promise<Read> => ({
    items: articlesOf(await linesOf(`${folder}/mind-5k/news.tsv`)),
    events: visitsOf(lines).flatMap(({ user, time, read, clicked }): Event[] => {
      const event = (item: string, action: string, time: number): Event => ({
        type: "interaction",
        user,
        item,
        action,
        time,
      });
      return [
        ...read.map((item, n) => event(item, "view", time - 3_600_000 + n)),
        ...clicked.map((item, n) => event(item, "click", time + 1000 + n)),
      ];
    }),
  });
}
