import assert from "node:assert/strict";
import { contextOf } from "../../src/retrieval/signals/context.ts";
import { Gatherer } from "../../src/retrieval/gatherer.ts";
import type { RetrievalOptions } from "../../src/retrieval/retrieval_options.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { outputs, SMALL, START } from "../engine/streams.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SIZES = { popular: 10, category: 10, fresh: 10 };

/**
 * Six users view shoes, one after another: all of them s0, five of them s1, ..., and one of them a hat as well.
 * @returns The features of a candidate for somebody who had the items in `before`
 */
function gathered(retrieval: RetrievalOptions, before: readonly (string | readonly [string, ago: number])[]) {
  const options: TaskOptions = { ...SMALL, retrieval: { ...SMALL.retrieval, ...retrieval } };
  const task = new TaskState(options, new FakeServing());
  for (const item of ["s0", "s1", "s2", "s3", "s4", "s5", "h0"]) {
    task.applyItem({ item, time: START, category: item.startsWith("s") ? "shoes" : "hats" });
  }
  const out = outputs();
  let time = START, offset = 0;
  const view = (user: string, item: string) =>
    task.apply({ type: "interaction", user, item, action: "view", time: time += MINUTE }, offset++, out);
  for (let n = 0; n < 6; n++) for (let s = 0; s < 6 - n; s++) view(`u${n}`, `s${s}`);
  view("u0", "h0");
  const { catalogue } = task;
  const { sources, parts } = task.retrieval;
  const gatherer = new Gatherer(task, sources, parts, 100);
  const context = contextOf(before.map((each) => {
    const [id, ago] = typeof each === "string" ? [each, 0] : each;
    return { item: catalogue.get(id)!.index, time: time - ago };
  }));
  const features = gatherer.gather({ user: null, context, time, allowed: () => true }, true);
  const { names } = gatherer;
  const feature = (id: string, name: string) => {
    const place = gatherer.placeOf(catalogue.get(id)!.index);
    assert.ok(place >= 0, `${id} is a candidate`);
    return features.values[place * names.length + names.indexOf(name)]!;
  };
  return Object.assign(feature, { names });
}

Deno.test("Gatherer.gather() scores a candidate by its categories, whether it is on their lists or not", () => {
  // Two places per category: s0 and s1 have them. The others are candidates because they are co-visited.
  const feature = gathered({ listSizes: { popular: 1, category: 2, fresh: 3 } }, ["h0"]);
  assert.equal(feature("s4", "category"), 0);
  const ofShoes = gathered({ listSizes: { popular: 1, category: 2, fresh: 3 } }, ["s0"]);
  const scores = ["s0", "s1", "s2", "s3", "s4", "s5"].map((id) => ofShoes(id, "category"));
  assert.ok(scores.every((score, k) => score > 0 && (k === 0 || score < scores[k - 1]!)), `${scores}`);
  assert.equal(ofShoes("h0", "category"), 0);
});

Deno.test("Gatherer.gather() gives re-visited items all features that the others have, and marks them", () => {
  const names = (feature: ReturnType<typeof gathered>, id: string) =>
    feature.names.filter((name) => feature(id, name) !== 0);
  const revisits = gathered({ revisits: true }, ["s1", "h0"]);
  for (const id of ["h0", "s1"]) {
    for (const name of ["re-visit", "own", "count"]) {
      assert.ok(names(revisits, id).includes(name), `${id} ${name}`);
    }
  }
  assert.ok(revisits("s1", "re-visit") > revisits("h0", "re-visit"));
  const twice = gathered({ revisits: true }, ["s1", "h0", "s1"]);
  assert.ok(Math.abs(twice("s1", "times had") - Math.log(3)) < 1e-9);
  assert.ok(Math.abs(twice("h0", "times had") - Math.log(2)) < 1e-9 && twice("s2", "times had") === 0);
  const others = names(revisits, "s2");
  assert.ok(others.includes("co-visited") && others.includes("category") && !others.includes("own"));
  const once = names(gathered({}, ["s1", "h0"]), "s1");
  assert.ok(once.includes("co-visited") && once.includes("own") && !once.includes("re-visit"));
});

Deno.test("Gatherer.gather() counts what a user had at the same time of other days", () => {
  const before = [["s1", 6 * HOUR], ["h0", 20 * HOUR], ["s1", 2 * DAY], ["s0", 3 * DAY - HOUR], [
    "h0",
    9.5 * DAY,
  ]] as const;
  const feature = gathered({ revisits: true }, before);
  const times = (id: string) => Math.expm1(feature(id, "had at this hour"));
  // Once at this hour and once a quarter of a day away; an hour away; four hours and half a day away; never.
  assert.ok(times("s1") > 1 && times("s1") < 1.1, `${times("s1")}`);
  assert.ok(times("s0") > 0.9 && times("s0") < 0.95, `${times("s0")}`);
  assert.ok(times("h0") > 0.25 && times("h0") < 0.4, `${times("h0")}`);
  assert.equal(times("s2"), 0);
  // Whole days change nothing, and an hour before is as near as an hour after.
  const later = gathered({ revisits: true }, before.map(([id, ago]) => [id, ago + 5 * DAY] as const));
  assert.ok(Math.abs(later("s1", "had at this hour") - feature("s1", "had at this hour")) < 1e-9);
  const earlier = gathered({ revisits: true }, [["s0", 3 * DAY + HOUR]]);
  assert.ok(Math.abs(earlier("s0", "had at this hour") - feature("s0", "had at this hour")) < 1e-9);
  assert.equal(gathered({ revisits: false }, before)("s1", "had at this hour"), 0);
});

Deno.test("Gatherer.gather() gives the age of an item's behaviours", () => {
  const feature = gathered({}, ["h0"]);
  // Of 22 views, one per minute, s5 has the 6th, s4 the 5th and the 11th, and h0 the last.
  for (const [id, minutes] of [["s5", 16], ["s4", 14]] as const) {
    const age = Math.expm1(feature(id, "age of behaviours"));
    assert.ok(Math.abs(age - minutes) < 0.1, `${id}: ${age} minutes`);
  }
  assert.equal(gathered({}, ["s0"])("h0", "age of behaviours"), 0);
});

Deno.test("Gatherer.gather() scores what is taken more often at this stage of a user's life", () => {
  const feature = gathered({}, []);
  // Everybody began with s0, and nobody with any other item.
  assert.ok(feature("s0", "usual stage") > 0.5, `${feature("s0", "usual stage")}`);
  for (const id of ["s1", "s2", "h0"]) assert.ok(feature(id, "usual stage") < -0.1, id);
  const later = gathered({}, ["h0", "s0", "s1"]);
  assert.ok(later("s0", "usual stage") < 0 && later("s3", "usual stage") > 0);
});

Deno.test("Gatherer.gather() scores how much more a user turns to categories and fields than others do", () => {
  const schema = { ...SMALL.schema, itemFields: ["decade"] };
  const task = new TaskState({ ...SMALL, schema, retrieval: { listSizes: SIZES } }, new FakeServing());
  const films = { a1: "action", a2: "action", d1: "drama", d2: "drama", d3: "drama", x1: "action drama" };
  for (const [item, genres] of Object.entries(films)) {
    const attributes = item === "d3" ? {} : { decade: item.endsWith("1") ? "1980s" : "1990s" };
    task.applyItem({ item, time: START, categories: genres.split(" "), attributes });
  }
  const out = outputs();
  // Of eight likes one and a half are of action films.
  for (const [n, item] of ["d1", "d2", "d3", "d1", "d2", "a1", "d3", "x1"].entries()) {
    task.apply({ type: "interaction", user: `u${n}`, item, action: "like", time: START + n }, n, out);
  }
  const { catalogue } = task;
  const { sources, parts } = task.retrieval;
  const gatherer = new Gatherer(task, sources, parts, 100);
  const features = (before: readonly string[]) => {
    const context = contextOf(before.map((id) => ({ item: catalogue.get(id)!.index, time: START })));
    const { values } = gatherer.gather({ user: null, context, time: START + 8, allowed: () => true }, true);
    return (id: string, name: string) => {
      const place = gatherer.placeOf(catalogue.get(id)!.index);
      assert.ok(place >= 0, `${id} is a candidate`);
      return values[place * gatherer.names.length + gatherer.names.indexOf(name)]!;
    };
  };
  const near = (value: number, wanted: number) => assert.ok(Math.abs(value - wanted) < 1e-6, `${value}`);
  const feature = features(["a2", "x1", "a2", "d1"]);
  // Of four behaviours 2.5 are of action, of eight likes 1.5.
  const [action, drama] = [Math.log(3.5 / 1.75), Math.log(2.5 / 4.25)];
  near(feature("a1", "usual categories"), action);
  near(feature("d3", "usual categories"), drama);
  near(feature("x1", "usual categories"), (action + drama) / 2);
  // Of four behaviours two are of the eighties, of six likes with a decade four.
  near(feature("a1", "usual fields"), Math.log(3 / (4 * 4 / 6 + 1)));
  near(feature("d2", "usual fields"), Math.log(3 / (4 * 2 / 6 + 1)));
  near(feature("d3", "usual fields"), 0);
  for (const name of ["usual categories", "usual fields"]) near(features([])("a1", name), 0);
});

Deno.test("Gatherer.gather() gives finite features at any time, even long before all behaviours", () => {
  const task = new TaskState(
    { ...SMALL, retrieval: { neighbours: { halfLifeMs: MINUTE } } },
    new FakeServing(),
  );
  const out = outputs();
  for (const [n, item] of ["a", "b", "a", "b"].entries()) {
    task.apply({ type: "interaction", user: `u${n % 2}`, item, action: "view", time: START + n }, n, out);
  }
  const { sources, parts } = task.retrieval;
  const gatherer = new Gatherer(task, sources, parts, 100);
  const index = task.catalogue.get("a")!.index;
  for (const time of [0, START / 2, START, START * 1.1]) {
    const { count, values } = gatherer.gather(
      { user: null, context: contextOf([{ item: index, time }]), time, allowed: () => true },
      true,
    );
    assert.ok(count > 0);
    assert.ok(values.subarray(0, count * gatherer.names.length).every(Number.isFinite), `at ${time}`);
  }
});

Deno.test("Gatherer.gather() asks sources for more when requests have more than 100 candidates", () => {
  const task = new TaskState(SMALL, new FakeServing());
  const asked = [50, 100, 250].map((maxCandidates) => {
    let limit = 0;
    const propose = (most: number) => {
      limit = most;
      return [];
    };
    const source = { name: "one", proposals: 40, weight: 0, propose, score: () => 0 };
    const gatherer = new Gatherer(task, [source], task.retrieval.parts, maxCandidates);
    gatherer.gather({ user: null, context: contextOf([]), time: START, allowed: () => true }, false);
    return limit;
  });
  assert.deepEqual(asked, [40, 40, 100]);
});
