import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { isExperiment } from "../../src/assignment/experiment.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { deployedModels, ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { answersOn, OPTIONS, recordsOf, shopEvents, until, untilCommitted } from "./deployment.ts";

const topics = topicNames();
/** A version per batch: few samples make several. */
const EACH_BATCH = { ...OPTIONS, partitions: 2, learning: { ...OPTIONS.learning, publishIntervalMs: 0 } };
const VARIANTS = [{ model: "dien", modelConfig: {} }] as const;

Deno.test("Service learns and serves the model of a variant beside its own", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  const events = shopEvents(500, 40);
  const half = events.length / 2;
  await using service = await Service.start(log, { ...EACH_BATCH, variants: VARIANTS });
  await log.append(recordsOf(events.slice(0, half)));
  await untilCommitted(log);
  const versions = async (topic: string) => (await log.bounds(topic, 0)).end;
  await until(async () => await versions(`${topics.parameters}.dien`) > 6, "the variant's learner publishes");
  assert.deepEqual(await deployedModels(log, topics), ["base", "dien"]);

  const registry = new ExperimentRegistry(log, topics, {
    models: ["base", "dien"],
    now: () => events[0]!.time,
  });
  await registry.start({ name: "model", variants: [{ name: "own" }, { name: "other", model: "dien" }] });
  await log.append(recordsOf(events.slice(half)).filter(({ topic }) => topic === topics.events));
  await untilCommitted(log);
  await service.stop();
  await service.ended;

  const answers = (await answersOn(log)).filter(({ variant }) => variant !== undefined);
  const of = (name: string) => answers.filter(({ variant }) => variant === name);
  assert.ok(of("own").length > 20 && of("other").length > 20);
  assert.ok(of("own").every(({ model }) => model === "base"));
  assert.ok(of("other").every(({ model, version }) => model === "dien" && version > 1));
  const monitor = await ExperimentMonitor.open(log, topics, registry);
  await monitor.update();
  const [status] = monitor.status();
  assert.ok(isExperiment(status!.experiment) && [0, 1].every((v) => status!.totals.moments(v).users > 5));
});

Deno.test("Service scores with a pinned version while newer ones arrive, also after a restart", async () => {
  const log = new MemoryLog();
  const events = shopEvents(500, 40);
  const third = Math.floor(events.length / 3);
  const start = () => Service.start(log, EACH_BATCH);
  const versions = async () => (await log.bounds(topics.parameters, 0)).end;
  {
    await using service = await start();
    await log.append(recordsOf(events.slice(0, third)));
    await untilCommitted(log);
    await until(async () => await versions() > 6, "versions are published");
    const changes = new ExperimentRegistry(log, topics, { models: ["base"], now: () => events[0]!.time });
    const { variants } = await changes.start({
      name: "pin",
      variants: [{ name: "newest" }, { name: "pinned", version: "at-start" }],
    });
    assert.ok(Number(variants[1]!.version) > 1);
    await log.append(
      recordsOf(events.slice(third, 2 * third)).filter(({ topic }) => topic === topics.events),
    );
    await untilCommitted(log);
    await service.stop();
  }
  await using service = await start();
  await log.append(recordsOf(events.slice(2 * third)).filter(({ topic }) => topic === topics.events));
  await untilCommitted(log);
  await service.stop();
  const answers = await answersOn(log);
  const of = (name: string) =>
    new Set(
      answers.filter(({ variant }) => variant === name).map(({ model, version }) => `${model} ${version}`),
    );
  assert.ok(of("newest").size > 1);
  const [[pinned = ""]] = [[...of("pinned")]];
  assert.match(pinned, /^base@(\d+) \1$/);
  assert.equal(of("pinned").size, 1);
});

Deno.test("Service begins no task before the models of variants have caught up", async () => {
  const log = new MemoryLog();
  const options = { ...EACH_BATCH, variants: VARIANTS };
  {
    await using service = await Service.start(log, options);
    await log.append(recordsOf(shopEvents(300, 40)));
    await untilCommitted(log);
    await until(() => Promise.resolve(service.models[1]!.serving.version > 2), "the variant learns");
  }
  const held = Promise.withResolvers<void>();
  const read = log.read.bind(log);
  log.read = async (topic, ...rest) => {
    if (topic === `${topics.parameters}.dien`) await held.promise;
    return await read(topic, ...rest);
  };
  const started: Service[] = [], begun: number[] = [];
  const mayWork = () => {
    begun.push(started[0]?.models[1]?.serving.version ?? 0);
    return Promise.resolve();
  };
  await using service = await Service.start(log, { ...options, roles: ["task"], mayWork });
  started.push(service);
  await until(() => Promise.resolve(service.serving.version > 0), "its own model has caught up");
  for (let turns = 0; turns < 100; turns++) await turn(); // a task that does not wait would begin
  held.resolve();
  await until(() => Promise.resolve(service.tasks.size > 0), "a task begins");
  assert.ok(begun[0]! > 2, "it does not begin with an older version");
});

Deno.test("Service.start() rejects a variant with the deployment's own model", async () => {
  const variants = [{ model: "base", modelConfig: {} }] as const;
  await assert.rejects(Service.start(new MemoryLog(), { ...OPTIONS, variants }), /base is named twice/);
});
