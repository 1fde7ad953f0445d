import assert from "node:assert/strict";
import { type ExperimentDraft, startExperiment } from "../../src/assignment/changes.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";
import { METRIC_FIELDS } from "../../src/assignment/metrics.ts";
import { propensitiesOf } from "../../src/draws/policy.ts";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import { checkRecommendation } from "../../src/events/check.ts";
import type { Event } from "../../src/events/event.ts";
import { exposuresOf, type Recommendation } from "../../src/events/recommendation.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import type { ExperimentStatus } from "../../streams/experiments/followed.ts";

const topics = topicNames();
const START = Date.UTC(2026, 0, 1);
const OPTIONS: TaskOptions = {
  schema: DEFAULT_SCHEMA,
  outcomeWindowMs: 60_000,
  allowedLatenessMs: 0,
  seed: 3,
};
const LIMITS = { rows: 1e9, events: 1e9 };

class OtherServing extends FakeServing {
  override readonly model: "fake" = "other" as "fake";
  override version = 1;
}

async function createLog(items = 12): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(Array.from({ length: items }, (_, i) => ({
    topic: topics.items,
    partition: 0,
    key: `i${i}`,
    value: encodeItem({ item: `i${i}`, time: START, category: "abc"[i % 3]! }),
    time: START,
  })));
  return log;
}

const registryOf = (log: Log) => new ExperimentRegistry(log, topics, { models: ["other"], now: () => START });

/** A page of each user: a request, and a purchase of one of its candidates. */
function pages(page: number, users = 60): NewRecord[] {
  return Array.from({ length: users }, (_, u) => {
    const time = START + page * 3_600_000 + 1000 * u;
    const [user, request] = [`u${u}`, `r${page}-${u}`];
    const candidates = Array.from({ length: 12 }, (_, i) => `i${i}`);
    const ask: Event = { type: "request", user, time, request, count: 5, candidates };
    const item = `i${(u + page) % 12}`;
    const buy: Event = {
      type: "interaction",
      user,
      time: time + 10,
      request,
      item,
      action: "purchase",
      value: 7,
    };
    return [ask, buy].map((event) => ({
      topic: topics.events,
      partition: 0,
      key: user,
      value: encodeEvent(event),
      time: event.time,
    }));
  }).flat();
}

const VARIANTS = [{ name: "A" }, {
  name: "B",
  model: "other",
  policy: { name: "boltzmann", temperature: 2 },
}] as const;

/** Some days of a shop with experiments that start, grow, shrink and stop. */
async function write(log: Log): Promise<void> {
  const registry = registryOf(log);
  await log.append(pages(0));
  await registry.start({
    name: "rank",
    traffic: 0.3,
    variants: [...VARIANTS, { name: "S", model: "prior", shadow: true }],
  });
  await log.append(pages(1));
  await registry.traffic("rank", 0.9);
  await log.append(pages(2));
  await registry.stop("rank", "to mix");
  await registry.start({ name: "mix", mode: "interleave", variants: VARIANTS });
  await log.append(pages(3));
  await registry.promote("mix", "B");
  await log.append(pages(4));
}

async function read(log: Log): Promise<{ answers: Recommendation[]; bytes: Uint8Array[] }> {
  const [answers, bytes]: [Recommendation[], Uint8Array[]] = [[], []];
  for await (const { value } of readAll(log, topics.recommendations, 0)) {
    const answer = JSON.parse(new TextDecoder().decode(value!));
    const checked = checkRecommendation(answer);
    assert.ok(checked.ok, checked.ok ? "" : checked.reason);
    answers.push(answer);
  }
  for await (const { value } of readAll(log, topics.samples, 0)) bytes.push(value!);
  return { answers, bytes };
}

const openTask = (log: Log) =>
  Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new FakeServing(),
    variants: [new OtherServing()],
  });

async function play(log: Log, limits = LIMITS): Promise<{ answers: Recommendation[]; bytes: Uint8Array[] }> {
  await using task = await openTask(log);
  while ((await task.round(limits)).complete);
  await task.flush();
  return await read(log);
}

Deno.test("Task assigns variants as the records on its events say; answers and samples carry the exposure", async () => {
  const log = await createLog();
  await write(log);
  const { answers, bytes } = await play(log);
  const at = (page: number) => answers.filter(({ request }) => request.startsWith(`r${page}-`));
  assert.ok(at(0).every(({ variant, model }) => variant === undefined && model === "fake"));
  const [few, many] = [at(1), at(2)].map((of) =>
    new Map(of.flatMap(({ user, variant }) => variant ? [[user, variant]] : []))
  );
  assert.ok(few!.size >= 8 && few!.size <= 30, `${few!.size}`);
  assert.ok(many!.size > few!.size);
  for (const [user, variant] of few!) assert.equal(many!.get(user), variant);
  for (const answer of at(2)) {
    assert.equal(answer.model, answer.variant === "B" ? "other" : "fake");
    assert.equal(answer.experiment, answer.variant && "rank");
    assert.equal(answer.items.some(({ propensity }) => propensity < 1), answer.variant === "B");
    assert.deepEqual(
      answer.shadows?.map(({ variant, model, items }) => [variant, model, items.length]),
      answer.variant && [["S", "prior", 5]],
    );
  }
  assert.ok(at(3).every(({ variant }) => variant === "interleaved"));
  const teams = at(3).flatMap(({ items }) => items.flatMap(({ team }) => team ?? []));
  assert.deepEqual([...new Set(teams)].sort(), ["A", "B"]);
  assert.ok(at(4).every(({ variant, model }) => variant === undefined && model === "other"));

  const samples = new Map(
    bytes.map((record) => decodeSample(record)).map((sample) => [sample.request, sample]),
  );
  assert.equal(samples.size, answers.length);
  for (const answer of answers) {
    const sample = samples.get(answer.request)!;
    assert.deepEqual(sample.rows.map(({ item }) => item), answer.items.map(({ item }) => item));
    assert.deepEqual(sample.exposures?.[0]?.variant, answer.variant);
    assert.equal(sample.model ?? "fake", answer.model);
    assert.deepEqual(sample.rows.map(({ propensity }) => propensity), answer.items.map((i) => i.propensity));
    const teams = answer.items.map(({ team }) => team === undefined ? undefined : team === "A" ? 0 : 1);
    assert.deepEqual(sample.rows.map(({ team }) => team), teams);
    for (const row of sample.rows) assert.equal(row.reward ?? 0, 7 * row.label);
  }
  assert.ok(
    bytes.length > 100 &&
      [...samples.values()].some(({ rows }) => [...rows].some(({ label }) => label === 1)),
  );
});

Deno.test("Task assigns the same when events are read in other pieces, and after a restart", async () => {
  const [whole, pieces, restarted] = [await createLog(), await createLog(), await createLog()];
  for (const log of [whole, pieces, restarted]) await write(log);
  const expected = await play(whole);
  assert.deepEqual(await play(pieces, { rows: 3, events: 7 }), expected);
  for (let round = 0; round < 12; round++) {
    await using task = await openTask(restarted);
    await task.round({ rows: 1e9, events: 41 });
    if (round % 3 === 2) await task.round({ rows: 1e9, events: 1e6 }); // not committed: it is lost
  }
  assert.deepEqual(await play(restarted), expected);
});

Deno.test("Task puts nobody into an experiment when it lacks the model of one variant", async () => {
  const log = await createLog();
  await write(log);
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new FakeServing(),
  });
  while ((await task.round(LIMITS)).complete);
  await task.flush();
  const { answers } = await read(log);
  // Users of A alone would be a sample without peers: the split would be invalid, and B's users would seem to leave.
  assert.ok(answers.every(({ variant, model }) => model === "fake" && variant === undefined));
  assert.ok(task.state.counters.unservedVariants > 120);
});

Deno.test("Task notes on every list whether its user is held out, even when a model is missing", async () => {
  const log = await createLog();
  const registry = registryOf(log);
  await log.append(pages(0));
  await registry.start({ name: "rank", variants: VARIANTS });
  await registry.holdout(0.3);
  await log.append(pages(1));
  const variants = [new OtherServing(), undefined].map(async (other) => {
    const copy = await createLog();
    for await (const record of readAll(log, topics.events, 0)) {
      await copy.append([{ ...record, topic: topics.events }]);
    }
    await using task = await Task.open({
      log: copy,
      topics,
      partition: 0,
      options: OPTIONS,
      serving: new FakeServing(),
      variants: other === undefined ? [] : [other],
    });
    while ((await task.round(LIMITS)).complete);
    await task.flush();
    const { answers, bytes } = await read(copy);
    const samples = bytes.map((value) => decodeSample(value)).filter(({ request }) =>
      request.startsWith("r1-")
    );
    assert.equal(samples.length, 60);
    const held = new Map<string, string | undefined>();
    for (const { user, exposures } of samples) held.set(user, exposures?.at(-1)?.variant);
    for (const answer of answers) {
      const exposed = exposuresOf(answer).at(-1);
      const expected = answer.request.startsWith("r0-") ? undefined : { experiment: "holdout", phase: 1 };
      assert.deepEqual(
        exposed && { ...exposed, variant: undefined },
        expected && { ...expected, variant: undefined },
      );
      if (exposed !== undefined) assert.equal(exposed.variant, held.get(answer.user));
    }
    return [...held];
  });
  const [served, unserved] = await Promise.all(variants);
  assert.deepEqual(unserved, served);
  assert.deepEqual([...new Set(served!.map(([, variant]) => variant))].sort(), ["holdout", "rest"]);
});

Deno.test("Task serves what was promoted to users of an experiment that waits for a model", async () => {
  const log = await createLog();
  const registry = registryOf(log);
  const policy = { name: "boltzmann", temperature: 0.5 } as const;
  await registry.start({
    name: "first",
    layer: "policies",
    variants: [{ name: "A" }, { name: "B", policy }],
  });
  await registry.promote("first", "B");
  await registry.start({ name: "waits", variants: [{ name: "A" }, { name: "B", model: "other" }] });
  await log.append(pages(1));
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new FakeServing(),
  });
  while ((await task.round(LIMITS)).complete);
  await task.flush();
  const { answers } = await read(log);
  assert.ok(task.state.counters.unservedVariants > 0);
  for (const { items, exposures } of answers) {
    assert.equal(exposures, undefined);
    assert.ok(items.some(({ propensity }) => propensity < 1));
  }
});

Deno.test("Task orders by click rates for the model `prior`, even when models start from the overall rate", async () => {
  const log = await createLog();
  await registryOf(log).start({ name: "p", variants: [{ name: "A", model: "prior" }, { name: "B" }] });
  for (const page of [0, 1, 2]) await log.append(pages(page));
  const schema = { ...DEFAULT_SCHEMA, offset: "rate" } as const;
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: { ...OPTIONS, schema },
    serving: new FakeServing(),
  });
  while ((await task.round(LIMITS)).complete);
  await task.flush();
  const { answers } = await read(log);
  const ranked = answers.filter(({ request, variant }) => request.startsWith("r2-") && variant === "A");
  assert.ok(ranked.length > 10);
  for (const { items } of ranked) {
    const scores = items.map(({ score }) => score);
    assert.ok(new Set(scores).size > 1, "rates differ by item");
    assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
  }
});

Deno.test("Task retrieves, orders and diversifies a list as the user's variant says", async () => {
  const log = await createLog(18); // six of them are not on the page before
  await log.append(pages(0));
  await registryOf(log).start({
    name: "lists",
    variants: [
      { name: "as-is", retrieval: { ranking: "model" } },
      { name: "mixed", diversity: { perCategory: 1 } },
      { name: "known", retrieval: { without: ["new"] } },
      { name: "next", retrieval: { ranking: "blend" } },
    ],
  });
  const asks = Array.from({ length: 80 }, (_, u): Event => {
    const time = START + 3_600_000 + 1000 * u;
    return { type: "request", user: `u${u}`, time, request: `r1-${u}`, count: 5 };
  });
  await log.append(asks.map((event) => ({
    topic: topics.events,
    partition: 0,
    key: event.user,
    value: encodeEvent(event),
    time: event.time,
  })));
  const { answers } = await play(log);
  const of = (variant: string) => answers.filter((answer) => answer.variant === variant);
  const lists = ["as-is", "mixed", "known", "next"].map(of);
  assert.ok(lists.every(({ length }) => length >= 8));
  const [asIs, mixed, known, next] = lists as [
    Recommendation[],
    Recommendation[],
    Recommendation[],
    Recommendation[],
  ];
  const categories = ({ items }: Recommendation) =>
    new Set(items.map(({ item }) => Number(item.slice(1)) % 3));
  const sources = (answers: Recommendation[]) =>
    new Set(answers.flatMap(({ items }) => items.map((i) => i.source)));
  assert.ok(asIs.every(({ items }) => items.length === 5) && sources(asIs).has("new"));
  assert.ok(mixed.every((answer) => answer.items.length === 3 && categories(answer).size === 3));
  assert.ok(known.every(({ items }) => items.length > 0) && !sources(known).has("new"));
  const falls = ({ items }: Recommendation) =>
    items.every(({ score }, at) => at === 0 || score <= items[at - 1]!.score);
  assert.ok(asIs.every(falls), "the model orders where it is told to");
  assert.ok(next.every(({ orderedBy }) => orderedBy === "blend"), "the blend orders where it is told to");
});

Deno.test("Task lists popular items when the user's variant says so, unless the request names candidates", async () => {
  const log = await createLog();
  await log.append(pages(0));
  const variants = [{ name: "popular", retrieval: { list: "popular" } }, { name: "personal" }] as const;
  await registryOf(log).start({ name: "baseline", variants });
  const ask = (user: string, page: number, more: object): NewRecord => {
    const time = START + 3_600_000 * page;
    const event: Event = { type: "request", user, time, request: `r${page}-${user}`, count: 5, ...more };
    return { topic: topics.events, partition: 0, key: user, value: encodeEvent(event), time };
  };
  const users = Array.from({ length: 40 }, (_, u) => `u${u}`);
  await log.append(users.map((user) => ask(user, 1, {})));
  await log.append(users.map((user) => ask(user, 2, { candidates: ["i1", "i2"] })));
  const { answers } = await play(log);
  const orders = (variant: string, page: string) => {
    const own = answers.filter((one) => one.variant === variant && one.request.startsWith(page));
    assert.ok(own.length >= 8);
    return new Set(own.map(({ orderedBy }) => orderedBy));
  };
  assert.deepEqual([...orders("popular", "r1-")], ["list"]);
  assert.ok(!orders("personal", "r1-").has("list"));
  assert.ok(!orders("popular", "r2-").has("list"), "these order the candidates they name");
  const mixing = { name: "mixing", mode: "interleave", layer: "other", variants } as const;
  await assert.rejects(registryOf(log).start(mixing), /variant popular has a list of its own: it cannot be/);
});

Deno.test("Task rejects an unreadable record of an experiment, and goes on", async () => {
  const log = await createLog();
  const value = new TextEncoder().encode('{"name": "x"}');
  const headers = { experiment: "x" };
  await log.append([
    { topic: topics.events, partition: 0, key: null, value, time: START, headers },
    ...pages(0, 2),
  ]);
  const { answers } = await play(log);
  assert.equal(answers.length, 2);
  const [rejected] = await Array.fromAsync(readAll(log, topics.rejected, 0));
  assert.match(new TextDecoder().decode(rejected!.value!), /Cannot read an experiment/);
});

Deno.test("ExperimentRegistry reads back what it changed, and writes no invalid change", async () => {
  const log = await createLog();
  const registry = registryOf(log);
  await registry.start({ name: "rank", variants: VARIANTS });
  await assert.rejects(registry.start({ name: "rank", variants: VARIANTS }), /already running/);
  await assert.rejects(registry.start({ name: "more", variants: VARIANTS }), /0 % of its users left/);
  await registry.holdout(0.05);
  await assert.rejects(registry.holdout(1), /0 % or from 0.01 % to below 100 %: current value is 100 %/);
  const records = await registry.records();
  assert.deepEqual([...records.keys()], ["rank", "holdout"]);
  assert.equal((await Array.fromAsync(readAll(log, topics.events, 0))).length, 2);
});

Deno.test("Task records the candidates that were not chosen when told to", async () => {
  const log = await createLog();
  await log.append(pages(0, 3));
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: { ...OPTIONS, logCandidates: true },
    serving: new FakeServing(),
  });
  await task.round(LIMITS);
  await task.flush();
  const { answers } = await read(log);
  for (const { items, others } of answers) {
    const all = [...items, ...others ?? []].map(({ item }) => item);
    assert.deepEqual([all.length, new Set(all).size], [12, 12]);
    const least = Math.min(...items.map(({ score }) => score));
    assert.ok(others!.every(({ score }) => score <= least));
  }
});

Deno.test("Task records as candidates what the user's variant could have chosen, and nothing else", async () => {
  const log = await createLog(18);
  await log.append(pages(0));
  const policy = { name: "boltzmann", temperature: 0.5 } as const;
  await registryOf(log).start({
    name: "lists",
    variants: [
      { name: "mixed", policy, retrieval: { ranking: "model" }, diversity: { perCategory: 1 } },
      { name: "known", policy, retrieval: { ranking: "model", without: ["new"] } },
      { name: "few", policy, retrieval: { ranking: "model" }, maxCandidates: 7 },
    ],
  });
  await log.append(Array.from({ length: 60 }, (_, u) => {
    const time = START + 3_600_000 + 1000 * u;
    const event: Event = { type: "request", user: `u${u}`, time, request: `r1-${u}`, count: 5 };
    return { topic: topics.events, partition: 0, key: event.user, value: encodeEvent(event), time };
  }));
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: { ...OPTIONS, logCandidates: true },
    serving: new FakeServing(),
  });
  await task.round(LIMITS);
  await task.flush();
  const answers = (await read(log)).answers.filter(({ variant }) => variant !== undefined);
  assert.ok(answers.length >= 60);
  for (const { items, others = [], variant, scoreKind } of answers) {
    const scores = [...items, ...others].map(({ score }) =>
      Math.log(scoreKind === "share" ? score : score / (1 - score))
    );
    const places = [...items.keys()];
    for (const [place, chance] of propensitiesOf({ scores }, places, policy).entries()) {
      assert.ok(Math.abs(chance - items[place]!.propensity) < 1e-6, `${variant}, place ${place}: ${chance}`);
    }
  }
});

Deno.test("Task states exact propensities for a list that two exploring variants drafted", async () => {
  const log = await createLog();
  await log.append(pages(0, 1)); // events have begun
  await registryOf(log).start({
    name: "mix",
    mode: "interleave",
    variants: [
      { name: "A", policy: { name: "boltzmann", temperature: 0.5 } },
      { name: "B", model: "other", policy: { name: "epsilon", epsilon: 0.4 } },
    ],
  });
  await log.append(pages(1, 3000));
  const { answers } = await play(log);
  const lists = answers.filter(({ variant }) => variant === "interleaved");
  assert.ok(lists.length > 2900);
  // Each of the 12 − place items that are left has a probability above 0, so the mean of 1/p is their number.
  for (let place = 0; place < 5; place++) {
    const inverse = lists.map(({ items }) => 1 / items[place]!.propensity);
    const mean = inverse.reduce((sum, x) => sum + x, 0) / inverse.length;
    const variance = inverse.reduce((sum, x) => sum + (x - mean) ** 2, 0) / inverse.length;
    const gap = Math.abs(mean - (12 - place)) / Math.sqrt(variance / inverse.length);
    assert.ok(gap < 4, `place ${place}: ${mean}, ${gap} standard errors`);
  }
});

Deno.test("Task keeps the phase of a list that is open when its experiment starts again with other settings", async () => {
  const log = await createLog();
  const registry = registryOf(log);
  const start = (weight: number) =>
    registry.start({ name: "rank", variants: [{ name: "A", weight }, VARIANTS[1]] });
  await start(1);
  await log.append(pages(0));
  await registry.stop("rank", "more of A");
  const { phase } = await start(3);
  assert.equal(phase, 1);
  {
    await using task = await openTask(log); // it stops while lists of the first phase are open
    await task.round(LIMITS);
  }
  await log.append(pages(1));
  const { answers, bytes } = await play(log);
  assert.deepEqual(
    new Set(answers.map(({ request, phase }) => `${request.slice(0, 2)} ${phase}`)),
    new Set(["r0 undefined", "r1 1"]),
  );
  const samples = bytes.map(decodeSample);
  assert.deepEqual(
    [...new Set(samples.map(({ request, exposures }) => `${request.slice(0, 2)} ${exposures?.[0]?.phase}`))]
      .sort(),
    ["r0 undefined", "r1 1"],
  );
  const monitor = await ExperimentMonitor.open(log, topics, registry);
  await monitor.update();
  const [{ totals, took }] = monitor.status() as [ExperimentStatus];
  const counted = [0, 1].map((v) => totals.moments(v).total("lists"));
  assert.deepEqual(
    counted,
    ["A", "B"].map((name) => answers.filter(({ variant, phase }) => variant === name && phase === 1).length),
  );
  assert.equal(totals.moved, 0);
  assert.ok(took.every(({ mean }) => mean !== null));
  const before = METRIC_FIELDS.length + METRIC_FIELDS.indexOf("lists");
  assert.deepEqual([0, 1].map((v) => totals.moments(v).get(before, 0)), [0, 0]);
});

Deno.test("startExperiment() begins a phase only for other settings, or for rules that figures could suggest", () => {
  const records = new Map<string, Experiment>();
  const phaseOf = (weight: number, over: Partial<ExperimentDraft> = {}) => {
    const variants = [{ name: "A", weight }, { name: "B" }];
    const experiment = startExperiment({ name: "e", variants, ...over }, { records, models: [] });
    records.set("e", { ...experiment, status: "stopped" });
    return experiment.phase ?? 0;
  };
  assert.deepEqual([1, 1, 3, 3, 1].map((weight) => phaseOf(weight)), [0, 0, 1, 1, 2]);
  const guardRails = [{ metric: "ctr" }] as const;
  const rules = [{ minUsers: 200 }, { alpha: 0.05 }, { maxUsers: 50_000 }] as const;
  assert.deepEqual(
    [{ guardRails }, ...rules.map((stopRule) => ({ stopRule }))].map((one) => phaseOf(1, one)),
    [
      2,
      2,
      2,
      2,
    ],
  );
  assert.equal(phaseOf(1, { metric: "reward" }), 3, "it may be the one that looked best");
  const stopRule = { maxUsers: 900 };
  assert.equal(phaseOf(1, { metric: "reward", stopRule }), 4, "its interval may be the one without 0");
  assert.equal(phaseOf(1, { metric: "reward", stopRule }), 4);
  assert.equal(phaseOf(1, { metric: "reward", stopRule: { ...stopRule, alpha: 0.1 } }), 5);
});
