/**
 * Whether the scores of answers are shares or probabilities.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeRecommendation } from "../../src/events/codec.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { RequestEvent } from "../../src/events/event.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { Learning } from "../../scripts/evaluate/learning.ts";
import { parseConfig, taskOptions } from "../../streams/config/config.ts";
import { loggedList } from "../../streams/evaluation/recommendation_log.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { openSource } from "../../streams/sources/open.ts";
import { outputs } from "../engine/streams.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { Levels } from "../../src/scorer/levels.ts";
import { Calibrations, judge, type Positives, scoreKindOf } from "../../src/scorer/score_kind.ts";
import { Story } from "../engine/story.ts";
import { startExperiment } from "../../src/assignment/changes.ts";
import { decodeTask, encodeTask } from "../../src/engine/task_codec.ts";
import { DEFAULT_SCHEMA, PRIOR_NUMERIC } from "../../src/features/schema.ts";
import { sigmoid } from "../../src/nn/losses/logistic.ts";
import { makeSamples } from "../learner/batches.ts";
import type { ListFeatures } from "../../src/samples/sample.ts";
import { FakeServing } from "../engine/fake_serving.ts";

const RANKINGS = ["model", "blend", "both"] as const;
const EVENTS = 14_000;
/** Standard errors of an interval of 99.9 %. */
const Z = 3.3;

/** Users who click through a catalogue. */
function visited(items: number, options: ConstructorParameters<typeof Story>[0] = {}): Story {
  const story = new Story({ outcomeWindowMs: 10, ...options });
  for (let n = 0; n < items; n++) story.item(`i${n}`, { categories: [`c${n % 5}`] }, 1);
  story.ask(2, "first");
  for (let n = 0; n < 4 * items; n++) {
    story.click(100 + n, `i${(n * n) % items}`, { user: `u${n % 7}` });
  }
  return story;
}

function checkShares(answer: Recommendation, about: string): void {
  const { items, others = [], scoreKind } = answer;
  assert.equal(scoreKind, "share", about);
  let sum = 0;
  for (const { score } of [...items, ...others]) {
    assert.ok(score >= 0 && score <= 1, `${about}: ${score}`);
    sum += score;
  }
  assert.ok(sum <= 1 + 1e-9, `${about}: they add up to ${sum}`);
  items.forEach(({ score }, place) => {
    assert.ok(place === 0 || items[place - 1]!.score >= score, `${about}: ${score} at ${place}`);
  });
}

Deno.test("TaskState.apply() scores by shares without outcomes: they fall along the list and sum to 1 at most", () => {
  const asks: readonly Partial<RequestEvent>[] = [
    {},
    { candidates: ["i1", "i2", "i3", "unknown"] },
    { list: "popular" },
    { list: "new" },
    { item: "i1" },
    { count: 100 },
    { count: 3, user: "u3" },
    { user: "nobody" },
    { filter: { categories: ["c1"] } },
  ];
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.boolean(), (items, logCandidates) => {
      for (const ranking of RANKINGS) {
        const story = visited(items, { ranking, logCandidates });
        for (const [at, ask] of asks.entries()) {
          const about = `${ranking}, ${JSON.stringify(ask)} of ${items}`;
          checkShares(story.ask(10_000 + at, `r${at}`, ask), about);
        }
      }
    }),
    { numRuns: 12 },
  );
});

Deno.test("TaskState.apply() gives an item the same share however long the list is", () => {
  for (const ranking of RANKINGS) {
    const [short, long] = [2, 20].map((count) => visited(40, { ranking }).ask(10_000, "r", { count }).items);
    for (const { item, score } of short!) {
      const same = long!.find((other) => other.item === item);
      assert.ok(same !== undefined && Math.abs(same.score - score) < 1e-12, ranking);
    }
  }
});

Deno.test("TaskState.apply() still calls scores shares after 100 outcomes without a positive", () => {
  for (const ranking of RANKINGS) {
    const story = visited(20, { ranking });
    for (let n = 0; n < 14; n++) {
      const request = `s${n}`;
      story.show(1000 + 50 * n, Array.from({ length: 10 }, (_, i) => `i${i}`), { request, id: request });
      story.tick(1000 + 50 * n + 49);
    }
    checkShares(story.ask(2000, "r"), ranking);
    const { rows, positives } = story.task.counters;
    assert.deepEqual([rows > 100, positives], [true, 0]);
  }
});

const NOTHING: Positives = { positives: 0, modelMicros: 0, priorMicros: 0, modelTurns: 0, priorTurns: 0 };
const SHARES = [0, 0.5, 1];

/** Kinds of scores, by the model's share, after each row, if so many times the observed positives are expected. */
function kinds(
  rows: number,
  seed: number,
  times: { readonly model: number; readonly prior: number },
): string[] {
  const random = createRandom(seed);
  const counts = { ...NOTHING };
  return Array.from({ length: rows }, () => {
    const rate = 0.1 * random();
    judge(counts, random() < rate ? 1 : 0, { model: times.model * rate, prior: times.prior * rate });
    return SHARES.map((share) => scoreKindOf(counts, share)[0]).join("");
  });
}

Deno.test("scoreKindOf() is probability once predictions have proved calibrated", () => {
  for (let seed = 0; seed < 20; seed++) {
    const both = kinds(20_000, seed, { model: 1, prior: 1 });
    assert.deepEqual(
      [both[0], both[2000], both.at(-1)],
      ["sss", "sss", "ppp"],
      "at least 270 positives are needed",
    );
    const changes = both.filter((kind, row) => row > 0 && kind !== both[row - 1]).length;
    assert.ok(changes <= 3, `it changes ${changes} times`);
    for (const times of [1 / 1.25, 1.25]) {
      assert.equal(kinds(20_000, seed, { model: times, prior: 1 }).at(-1), "pss", `model ${times}`);
      assert.equal(kinds(20_000, seed, { model: 1, prior: times }).at(-1), "ssp", `prior ${times}`);
    }
  }
});

Deno.test("Calibrations.judge() judges each row of a list by its own prior, and only for its model", () => {
  const kept = new Calibrations();
  const want = { ...NOTHING };
  const levels = SHARES.map(() => new Levels());
  for (const { rows } of makeSamples(10)) {
    for (let row = 0; row < rows.length; row++) {
      rows.numerics[row * rows.width + PRIOR_NUMERIC] = row - 3;
      rows.setLogit(row, row / 2 - 1);
    }
    kept.judge("m", rows, (logit, position) => logit - position);
    for (let row = 0; row < rows.length; row++) {
      const [label, prior, model] = [rows.label(row), row - 3, row / 2 - 1 - rows.position(row)];
      judge(want, label, { model: rows.prediction(row), prior: sigmoid(prior) });
      for (const [at, share] of SHARES.entries()) levels[at]!.learn(prior + share * (model - prior), label);
    }
  }
  const counters = levels.flatMap((each, at) =>
    [...each.counters()].map(([name, value]) => [`${at}${name}`, value] as const)
  );
  const named = [...Object.entries(want), ...counters].map(([name, value]) => [`${name}/m`, value]);
  assert.deepEqual([...kept.counters()], named);
  for (const [at, share] of SHARES.entries()) {
    assert.equal(kept.probabilityOf("m", share)(-1.2), sigmoid(levels[at]!.correct(-1.2)));
  }
  assert.equal(kept.probabilityOf("other", 1)(-1.2), sigmoid(-1.2));
});

Deno.test("Calibrations.restore() restores its own counters, and ignores others", () => {
  const kept = new Calibrations();
  const models = [undefined, "m", "with/slash@3"];
  for (const model of models) for (const { rows } of makeSamples(5)) kept.judge(model, rows, () => -1);
  const restored = new Calibrations();
  for (const [name, value] of [...kept.counters(), ["rows", 3], ["9said3/m", 1], ["0other/m", 1]] as const) {
    restored.restore(name, value);
  }
  assert.deepEqual([...restored.counters()], [...kept.counters()]);
});

Deno.test("scoreKindOf() is share again when far more positives are expected than come", () => {
  const counts = { ...NOTHING };
  for (let row = 0; row < 10_000; row++) judge(counts, row % 10 === 0 ? 1 : 0, { model: 0.1, prior: 0.1 });
  assert.equal(scoreKindOf(counts, 1), "probability");
  for (let row = 0; row < 10_000; row++) judge(counts, row % 20 === 0 ? 1 : 0, { model: 0.15, prior: 0.05 });
  assert.deepEqual(SHARES.map((share) => scoreKindOf(counts, share)), ["probability", "share", "share"]);
});

/** Predicts the same probability for everything. */
class Sayer extends FakeServing {
  readonly #logit: number;

  constructor(override readonly model: "fake", probability: number) {
    super();
    this.version = 1;
    this.#logit = Math.log(probability / (1 - probability));
  }

  override score({ rows }: ListFeatures): Float32Array {
    return new Float32Array(rows.length).fill(this.#logit);
  }

  override place(logit: number): number {
    return logit;
  }
}

Deno.test("TaskState.apply() tells the score kind of each model of an experiment by its own lists", () => {
  const options = {
    schema: DEFAULT_SCHEMA,
    outcomeWindowMs: 10,
    allowedLatenessMs: 0,
    ranking: "model",
  } as const;
  const models = [new Sayer("fake", 0.1), new Sayer("other" as "fake", 0.3)] as const;
  const make = () => new TaskState(options, models[0], [models[1]]);
  const variants = [{ name: "A" }, { name: "B", model: "other" }];
  const experiment = startExperiment({ name: "e", variants }, { records: new Map(), models: ["other"] });
  let task = make();
  task.applyExperiments([experiment]);
  const candidates = Array.from({ length: 10 }, (_, i) => `i${i}`);
  for (const item of candidates) task.applyItem({ item, time: 0 });
  const out = outputs();
  const kinds = new Map<string, string | undefined>();
  const play = (from: number, to: number) => {
    for (let n = from; n < to; n++) {
      const [user, request, time] = [`u${n}`, `r${n}`, 20 * n];
      task.apply({ type: "request", user, request, time, count: 10, candidates }, 2 * n, out);
      const { variant, scoreKind } = out.recommendations.pop()!;
      kinds.set(variant!, scoreKind);
      const item = candidates[n % 10]!;
      task.apply(
        { type: "interaction", user, request, time: time + 1, item, action: "click" },
        2 * n + 1,
        out,
      );
    }
  };
  play(0, 1500);
  const want = new Map([["A", "probability"], ["B", "share"]]);
  assert.deepEqual(kinds, want, "one in ten is clicked, B predicts three");
  const record = encodeTask(task, 0);
  const catalogue = [...task.catalogue.items()].map(({ id }) => id);
  task = make();
  for (const item of catalogue) task.applyItem({ item, time: 0 });
  decodeTask(record, task);
  kinds.clear();
  play(1500, 1520);
  assert.deepEqual(kinds, want, "restored");
});

/** Predicts 0.18 for two items in five, 0.05 for the rest, and more at the top. */
class Guesser extends FakeServing {
  constructor() {
    super();
    this.version = 1;
  }

  override score({ rows }: ListFeatures): Float32Array {
    return Float32Array.from(rows.map((_, row) => row % 5 < 2 ? -1.5 : -3));
  }

  override place(logit: number, position: number): number {
    return position === 0 ? logit + 0.3 : logit;
  }

  override unplace(logit: number, position: number): number {
    return position === 0 ? logit - 0.3 : logit;
  }
}

Deno.test("TaskState.apply() calibrates probabilities by level, also after a restore", () => {
  const options = {
    schema: DEFAULT_SCHEMA,
    outcomeWindowMs: 10,
    allowedLatenessMs: 0,
    ranking: "model",
  } as const;
  const candidates = Array.from({ length: 10 }, (_, i) => `i${i}`);
  const make = () => {
    const task = new TaskState(options, new Guesser());
    for (const item of candidates) task.applyItem({ item, time: 0 });
    return task;
  };
  const tasks = [make()];
  const play = (n: number, task: TaskState) => {
    const out = outputs();
    const [user, request, time] = [`u${n}`, `r${n}`, 20 * n];
    task.apply({ type: "request", user, request, time, count: 10, candidates }, 2 * n, out);
    const { scoreKind, items } = out.recommendations.pop()!;
    const { item } = items[n % 10]!;
    const click = { type: "interaction", user, request, time: time + 1, item, action: "click" } as const;
    task.apply(click, 2 * n + 1, out);
    return { scoreKind, items: items.map(({ item }) => item), scores: items.map(({ score }) => score) };
  };
  const first = play(0, tasks[0]!);
  for (let n = 1; n < 1500; n++) play(n, tasks[0]!);
  tasks[0]!.flush(outputs());
  const restored = make();
  decodeTask(encodeTask(tasks[0]!, 0), restored);
  tasks.push(restored);
  const [last, again] = tasks.map((task) => play(1500, task));
  assert.deepEqual(again, last);
  assert.equal(last!.scoreKind, "probability");
  assert.deepEqual(last!.items, first.items, "in the same order");
  const [high, low] = [last!.scores[0]!, last!.scores.at(-1)!];
  assert.ok(low > 0.07 && low < 0.1 && high > 0.1 && high < 0.14, `one in ten is clicked: ${low}, ${high}`);
});

Deno.test("decodeRecommendation() reads an answer of 0.2.0, whose scores are probabilities", () => {
  const text = `{"request":"r","user":"ann","time":1740982815621,"items":[{"item":"tent","score":0.2226,` +
    `"position":0,"propensity":1,"source":"co-visited"}],"model":"dien","version":3,"stateVersion":2,` +
    `"others":[{"item":"stove","score":0.1}],"tookMicros":12}`;
  const decoded = decodeRecommendation(new TextEncoder().encode(text));
  assert.ok(decoded.ok);
  assert.equal(decoded.recommendation.scoreKind, undefined);
});

Deno.test("loggedList() uses shares as the scores that the list was drawn by", () => {
  const policy = { name: "boltzmann", temperature: 1 } as const;
  const story = visited(20, { ranking: "blend", policy, logCandidates: true });
  const answer = story.ask(10_000, "r", { count: 5 });
  story.task.flush(story.out);
  const sample = story.samples.find(({ request }) => request === "r");
  assert.ok(sample);
  const list = loggedList(answer, sample, policy);
  assert.ok(list);
  for (const { target, logged } of list.places) assert.ok(Math.abs(target / logged - 1) < 1e-6);
});

/** What was predicted for an item, and its outcomes. */
interface Row {
  readonly user: string;
  readonly score: number;
  readonly label: number;
}

/** How many standard errors outcomes are from predictions; errors are clustered by user. */
function apart(rows: readonly Row[]): number {
  const users = new Map<string, number>();
  for (const { user, score, label } of rows) users.set(user, (users.get(user) ?? 0) + label - score);
  const errors = [...users.values()];
  const variance = errors.reduce((sum, error) => sum + error * error, 0);
  return errors.reduce((sum, error) => sum + error, 0) / Math.sqrt(variance);
}

Deno.test("TaskState.apply() scores the shop by probabilities that come true, in every fifth of them", async () => {
  const shop = new URL("../../fixtures/shop", import.meta.url).pathname;
  const config = parseConfig(await Deno.readTextFile(`${shop}/meander.json`), "meander.json");
  const options = taskOptions(PROFILES.meander, config, "base");
  const learning = new Learning("base", options, config, 0);
  const task = new TaskState(options, learning.serving);
  const out = outputs();
  const kept = new Map<string, ReadonlyMap<string, number>>();
  const rows: Row[] = [];
  let events = 0;
  for await (const record of openSource("meander", shop)) {
    if (record.kind === "item") task.applyItem(record.item);
    if (record.kind !== "event") continue;
    if (++events > EVENTS) break;
    const { event } = record;
    if (event.type === "impression") {
      const { user, time, items, context, surface } = event;
      const request = { request: "peek", user, time, candidates: items, count: items.length };
      const at = {
        ...(context === undefined ? {} : { context }),
        ...(surface === undefined ? {} : { surface }),
      };
      const asked = { type: "request", ...request, ...at } as const;
      const known = task.users.get(user);
      const { recommendation } = known === undefined
        ? task.lists.preview(null, asked)
        : task.lists.preview(known, asked);
      if (recommendation.scoreKind === "probability" && event.request !== undefined) {
        kept.set(
          event.request,
          new Map(recommendation.items.map(({ item, score }) => [item, score])),
        );
      }
    }
    task.apply(event, events, out);
    for (const { purpose, request, user, rows: shown } of out.samples) {
      const scores = kept.get(request);
      if (purpose === "learn" || scores === undefined) continue;
      for (const { item, label } of shown) rows.push({ user, score: scores.get(item)!, label });
    }
    learning.learn(out);
    out.samples.length = 0;
  }
  const later = rows.slice(rows.length / 2).sort((a, b) => a.score - b.score);
  assert.ok(later.length > 10_000);
  const fifths = (of: readonly Row[]) =>
    [0, 1, 2, 3, 4].map((part) => apart(of.slice(part * of.length / 5, (part + 1) * of.length / 5)));
  for (const z of [apart(later), ...fifths(later)]) assert.ok(Math.abs(z) < Z, `it is ${z} errors off`);
  // Predictions that are half as sure, with the same mean, are detected.
  const mean = later.reduce((sum, { score }) => sum + score, 0) / later.length;
  const unsure = later.map((row) => ({ ...row, score: mean + (row.score - mean) / 2 }));
  assert.ok(fifths(unsure).some((z) => Math.abs(z) > Z));
});
