import assert from "node:assert/strict";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { encodeVersion, type ParameterVersion } from "../../src/serving/version.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { ParameterSubscriber } from "../../streams/topics/parameters.ts";
import { PinnedModels } from "../../streams/topics/pinned_models.ts";
import { readPin } from "../../streams/topics/pins.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { batches, makeLearner, makeModel, makeSamples, SCHEMA, WIDTH } from "../learner/batches.ts";

const topics = topicNames();
const START = Date.UTC(2026, 0, 1);
const OPTIONS: TaskOptions = { schema: SCHEMA, outcomeWindowMs: 60_000, allowedLatenessMs: 0, seed: 3 };
const CANDIDATES = Array.from({ length: 12 }, (_, i) => `i${i}`);
const VERSIONS = 9;

/** Versions 1 (full), 2, 3, ... (deltas), and the full snapshot of the last one. */
const [DELTAS, LAST] = (() => {
  const learner = makeLearner("base", { learningRate: 0.05 });
  const deltas = [learner.version("full", 1)];
  for (const batch of batches(makeSamples(8 * (VERSIONS - 1)))) {
    learner.learn(batch);
    deltas.push(learner.version("delta", deltas.length + 1));
  }
  return [deltas, learner.version("full", VERSIONS)];
})();

const serve = (name?: string) => new ServingModel(makeModel("base", 99), SCHEMA, WIDTH, name);
const pinsOf = (log: Log) =>
  new PinnedModels(log, topics, (model, key) => model === "base" ? serve(key) : undefined);
const changesOf = (log: Log) => new ExperimentRegistry(log, topics, { models: ["base"], now: () => START });

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(CANDIDATES.map((item, i) => ({
    topic: topics.items,
    partition: 0,
    key: item,
    time: START,
    value: encodeItem({ item, time: START, category: "abc"[i % 3]! }),
  })));
  return log;
}

async function publish(log: Log, ...versions: readonly ParameterVersion[]): Promise<void> {
  await log.append(versions.map((version) => ({
    topic: topics.parameters,
    partition: 0,
    key: "base",
    value: encodeVersion(version),
    time: START,
  })));
}

/** A request and a click of each of sixty users. */
async function ask(log: Log, page: number): Promise<void> {
  for (let u = 0; u < 60; u++) {
    const time = START + page * 3_600_000 + 1000 * u;
    const [user, request] = [`u${u}`, `r${page}-${u}`];
    const events: Event[] = [
      { type: "request", user, time, request, count: 5, candidates: CANDIDATES },
      { type: "interaction", user, time: time + 10, request, item: `i${(u + page) % 12}`, action: "click" },
    ];
    await log.append(events.map((event) => ({
      topic: topics.events,
      partition: 0,
      key: user,
      value: encodeEvent(event),
      time: event.time,
    })));
  }
}

async function answersOn(log: Log): Promise<Recommendation[]> {
  const answers: Recommendation[] = [];
  for await (const { value } of readAll(log, topics.recommendations, 0)) {
    answers.push(JSON.parse(new TextDecoder().decode(value!)));
  }
  return answers;
}

/** Runs a process that serves the newest version, and resumes where the last one stopped. */
async function live(log: Log, { events = 1e9, crashes = false } = {}): Promise<void> {
  const serving = serve();
  await new ParameterSubscriber(log, topics.parameters, serving).update();
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving,
    pins: pinsOf(log),
  });
  while ((await task.round({ rows: 1e9, events })).complete);
  if (!crashes) await task.flush();
}

/** Pages before, in, and after an experiment that pins versions, while newer ones come and old ones go. */
async function play(log: Log, page: () => Promise<void>): Promise<void> {
  const changes = changesOf(log);
  await publish(log, ...DELTAS.slice(0, 5));
  await ask(log, 0);
  await page();
  await changes.start({
    name: "pinned",
    variants: [{ name: "A" }, { name: "B", version: 3 }, { name: "C", version: "at-start", model: "base" }],
  });
  await ask(log, 1);
  await page();
  await publish(log, ...DELTAS.slice(5), LAST);
  await log.trim(topics.parameters, 0, (await log.bounds(topics.parameters, 0)).end - 1);
  await ask(log, 2);
  await page();
  await changes.promote("pinned", "B");
  await ask(log, 3);
  await page();
  await changes.rollBack("pinned", "");
  await ask(log, 4);
  await page();
}

Deno.test("Task scores with a variant's pinned version, whatever versions come and go, also once it is promoted", async () => {
  const log = await createLog();
  await play(log, () => live(log));
  const answers = await answersOn(log);
  const on = (page: number, variant?: string) => {
    const of = answers.filter((answer) =>
      answer.request.startsWith(`r${page}-`) && answer.variant === variant
    );
    return [...new Set(of.map(({ model, version }) => `${model} ${version}`))];
  };
  assert.deepEqual(on(0), ["base 5"]);
  assert.deepEqual([on(1, "A"), on(1, "B"), on(1, "C")], [["base 5"], ["base@3 3"], ["base@5 5"]]);
  assert.deepEqual([on(2, "A"), on(2, "B"), on(2, "C")], [["base 9"], ["base@3 3"], ["base@5 5"]]);
  assert.deepEqual([on(3), on(4)], [["base@3 3"], ["base 9"]]);
  const models = new Map<string, string>();
  for await (const { value } of readAll(log, topics.samples, 0)) {
    const { request, model = "base" } = decodeSample(value!);
    models.set(request, model);
  }
  for (const { request, model } of answers) assert.equal(models.get(request), model);
});

Deno.test("Task scores with the same pinned versions after restarts and crashes, and in other pieces", async () => {
  const [whole, pieces] = [await createLog(), await createLog()];
  await play(whole, () => live(whole));
  await play(pieces, async () => {
    await live(pieces, { events: 7, crashes: true }); // what is not committed is lost
    await live(pieces, { events: 11, crashes: true });
    await live(pieces);
  });
  assert.deepEqual(await answersOn(pieces), await answersOn(whole));
});

Deno.test("PinnedModels.need() rebuilds the version that was served, shares it among tasks, and releases it", async () => {
  const log = await createLog();
  await publish(log, ...DELTAS.slice(0, 6));
  await changesOf(log).start({ name: "p", variants: [{ name: "A" }, { name: "B", version: 4 }] });
  const then = serve();
  await new ParameterSubscriber(log, topics.parameters, then, 4).update();
  const pins = pinsOf(log);
  const wanted = new Set(["base@4"]);
  const [first] = await pins.need(0, wanted);
  const [second] = await pins.need(1, wanted);
  assert.equal(first, second);
  for (const probe of makeSamples(5, 70)) assert.deepEqual(first!.score(probe), then.score(probe));
  await pins.need(0, new Set());
  assert.equal((await pins.need(1, wanted))[0], first, "another task still needs it");
  await pins.need(1, new Set());
  assert.notEqual((await pins.need(0, wanted))[0], first);
  assert.deepEqual(await pins.need(2, new Set(["dien@4", "base@8"])), [], "neither is here");
});

Deno.test("Task releases a pinned version when its experiment is over and no list that it scored is open", async () => {
  const log = await createLog();
  await publish(log, ...DELTAS.slice(0, 6));
  const changes = changesOf(log);
  const pins = pinsOf(log);
  const serving = serve();
  await new ParameterSubscriber(log, topics.parameters, serving).update();
  const task = await Task.open({ log, topics, partition: 0, options: OPTIONS, serving, pins });
  const work = async (page?: number) => {
    if (page !== undefined) await ask(log, page);
    await task.step({ now: () => 0, commitEvents: 1e9, maxEvents: 1e9 });
    await task.step({ now: () => 0, commitEvents: 1e9, maxEvents: 1e9 });
    return pins.loaded;
  };
  await changes.start({ name: "p", variants: [{ name: "A" }, { name: "B", version: 4 }] });
  assert.deepEqual(await work(0), ["base@4"]);
  await changes.stop("p", "");
  assert.deepEqual(await work(), ["base@4"], "outcomes of its lists are waited for");
  assert.deepEqual(await work(1), []);
  await changes.start({ name: "p", variants: [{ name: "A" }, { name: "B", version: 4 }] });
  assert.deepEqual(await work(2), ["base@4"], "again");
  await task[Symbol.asyncDispose]();
  assert.deepEqual(pins.loaded, [], "another process has the partition");
});

Deno.test("ExperimentRegistry.tidy() drops a pinned version when the events that need it are gone", async () => {
  const log = await createLog();
  await publish(log, ...DELTAS.slice(0, 6));
  const changes = changesOf(log);
  const keys = async () => {
    const live = new Map<string, boolean>();
    for await (const { key, value } of readAll(log, topics.pins, 0)) live.set(key!, value !== null);
    return [...live].flatMap(([key, isLive]) => isLive ? [key] : []).sort();
  };
  const forgetEvents = async () => {
    await log.trim(topics.events, 0, (await log.bounds(topics.events, 0)).end);
  };
  const parts = ["base@3/0", "base@3/1", "base@3/2"];
  const draft = { name: "p", variants: [{ name: "A" }, { name: "B", version: 3 }] };
  await changes.start(draft);
  await ask(log, 0);
  await forgetEvents();
  await changes.tidy();
  assert.deepEqual(await keys(), parts, "it runs");
  await changes.promote("p", "B");
  await forgetEvents();
  await changes.tidy();
  assert.deepEqual(await keys(), parts, "everybody gets it");
  await changes.stop("p", "");
  await changes.tidy();
  await changes.tidy();
  assert.deepEqual(await keys(), [...parts, "base@3/over"], "its events may be read again");
  await changes.start(draft);
  assert.deepEqual(await keys(), parts, "it is needed again");
  await forgetEvents();
  await changes.tidy();
  assert.deepEqual(await keys(), parts);
  await changes.stop("p", "");
  await changes.holdout(0.1); // any change also tidies up
  assert.deepEqual(await keys(), [...parts, "base@3/over"]);
  await forgetEvents();
  await changes.holdout(0);
  assert.deepEqual(await keys(), []);
  const { end } = await log.bounds(topics.pins, 0);
  await changes.tidy();
  assert.equal((await log.bounds(topics.pins, 0)).end, end, "there is nothing to do");
});

Deno.test("ExperimentRegistry.start() rewrites a pinned version that only the topic of pins has", async () => {
  const log = await createLog();
  await publish(log, ...DELTAS.slice(0, 5));
  const changes = changesOf(log);
  const draft = { name: "p", variants: [{ name: "A" }, { name: "B", version: 3 }] };
  await changes.start(draft);
  await changes.stop("p", "");
  await publish(log, LAST);
  await log.trim(topics.parameters, 0, (await log.bounds(topics.parameters, 0)).end - 1);
  const { end } = await log.bounds(topics.pins, 0);
  await changes.start(draft);
  const again = await Array.fromAsync(
    readAll(log, topics.pins, 0, end),
    ({ key, value }) => [key, value?.length],
  );
  const sizes = DELTAS.slice(0, 3).map((version) => encodeVersion(version).length);
  assert.deepEqual(again, [...sizes.map((size, at) => [`base@3/${at}`, size]), ["base@3/over", undefined]]);
  const [serving] = await pinsOf(log).need(0, new Set(["base@3"]));
  assert.equal(serving?.version, 3);
});

Deno.test("ExperimentRegistry.start() rejects an experiment whose versions are not available", async () => {
  const log = await createLog();
  const changes = changesOf(log);
  const start = (...variants: Parameters<typeof changes.start>[0]["variants"]) =>
    changes.start({ name: "p", variants: [{ name: "A" }, ...variants] });
  await assert.rejects(
    start({ name: "B", version: "at-start" }),
    /variant B needs the newest version of the deployment's own model: the log has none/,
  );
  await publish(log, ...DELTAS.slice(0, 5));
  await assert.rejects(
    start({ name: "B", version: 9 }, { name: "C", model: "prior", version: 1 }, { name: "D", version: 7 }),
    new RegExp(
      "variant C names version 1 of prior, which has no versions; " +
        "variant B needs version 9 of base: the log has 5 from 1 to 5; variant D needs version 7 of base",
    ),
  );
  await assert.rejects(start({ name: "B", model: "dien", version: 2 }), /names model dien/);
  assert.deepEqual(await Array.fromAsync(readAll(log, topics.pins, 0)), []);
  await start({ name: "B", version: 3 });
  await assert.rejects(
    changes.start({ name: "q", layer: "other", variants: [{ name: "A" }, { name: "B", model: "prior" }] }),
    /layers other and default overlap: p changes model too/,
  );
  await changes.stop("p", "");
  await publish(log, ...DELTAS.slice(5), LAST);
  await log.trim(topics.parameters, 0, (await log.bounds(topics.parameters, 0)).end - 1);
  assert.equal((await start({ name: "B", version: 3 })).variants[1]!.version, 3, "it was pinned before");
  await changes.stop("p", "");
  await assert.rejects(
    start({ name: "B", version: 4 }),
    /needs version 4 of base: the log has 1 from 9 to 9/,
  );
});

Deno.test("readPin() returns nothing of a dropped pin, even before the topic is compacted", async () => {
  const log = new MemoryLog();
  const topic = "pins";
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
  const put = (place: string, value: Uint8Array | null) =>
    log.append([{ topic, partition: 0, key: `dien@3/${place}`, value, time: 0 }]);
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
  await put("0", a);
  await put("1", b);
  assert.deepEqual((await readPin(log, topic, "dien@3")).map(({ value }) => [...value]), [[1], [2]]);
  await put("0", null);
  assert.deepEqual(await readPin(log, topic, "dien@3"), [], "half a pin is none");
  await put("1", null);
  assert.deepEqual(await readPin(log, topic, "dien@3"), []);
  await put("0", b);
  assert.deepEqual((await readPin(log, topic, "dien@3")).map(({ value }) => [...value]), [[2]]);
});
