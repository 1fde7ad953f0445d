import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { evaluatePolicy } from "../../src/experiments/off_policy.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Rows } from "../../src/samples/rows.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { loggedList, readRecommendationLog } from "../../streams/evaluation/recommendation_log.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { Story } from "../engine/story.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { list } from "../experiments/lists.ts";

const topics = topicNames();
const POLICY = { name: "boltzmann", temperature: 0.5 } as const;

/** A deployment that explores; users click on the items that it scores highest. */
async function deployment(
  logCandidates: boolean,
  interleaved = 0,
  idOf = (r: number) => `r${r}`,
): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  if (interleaved > 0) {
    await new ExperimentRegistry(log, topics, { models: [], now: () => 0 }).start({
      name: "draft",
      mode: "interleave",
      traffic: interleaved,
      variants: [{ name: "A" }, { name: "B", policy: { name: "boltzmann", temperature: 2 } }],
    });
  }
  const random = createRandom(1);
  const schema = { ...DEFAULT_SCHEMA, transitions: null };
  const options = { schema, policy: POLICY, logCandidates, outcomeWindowMs: 1000, allowedLatenessMs: 0 };
  await using task = await Task.open({ log, topics, partition: 0, options, serving: new FakeServing() });
  const candidates = Array.from({ length: 8 }, (_, i) => `i${i}`);
  for (let r = 0; r < 300; r++) {
    const [user, time, request] = [`u${r % 60}`, 10_000 * r, idOf(r)];
    const write = (event: Event) =>
      log.append([{
        topic: topics.events,
        partition: 0,
        key: user,
        value: encodeEvent(event),
        time: event.time,
      }]);
    const epoch = Date.UTC(2026, 0, 1) + time;
    await write({ type: "request", user, time: epoch, request, count: 3, candidates });
    await task.step({ now: () => r * 1000, commitIntervalMs: 1 });
    const { end } = await log.bounds(topics.recommendations, 0);
    const { records } = await log.read(topics.recommendations, 0, end - 1);
    const { items } = JSON.parse(new TextDecoder().decode(records[0]!.value!));
    for (const { item, score, order = Math.log(score / (1 - score)) } of items) {
      if (random() < (order > 0.4 ? 0.9 : 0.05)) {
        await write({ type: "interaction", user, time: epoch + 10, item, action: "click", request });
      }
    }
  }
  await task.round({ rows: 1e9, events: 1e9 });
  await task.flush();
  return log;
}

Deno.test("readRecommendationLog() joins answers and outcomes, and computes the propensities of any policy", async () => {
  const log = await deployment(true);
  const own = await readRecommendationLog(log, topics, POLICY);
  assert.deepEqual([own.lists.length, own.skipped, own.withoutCandidates], [300, 0, 0]);
  for (const { target, logged } of own.lists.flatMap(({ places }) => places)) {
    assert.ok(Math.abs(target - logged) < 1e-6, `${target} ${logged}`);
  }
  const same = evaluatePolicy(own.lists, { resamples: 0 });
  assert.equal(same.units, 60);
  assert.ok(Math.abs(same.estimates[0]!.value - same.logged) < 1e-6);
  // Users like what scores high, so a policy earns more the less it explores.
  const value = async (temperature: number) => {
    const { lists } = await readRecommendationLog(log, topics, { name: "boltzmann", temperature });
    return evaluatePolicy(lists, { resamples: 0, force: true }).estimates[2]!.value;
  };
  assert.ok(await value(0.35) > same.logged && await value(1) < same.logged);
});

Deno.test("readRecommendationLog() distinguishes requests with the same id, of several users or of one", async () => {
  for (const idOf of [(r: number) => `r${Math.floor(r / 3)}`, (r: number) => `r${r % 60}`, () => "home"]) {
    const { lists, skipped } = await readRecommendationLog(await deployment(true, 0, idOf), topics, POLICY);
    assert.deepEqual([lists.length, skipped], [300, 0]);
    for (const { target, logged } of lists.flatMap(({ places }) => places)) {
      assert.ok(Math.abs(target - logged) < 1e-6, `${target} ${logged}`);
    }
  }
});

Deno.test("readRecommendationLog() counts answers without their candidates", async () => {
  const { lists, withoutCandidates } = await readRecommendationLog(await deployment(false), topics, POLICY);
  assert.deepEqual([lists.length, withoutCandidates], [0, 300]);
});

Deno.test("readRecommendationLog() leaves out drafted lists, whose scores may come from two models", async () => {
  const { lists, drafted, skipped } = await readRecommendationLog(
    await deployment(true, 0.5),
    topics,
    POLICY,
  );
  assert.ok(drafted > 90 && lists.length > 90);
  assert.deepEqual([lists.length + drafted, skipped], [300, 0]);
  for (const { target, logged } of lists.flatMap(({ places }) => places)) {
    assert.ok(Math.abs(target - logged) < 1e-6, `${target} ${logged}`);
  }
});

Deno.test("loggedList() recovers the propensities of lists, whatever ordered them", () => {
  for (const ranking of ["auto", "blend", "both", "model"] as const) {
    for (const policy of [POLICY, { name: "epsilon", epsilon: 0.3 }] as const) {
      const boosts = [{ by: 3, categories: ["c1"] }];
      const story = new Story({ ranking, policy, boosts, logCandidates: true, impressions: "served" });
      for (let i = 0; i < 9; i++) story.item(`i${i}`, { category: `c${i % 2}` });
      for (let n = 0; n < 200; n++) {
        story.click(10 * n, `i${(n * n + n % 4) % 9}`, { user: n % 2 === 0 ? "u" : "v" });
      }
      const answers = Array.from({ length: 20 }, (_, n) => {
        return story.ask(2100 + 100 * n, `r${n}`, { count: 4 });
      });
      story.task.flush(story.out);
      const places = answers.flatMap((answer) => {
        const sample = story.samples.find(({ request }) => request === answer.request)!;
        return loggedList(answer, sample, policy)!.places;
      });
      assert.equal(places.length, 80);
      for (const { target, logged } of places) {
        assert.ok(Math.abs(target - logged) < 1e-9, `${ranking}, ${policy.name}: ${target}, not ${logged}`);
      }
    }
  }
});

Deno.test("loggedList() breaks ties of scores independently of what was drawn", () => {
  const items = ["a", "b", "c", "d"].map((item) => ({ item, score: 0.3 }));
  for (const policy of [{ name: "greedy" }, { name: "epsilon", epsilon: 0.2 }] as const) {
    // A list of one, drawn uniformly: over all draws the weights of any policy average 1.
    const weights = items.map((drawn) => {
      const recommendation: Recommendation = {
        request: "r",
        user: "u",
        time: 0,
        version: 1,
        stateVersion: 0,
        tookMicros: 1,
        model: "base",
        scoreKind: "probability",
        items: [{ ...drawn, position: 0, propensity: 0.25, source: "popular" }],
        others: items.filter(({ item }) => item !== drawn.item),
      };
      const sample = {
        ...list("u", 1, { rows: 1 }),
        rows: Rows.of([{ item: drawn.item, propensity: 0.25 }]),
      };
      const [place] = loggedList(recommendation, sample, policy)!.places;
      return place!.target / place!.logged;
    });
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
    assert.ok(Math.abs(mean - 1) < 1e-12, `${policy.name}: ${mean}`);
  }
});

Deno.test("loggedList() takes shares as they are: a policy draws in proportion to them, and one of 0 is never drawn", () => {
  const items = [["a", 0.6], ["b", 0.3], ["c", 0]].map(([item, score]) => ({ item, score })) as readonly {
    readonly item: string;
    readonly score: number;
  }[];
  const [drawn, ...others] = items;
  const recommendation: Recommendation = {
    request: "r",
    user: "u",
    time: 0,
    version: 1,
    stateVersion: 0,
    tookMicros: 1,
    model: "base",
    scoreKind: "share",
    others,
    items: [{ ...drawn!, position: 0, propensity: 0.5, source: "popular" }],
  };
  const sample = { ...list("u", 1, { rows: 1 }), rows: Rows.of([{ item: "a", propensity: 0.5 }]) };
  const [place] = loggedList(recommendation, sample, { name: "boltzmann", temperature: 1 })!.places;
  assert.ok(Math.abs(place!.target - 2 / 3) < 1e-12, `${place!.target}`);
  assert.ok(Math.abs(place!.expected - (0.6 * 2 / 3 + 0.3 / 3)) < 1e-12, `${place!.expected}`);
});
