import assert from "node:assert/strict";
import type { Boost, MergeEvent } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { decodeItem, encodeItem } from "../../src/items/item_codec.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { Story } from "./story.ts";
import { SMALL } from "./streams.ts";

function items(story: Story, time: number, more: Parameters<Story["ask"]>[2] = {}): string[] {
  return story.ask(time, `r${time}`, more).items.map(({ item }) => item).sort();
}

Deno.test("TaskState.apply() ranks the candidates that a request names by score", () => {
  const story = new Story();
  const answer = story.ask(1000, "r", { candidates: ["a", "b", "c", "d"], count: 3 });
  assert.equal(answer.items.length, 3);
  assert.deepEqual(
    answer.items.map(({ position, source }) => [position, source]),
    [0, 1, 2].map((p) => [p, "given"]),
  );
  const scores = answer.items.map(({ score }) => score);
  assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
  assert.deepEqual([answer.request, answer.user, answer.time, answer.model, answer.version], [
    "r",
    "u",
    1000,
    "fake",
    0,
  ]);
});

Deno.test("TaskState.apply() leaves out hidden, expired, removed, excluded and filtered items", () => {
  const story = new Story();
  story.item("a", { category: "x" });
  story.item("b", { category: "y" });
  story.item("hidden", { category: "x", hidden: true });
  story.item("expired", { category: "x", expires: 1000 });
  story.item("expiring", { category: "x", expires: 1001 });
  story.item("removed", { category: "x" });
  story.task.removeItem("removed", 1);
  const all = ["a", "b", "hidden", "expired", "expiring", "removed", "unknown"];
  assert.deepEqual(items(story, 1000, { candidates: all }), ["a", "b", "expiring", "unknown"]);
  assert.deepEqual(items(story, 1000, { candidates: all, exclude: ["a"] }), ["b", "expiring", "unknown"]);
  assert.deepEqual(items(story, 1000, { candidates: all, filter: { categories: ["x"] } }), ["a", "expiring"]);
  assert.deepEqual(items(story, 1000, { candidates: all, filter: { categories: [] } }), []);
  assert.deepEqual(items(story, 1000, { candidates: all, filter: {} }), ["a", "b", "expiring", "unknown"]);
  assert.deepEqual(items(story, 1000), ["a", "b", "expiring"], "retrieved");
  assert.deepEqual(items(story, 1000, { filter: { categories: ["y"] } }), ["b"], "retrieved");
});

Deno.test("TaskState.apply() leaves out items of the user's window unless the request names them", () => {
  const story = new Story();
  for (const item of ["a", "b", "c"]) story.item(item);
  story.click(1, "a");
  assert.deepEqual(items(story, 2), ["b", "c"]);
  assert.deepEqual(items(story, 3, { candidates: ["a", "b"] }), ["a", "b"]);
});

Deno.test("TaskState.apply() leaves out items from before the kept behaviours unless revisits or seen is set", () => {
  for (const revisits of [false, true]) {
    const story = new Story({ ...SMALL, retrieval: { ...SMALL.retrieval, maxCandidates: 40, revisits } });
    const all = Array.from({ length: 20 }, (_, n) => `i${n}`);
    for (const item of all) story.item(item);
    for (const [n, item] of all.slice(0, 19).entries()) story.click(1 + n, item);
    assert.deepEqual(items(story, 100, { count: 40 }), revisits ? all.toSorted() : ["i19"]);
    const seen = items(story, 101, { count: 40, filter: { seen: true } });
    assert.ok(seen.includes("i0"));
  }
});

Deno.test("TaskState.apply() retrieves popular and new items, without what the user has had", () => {
  const story = new Story();
  for (const [item, category] of [["a1", "x"], ["a2", "x"], ["b1", "y"], ["b2", "y"]] as const) {
    story.item(item, { category });
    story.click(10, item, { user: `who likes ${item}` });
  }
  story.item("fresh", {}, 20);
  story.click(21, "a1");
  const { items } = story.ask(22, "r");
  const sources = Object.fromEntries(items.map(({ item, source }) => [item, source]));
  assert.deepEqual(sources, { a2: "popular", b1: "popular", b2: "popular", fresh: "new" });
});

Deno.test("TaskState.apply() answers with an empty list when there are no items, and waits for no outcome", () => {
  const story = new Story();
  assert.deepEqual(story.ask(1000, "r").items, []);
  assert.equal(story.task.users.get("u")?.pending.size, 0);
});

Deno.test("TaskState.apply() says why a list is empty: the last step that any item reached", () => {
  const story = new Story();
  let time = 1000;
  const why = (more: Parameters<Story["ask"]>[2] = {}) => {
    const { items, empty } = story.ask(++time, `r${time}`, more);
    assert.equal(items.length === 0, empty !== undefined);
    return empty;
  };
  assert.equal(why(), "no-candidates");
  assert.equal(why({ item: "nothing" }), "unknown");
  for (const list of ["popular", "trending", "new"] as const) assert.equal(why({ list }), "no-candidates");
  story.item("hidden", { category: "x", hidden: true });
  assert.equal(why(), "hidden");
  story.item("expired", { category: "x", expires: 1000 });
  assert.equal(why(), "expired");
  assert.equal(why({ candidates: ["hidden"] }), "hidden");
  story.item("a", { category: "x" });
  assert.equal(why(), undefined);
  assert.equal(why({ filter: { categories: ["y"] } }), "filtered");
  assert.equal(why({ candidates: ["unknown"], filter: { categories: ["y"] } }), "filtered");
  assert.equal(
    why({ list: "new", filter: { where: [{ attribute: "price", is: "<", value: 5 }] } }),
    "filtered",
  );
  assert.equal(why({ exclude: ["a"] }), "excluded");
  assert.equal(why({ candidates: ["unknown", "a"], exclude: ["unknown", "a"] }), "excluded");
  assert.equal(why({ item: "a" }), "excluded", "the item that others should be like is left out");
  assert.equal(why({ frequency: { most: 1, withinMs: 1000 } }), "frequency");
  story.click(++time, "a");
  assert.equal(why(), "seen");
  assert.equal(why({ filter: { categories: ["y"] } }), "filtered");
  assert.equal(why({ filter: { seen: true } }), undefined);
  assert.equal(why({ exclude: ["a"], filter: { seen: true } }), "excluded");
});

Deno.test("TaskState.apply() explores in the same way when the request and the seed are the same", () => {
  const candidates = Array.from({ length: 20 }, (_, i) => `i${i}`);
  const answer = (seed: number, request: string) =>
    new Story({ seed, policy: { name: "epsilon", epsilon: 1 } }).ask(1000, request, { candidates })
      .items.map(({ item }) => item).join();
  assert.equal(answer(1, "r"), answer(1, "r"));
  assert.notEqual(answer(1, "r"), answer(2, "r"));
  assert.notEqual(answer(1, "r"), answer(1, "s"));
});

Deno.test("TaskState.apply() uses the user's profile as of the request", () => {
  const schema = { userFields: ["age"], itemFields: [], contextFields: ["surface"], crosses: [] };
  const story = new Story({ schema });
  const profile = (time: number, attributes: Record<string, string>) =>
    story.task.apply({ type: "profile", user: "u", time, attributes }, 1000 + time, story.out);
  profile(1, { age: "18", city: "Rome" });
  story.task.apply(
    { type: "request", user: "u", time: 2, request: "r", count: 1, candidates: ["a"], surface: "web" },
    1002,
    story.out,
  );
  profile(3, { age: "19" });
  assert.deepEqual(story.task.users.get("u")?.profile, { age: "19", city: "Rome" });
  story.task.flush(story.out);
  assert.deepEqual([story.samples[0]?.userFields, story.samples[0]?.contextFields], [["18"], ["web"]]);
});

Deno.test("TaskState.apply() answers a request for similar items by those named, not by the user's behaviours", () => {
  const story = new Story();
  for (const item of ["a", "b", "c", "d"]) story.item(item);
  for (const user of ["u1", "u2", "u3"]) {
    story.click(10, "a", { user });
    story.click(11, "b", { user });
  }
  story.click(10, "c", { user: "u4" });
  story.click(11, "d", { user: "u4" });
  story.click(12, "b");
  const answer = story.ask(20, "r", { item: "a", count: 1 });
  assert.deepEqual(answer.items.map(({ item, source }) => [item, source]), [["b", "co-visited"]]);
  assert.deepEqual(items(story, 21, { item: "a" }).includes("a"), false);
  assert.equal(items(story, 22, { item: "a", filter: { seen: false } }).includes("b"), false);
  assert.deepEqual(items(story, 23, { item: "nobody knows it" }), []);
  const both = story.ask(24, "both", { like: ["c", "nobody knows it", "a"], count: 2 });
  assert.deepEqual(both.items.map(({ item }) => item).sort(), ["b", "d"]);
  assert.deepEqual(items(story, 25, { like: ["nobody knows it"] }), []);
});

Deno.test("Lists.preview() answers for an unknown user, and changes nothing", () => {
  const story = new Story();
  for (const item of ["a", "b"]) story.item(item);
  story.click(10, "a");
  story.ask(11, "r", { count: 1 });
  const users = [...story.task.users.keys()];
  const { bytes } = story.task.sequences;
  const event = { type: "request", user: "x", request: "p", time: 12, count: 5 } as const;
  const { recommendation } = story.task.lists.preview(null, event);
  assert.deepEqual(recommendation.items.map(({ item }) => item).sort(), ["a", "b"]);
  assert.deepEqual([...story.task.users.keys()], users);
  assert.deepEqual([story.task.sequences.bytes, story.task.counters.requests], [bytes, 1]);
});

Deno.test("TaskState.apply() answers with the popular, trending or new list in that list's order", () => {
  const minute = 60_000;
  const story = new Story({ retrieval: { halfLifeMs: minute, trendHalfLifeMs: minute } });
  for (const [item, time] of [["a", 1], ["b", 2], ["c", 3]] as const) story.item(item, {}, time);
  for (const user of ["u1", "u2", "u3"]) story.click(10, "a", { user });
  for (let n = 0; n < 8; n++) story.tick(10 * minute + n % 2);
  for (const user of ["u4", "u5"]) story.click(10 * minute, "b", { user });
  const list = (list: "popular" | "trending" | "new") =>
    story.ask(10 * minute, `r-${list}`, { list }).items.map(({ item, source }) => `${item} ${source}`);
  assert.deepEqual(list("popular"), ["b popular", "a popular"]);
  assert.deepEqual(list("trending"), ["b trending", "a trending"]);
  assert.deepEqual(list("new"), ["c new", "b new", "a new"]);
});

Deno.test("TaskState.apply() lists recent items newest first, once each, without those disliked since", () => {
  const story = new Story();
  for (const item of ["a", "b", "c", "d"]) story.item(item, { category: item === "c" ? "y" : "x" });
  let time = 0;
  const recent = (more: Parameters<Story["ask"]>[2] = {}) =>
    story.ask(++time, `r${time}`, { list: "recent", ...more });
  assert.equal(recent().empty, "no-candidates");
  for (const item of ["a", "b", "c", "d", "b"]) story.click(++time, item);
  story.click(++time, "a", { action: "dislike" });
  story.click(++time, "d", { user: "another" });
  const { items, orderedBy } = recent();
  assert.deepEqual(items.map(({ item, source }) => `${item} ${source}`), [
    "b recent",
    "d recent",
    "c recent",
  ]);
  assert.equal(orderedBy, "list");
  assert.deepEqual(recent({ filter: { categories: ["x"] }, exclude: ["d"] }).items.map(({ item }) => item), [
    "b",
  ]);
  assert.equal(recent({ filter: { seen: false } }).empty, "seen");
  story.item("b", { hidden: true }, ++time);
  assert.deepEqual(recent({ count: 1 }).items.map(({ item }) => item), ["d"]);
});

Deno.test("TaskState.apply() filters by attributes, which survive a restore, and by categories, and caps these", () => {
  const story = new Story();
  story.item("a", { category: "x", attributes: { price: 10 } });
  story.item("b", { category: "x", attributes: { price: 20 } });
  story.item("c", { category: "y", attributes: { price: 30 } });
  const where = [{ attribute: "price", is: ">=", value: 20 }] as const;
  assert.deepEqual(items(story, 1, { filter: { where } }), ["b", "c"]);
  assert.deepEqual(items(story, 2, { filter: { notCategories: ["y"] } }), ["a", "b"]);
  assert.equal(items(story, 3, { diversity: { perCategory: 1 } }).length, 2);
  const catalogue = new Catalogue(story.task.catalogue.schema);
  for (const item of story.task.catalogue.items()) {
    decodeItem(item.id, encodeItem(item), catalogue);
  }
  assert.deepEqual(catalogue.get("b")?.attributes, { price: 20 });
});

Deno.test("TaskState.apply() multiplies the odds of boosted items exactly, and keeps their scores", () => {
  const rule = { by: 4, categories: ["x"] } as const;
  const policy = { name: "boltzmann", temperature: 1 } as const;
  const ask = (boosts: readonly Boost[], options: Partial<TaskOptions> = {}) => {
    const story = new Story({ policy, ...options });
    story.item("a", { category: "x" });
    story.item("b", { category: "y" });
    return story.ask(1, "r", { candidates: ["a", "b"], count: 2, boosts }).items;
  };
  const of = (items: Recommendation["items"], item: string) => items.find((each) => each.item === item);
  const [plain, boosted] = [ask([]), ask([rule])];
  const odds = (items: Recommendation["items"]) => {
    const [{ propensity = 0, item = "" } = {}] = items;
    return item === "a" ? propensity / (1 - propensity) : (1 - propensity) / propensity;
  };
  assert.ok(Math.abs(odds(boosted) / odds(plain) - 4) < 1e-9);
  assert.equal(of(boosted, "a")?.score, of(plain, "a")?.score, "the score is the model's");
  assert.deepEqual(ask([], { boosts: [rule] }), boosted, "a rule of the deployment applies to every request");
  const story = new Story({ ranking: "blend" });
  for (const item of ["a", "b", "c"]) story.item(item, { category: item });
  for (const user of ["u1", "u2"]) story.click(1, "a", { user });
  assert.equal(items(story, 2, { count: 1 })[0], "a");
  assert.deepEqual(items(story, 3, { count: 1, boosts: [{ by: 1000, categories: ["c"] }] }), ["c"]);
});

Deno.test("TaskState.apply() leaves out items that were shown too often", () => {
  const ids = ["a", "b", "c"];
  const started = (options: Partial<TaskOptions>) => {
    const story = new Story({ ranking: "blend", ...options });
    for (const item of ids) story.item(item);
    for (const user of ["u1", "u2"]) story.click(1, "a", { user });
    return story;
  };
  // Without a memory, lists with an open outcome count: here those of the last 100 ms and the lateness.
  const brief = started({});
  const once = { most: 1, withinMs: 1000 };
  assert.deepEqual(items(brief, 2, { count: 1 }), ["a"]);
  assert.deepEqual(items(brief, 3, { count: 1 }), ["a"], "nothing is capped by default");
  assert.ok(!items(brief, 4, { count: 3, frequency: once }).includes("a"));
  assert.deepEqual(items(brief, 5, { count: 1, frequency: { most: 3, withinMs: 1000 } }), ["a"]);
  assert.deepEqual(
    items(brief, 6, { count: 1, frequency: { most: 3, withinMs: 1000 } }).includes("a"),
    false,
  );
  assert.deepEqual(
    items(brief, 7, { count: 1, frequency: { most: 2, withinMs: 2 } }),
    ["a"],
    "of two ms ago",
  );
  assert.deepEqual(items(brief, 1000, { count: 1, frequency: once }), ["a"], "those lists are settled");

  const long = started({ frequency: { ...once, withinMs: 10_000, remembered: 4 } });
  assert.deepEqual(items(long, 2, { count: 1 }), ["a"]);
  assert.ok(!items(long, 5000, { count: 1 }).includes("a"), "it is remembered, and capped by default");
  assert.deepEqual(
    items(long, 5001, { candidates: ["a"] }),
    ["a"],
    "items that a request names are not capped by default",
  );
  const user = long.task.users.get("u")!;
  const copy = new TaskState({ schema: long.task.catalogue.schema }, long.serving);
  for (const item of ids) copy.applyItem({ item, time: 0 });
  copy.restoreUser("u", long.task.memory.record(user));
  assert.deepEqual(copy.users.get("u")?.shown, user.shown);
  assert.equal(user.shown.length, 3);
  // An impression that confirms the answer does not count again.
  long.ask(6000, "again", { candidates: ["b"], count: 1 });
  long.show(6001, ["b"], { request: "again" });
  assert.equal(user.shown.length, 4);
  long.show(6002, ["c"]);
  assert.deepEqual(user.shown.map(({ time }) => time), [5000, 5001, 6000, 6002], "the newest four");
});

Deno.test("TaskState.apply() counts an item twice that two lists show at the same moment, remembered or not", () => {
  for (const remembered of [0, 9]) {
    const story = new Story({ frequency: { most: 2, withinMs: 50, remembered } });
    for (const item of ["a", "b", "c"]) story.item(item);
    const isCapped = (time: number, request: string) => {
      const candidates = { frequency: { most: 2, withinMs: 50 }, count: 3 };
      return !story.ask(time, request, candidates).items.some(({ item }) => item === "a");
    };
    story.show(10, ["a"], { request: "top" });
    story.show(10, ["a"], { request: "top" });
    assert.ok(!isCapped(11, "once"), "a list that is confirmed counts once");
    story.show(90, ["a", "b"], { request: "left" });
    story.show(90, ["a", "c"], { request: "right" });
    assert.ok(isCapped(91, "twice"), "the list before is too long ago to count");
  }
});

Deno.test("TaskState.apply() merges a session's behaviours into the user once, without counting them again", () => {
  const story = new Story();
  for (const item of ["a", "b", "c"]) story.item(item);
  story.click(10, "a");
  story.click(20, "b", { user: "anonymous" });
  story.click(40, "c", { user: "anonymous" });
  const popularity = () => ["a", "b", "c"].map((id) => story.task.catalogue.get(id)?.popularity);
  const before = popularity();
  const behaviours = [
    { item: "c", action: "click", time: 40, strength: 1 },
    { item: "b", action: "click", time: 20, strength: 1 },
    { item: "b", action: "hover", time: 21, strength: 1 },
  ];
  const event = { type: "merge", user: "u", from: "anonymous", time: 41, behaviours } as const;
  const apply = (event: MergeEvent, offset: number) => story.task.apply(event, offset, story.out);
  apply({ ...event, attributes: { city: "Oslo" } }, 100);
  const { users, sequences, catalogue, counters } = story.task;
  const user = users.get("u")!;
  const items = () =>
    Array.from(
      { length: sequences.length(user.row) },
      (_, i) => catalogue.at(sequences.item(user.row, i)).id,
    );
  assert.deepEqual(items(), ["a", "b", "c"], "in order of time; hover is no behaviour");
  apply({ ...event, attributes: { city: "Rome" } }, 101);
  assert.deepEqual([items(), user.profile], [["a", "b", "c"], { city: "Oslo" }], "a repeat changes nothing");
  apply(
    { ...event, behaviours: [...behaviours, { item: "a", action: "click", time: 30, strength: 1 }] },
    102,
  );
  assert.deepEqual(items(), ["a", "b", "a", "c"], "a session that went on adds what is new");
  assert.deepEqual([popularity(), counters.interactions, counters.behaviours], [before, 3, 6]);
});
