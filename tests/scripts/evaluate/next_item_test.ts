import assert from "node:assert/strict";
import { OwnItems } from "../../../scripts/evaluate/baselines/own_items.ts";
import { Popularity } from "../../../scripts/evaluate/baselines/popularity.ts";
import { Judgements } from "../../../scripts/evaluate/judgements.ts";
import { nextItem, type NextItemOptions } from "../../../scripts/evaluate/next_item.ts";
import { board } from "../../../scripts/evaluate/next_item_report.ts";
import type { Stream } from "../../../scripts/evaluate/stream.ts";
import { figuresOf, partsOf, standingsOf } from "../../../scripts/evaluate/summary.ts";
import { surveyOf } from "../../../scripts/evaluate/survey.ts";
import { parsePositives } from "../../../scripts/evaluate/targets.ts";
import { createRandom } from "../../../src/draws/random_source.ts";
import { DEFAULT_ACTIONS } from "../../../src/features/actions.ts";
import type { Event, InteractionEvent, ItemRecord } from "../../../src/events/event.ts";
import type { SourceRecord } from "../../../streams/sources/source.ts";
import { PROFILES } from "../../../streams/replay/profiles.ts";

const START = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;

type Line = readonly [user: string, item: string, action?: string, value?: number];

/** A stream of behaviours, a minute apart. */
function streamOf(lines: readonly Line[], items: readonly ItemRecord[] = []): Stream {
  return {
    name: "test",
    profile: PROFILES.meander,
    open: async function* () {
      for (const [line, item] of items.entries()) yield { kind: "item", item, file: "", line };
      for (const [line, [user, item, action = "click", value]] of lines.entries()) {
        const time = START + line * MINUTE_MS;
        const event: Event = { type: "interaction", user, item, action, time };
        yield { kind: "event", event: value === undefined ? event : { ...event, value }, file: "", line };
      }
    },
  };
}

async function ranksOf(lines: readonly Line[], method: string, options: Partial<NextItemOptions> = {}) {
  const { judgements, ...rest } = await nextItem({ stream: streamOf(lines), count: 3, ...options });
  const m = judgements.methods.indexOf(method);
  assert.notEqual(m, -1, `${method} is none of ${judgements.methods}`);
  return {
    ...rest,
    judgements,
    ranks: Array.from({ length: judgements.length }, (_, q) => judgements.rank(m, q)),
  };
}

Deno.test("nextItem() asks before it learns, and only for items that somebody had before", async () => {
  const lines: Line[] = [["u1", "a"], ["u2", "a"], ["u2", "b"], ["u3", "a"], ["u3", "b"], ["u4", "c"]];
  // a is unknown; then the only item; b unknown; a has 2 of 3; after a came b; c unknown.
  for (const method of ["popular, 1 day", "auto"]) {
    const { ranks } = await ranksOf(lines, method);
    assert.deepEqual(ranks, [0, 1, 0, 1, 1, 0], method);
  }
  const { ranks } = await ranksOf(lines, "what follows");
  assert.deepEqual(ranks, [0, 0, 0, 0, 1, 0]);
});

Deno.test("nextItem() lists items that the user had when users come back to items, or when told to", async () => {
  const again: Line[] = Array.from({ length: 40 }, (_, n) => [`u${n % 2}`, n % 4 < 2 ? "a" : "b"]);
  const own = await ranksOf(again, "auto");
  assert.equal(own.withoutOwn, false);
  assert.ok(own.ranks.filter((rank) => rank > 0).length > 30, String(own.ranks));
  const without = await ranksOf(again, "auto", { withoutOwn: true });
  assert.ok(without.ranks.slice(8).every((rank) => rank === 0), String(without.ranks));
  const once: Line[] = Array.from({ length: 40 }, (_, n) => [`u${n % 2}`, `i${n >> 1}`]);
  assert.equal((await ranksOf(once, "auto")).withoutOwn, true);
});

Deno.test("surveyOf() does not mistake one robot that comes back for users who do", async () => {
  const comesBack = async (lines: readonly Line[]) => {
    const options = { actions: DEFAULT_ACTIONS, isTarget: () => true, knownUsers: false };
    const survey = await surveyOf(streamOf(lines).open(), options);
    assert.equal(survey.interactions, lines.length);
    return survey.comesBack;
  };
  const people = Array.from({ length: 3600 }, (_, n): Line => [`u${n % 1200}`, `i${Math.floor(n / 1200)}`]);
  const withRobot = [...people, ...Array.from({ length: 300 }, (): Line => ["robot", "a"])];
  assert.equal(await comesBack(withRobot), false);
  assert.equal(await comesBack(people.map(([user], n) => [user, n % 20 === 0 ? "i0" : `i${n}`])), true);
});

Deno.test("nextItem() judges held-out events, and learns neither them nor what a merge brings", async () => {
  const lines: Line[] = [["u1", "a"], ["u2", "a"], ["u2", "b"], ["u3", "c"], ["u1", "b"], ["u3", "b"]];
  const held = START + 4 * MINUTE_MS;
  const stream = streamOf(lines);
  const merged: Event = {
    type: "merge",
    user: "u3",
    from: "elsewhere",
    time: held - 1,
    behaviours: [{ item: "a", action: "click", time: held - 1, strength: 1 }],
  };
  const open = async function* (): AsyncGenerator<SourceRecord> {
    for await (const record of stream.open()) {
      if (record.line === 4) yield { kind: "event", event: merged, file: "", line: 4 };
      yield record;
    }
  };
  const isHeld = ({ time }: InteractionEvent) => time >= held;
  const { judgements, task } = await nextItem({ stream: { ...stream, open, isHeld }, count: 3 });
  assert.ok(task.retrieval.ordering.blend.steps > 0); // it has learnt before it was asked
  const ranks = (method: string) =>
    [0, 1].map((query) => judgements.rank(judgements.methods.indexOf(method), query));
  assert.equal(judgements.length, 2);
  assert.deepEqual(ranks("what follows"), [1, 1]); // after a, which the merge brought u3
  assert.deepEqual(ranks("auto").map((rank) => rank > 0), [true, true]);
  // b is the only item left for u3, who has c and a; it has one behaviour, although u1 took it since.
  assert.deepEqual([0, 1].map((query) => judgements.judged(query).itemAge), [1, 1]);
});

Deno.test("nextItem() judges the positives that are named, and no first behaviours when told so", async () => {
  const lines: Line[] = [
    ["u1", "a", "view"],
    ["u1", "b", "rating", 5],
    ["u2", "a", "rating", 3],
    ["u2", "b", "purchase"],
    ["u3", "b", "purchase"],
  ];
  const judged = async (options: Partial<NextItemOptions>) => {
    const { judgements } = await ranksOf(lines, "auto", options);
    return Array.from({ length: judgements.length }, (_, q) => judgements.judged(q).at);
  };
  assert.deepEqual(await judged({}), [0, 1, 3, 4]);
  assert.deepEqual(await judged({ positives: parsePositives("purchase") }), [3, 4]);
  assert.deepEqual(await judged({ positives: parsePositives("rating>=3, purchase") }), [1, 2, 3, 4]);
  assert.deepEqual(await judged({ positives: parsePositives("purchase"), knownUsers: true }), [3]);
});

Deno.test("parsePositives() throws for what is no action", () => {
  for (const text of ["", "rating>4", "rating>=x", "a,,b"]) {
    assert.throws(() => parsePositives(text), /Expected actions/);
  }
});

Deno.test("nextItem() sorts events by time, and says how many were out of order", async () => {
  const lines: Line[] = Array.from({ length: 30 }, (_, n) => [`u${n % 3}`, `i${n % 5}`]);
  const straight = await ranksOf(lines, "co-visits");
  const { open } = streamOf(lines);
  const stream: Stream = {
    ...streamOf(lines),
    open: async function* () {
      yield* (await Array.fromAsync(open())).toReversed();
    },
  };
  const turned = await ranksOf([], "co-visits", { stream });
  assert.equal(turned.survey.unordered, 29);
  assert.deepEqual(turned.ranks, straight.ranks);
});

Deno.test("nextItem() says why a stream cannot be judged", async () => {
  const of = (lines: readonly Line[], options: Partial<NextItemOptions> = {}) =>
    ranksOf(lines, "auto", options);
  await assert.rejects(of([]), /Cannot judge test: it has no interaction/);
  await assert.rejects(
    of([["u1", "a", "watch"]]),
    /its actions are watch, and the configuration has click, view/,
  );
  await assert.rejects(
    of([["u1", "a", "rating", 2]]),
    /none of its 1 behaviours is a positive; name positives by --positives/,
  );
});

Deno.test("nextItem() gives a model the share that its proof grants, and none when no model is named", async () => {
  const stream = streamOf([]);
  const shown = async function* (): AsyncGenerator<SourceRecord> {
    for (let n = 0; n < 200; n++) {
      const [user, request, time] = [`u${n % 20}`, `r${n}`, START + n * MINUTE_MS];
      const items = [`i${n % 7}`, `i${(n + 3) % 7}`];
      yield { kind: "event", event: { type: "impression", user, request, time, items }, file: "", line: n };
      const act: Event = {
        type: "interaction",
        user,
        request,
        time: time + 1,
        item: items[0]!,
        action: "click",
      };
      yield { kind: "event", event: act, file: "", line: n };
    }
  };
  const shareOf = async (options: Partial<NextItemOptions>) => {
    return (await nextItem({
      stream: { ...stream, open: shown },
      count: 3,
      sources: false,
      baselines: [],
      ...options,
    })).task.models.share;
  };
  assert.equal(await shareOf({}), 0);
  assert.equal(await shareOf({ model: "base", config: { proof: { mixRows: 100_000 } } }), 0);
  assert.equal(await shareOf({ model: "base", config: { proof: null } }), 1);
});

Deno.test("nextItem() judges a random part of the behaviours, which its seed decides", async () => {
  const lines: Line[] = Array.from({ length: 400 }, (_, n) => [`u${n % 7}`, `i${n % 11}`]);
  const drawn = async (seed: number) => {
    const { judgements } = await ranksOf(lines, "auto", {
      queries: 100,
      seed,
      sources: false,
      baselines: [],
    });
    return Array.from({ length: judgements.length }, (_, q) => judgements.judged(q).at);
  };
  const first = await drawn(0);
  assert.ok(first.length > 60 && first.length < 140, String(first.length));
  assert.deepEqual(await drawn(0), first);
  assert.notDeepEqual(await drawn(1), first);
});

Deno.test("nextItem(): a planted rule earns its share, popularity is below the engine, and parts add up", async () => {
  const random = createRandom(2);
  // Whoever takes 2k takes 2k + 1 next, four times out of five.
  const lines: Line[] = [];
  for (let n = 0; n < 400; n++) {
    const first = 2 * Math.floor(20 * random());
    const second = random() < 0.8 ? first + 1 : 1 + 2 * Math.floor(20 * random());
    lines.push([`u${n}`, `i${first}`], [`u${n}`, `i${second}`]);
  }
  const { judgements, interactions } = await ranksOf(lines, "auto", { knownUsers: true });
  const all = judgements.where(() => true);
  const standings = standingsOf(judgements, all, 40);
  const of = (name: string) => standings.find(({ method }) => method === name)!;
  assert.ok(of("what follows").hitRate.mean > 0.75 && of("what follows").hitRate.margin < 0.05);
  assert.ok(of("auto").behind === null);
  assert.ok(
    of("popular, 30 days").behind!.reciprocalRank.mean > of("popular, 30 days").behind!.reciprocalRank.margin,
  );
  assert.ok(of("auto").coverage > 0.5 && of("auto").novelty > 3);
  const parts = partsOf(judgements, interactions);
  for (const part of Object.values(parts)) {
    assert.equal(part.reduce((sum, { queries }) => sum + queries, 0), judgements.length);
  }
  const { hitRate, reciprocalRank, gain } = figuresOf(judgements, 0, all);
  assert.ok(hitRate.mean >= gain.mean && gain.mean >= reciprocalRank.mean);
});

Deno.test("nextItem() judges the blend beside another order as it does alone, and that order as without it", async () => {
  const random = createRandom(5);
  const lines: Line[] = Array.from({ length: 500 }, (_, n) => {
    const first = Math.floor(60 * random() ** 2);
    return [`u${Math.floor(40 * random())}`, `i${n % 2 === 0 || random() < 0.3 ? first : (first + 7) % 60}`];
  });
  for (const withoutOwn of [true, false]) {
    const { judgements } = await ranksOf(lines, "auto", { withoutOwn });
    const [auto, beside] = ["auto", "blend"].map((name) => {
      const m = judgements.methods.indexOf(name);
      return Array.from({ length: judgements.length }, (_, q) => judgements.rank(m, q));
    });
    const alone = await ranksOf(lines, "blend", {
      withoutOwn,
      config: { ranking: "blend" },
      sources: false,
      baselines: [],
    });
    assert.deepEqual(beside, alone.ranks);
    assert.ok(beside!.filter((rank) => rank > 0).length > 50);
    const undisturbed = await ranksOf(lines, "auto", { withoutOwn, sources: false, baselines: [] });
    assert.deepEqual(auto, undisturbed.ranks);
    assert.notDeepEqual(auto, beside);
    assert.equal(alone.judgements.methods.filter((name) => name === "blend").length, 1);
  }
});

Deno.test("standingsOf() has the coverage and novelty of the lists of the given queries", () => {
  const judgements = new Judgements(["m"]);
  const bits = (item: number) => item;
  for (let query = 0; query < 3000; query++) {
    judgements.add({ at: query, user: query, userAge: 0, itemAge: 0, isReturn: false });
    judgements.list(query, 0, query < 2000 ? [1, 2] : [2, 3], 2, bits);
  }
  const of = (from: number) => standingsOf(judgements, judgements.where(({ at }) => at >= from), 4)[0]!;
  assert.deepEqual([of(0).coverage, of(2000).coverage], [3 / 4, 2 / 4]);
  assert.deepEqual([of(0).novelty, of(2000).novelty], [(2 * 1.5 + 2.5) / 3, 2.5]);
  assert.doesNotMatch(board("none", [of(3000)], 20).join("\n"), /NaN/);
});

Deno.test("nextItem(): the order is hardly below popularity when nothing else tells, and users come back", async () => {
  const random = createRandom(8);
  const lines: Line[] = Array.from({ length: 2000 }, () => [
    `u${Math.floor(60 * random())}`,
    `i${Math.floor(40 * random() ** 2)}`,
  ]);
  const { judgements, interactions } = await ranksOf(lines, "auto", {
    count: 10,
    knownUsers: true,
    withoutOwn: false,
    sources: false,
    baselines: [new Popularity("popular", Infinity)],
  });
  const later = judgements.where(({ at }) => at >= interactions / 2);
  const [auto, popular] = [0, 1].map((m) => figuresOf(judgements, m, later).reciprocalRank.mean);
  assert.ok(auto! > 0.93 * popular!, `${auto} against ${popular}`);
});

Deno.test("OwnItems.recommend() returns what the user took most often first, then what was taken last", () => {
  const own = new OwnItems();
  for (const item of [3, 5, 3, 7, 9]) {
    own.learn({ user: 0, item, time: 0, isTarget: item !== 9, before: [] });
  }
  own.learn({ user: 1, item: 4, time: 0, isTarget: true, before: [] });
  const query = { user: 0, time: 0, before: [], count: 10 };
  assert.deepEqual(own.recommend({ ...query, may: () => true }), [3, 7, 5]);
  assert.deepEqual(own.recommend({ ...query, may: (item) => item !== 3, count: 1 }), [7]);
  assert.deepEqual(own.recommend({ ...query, user: 2, may: () => true }), []);
});
