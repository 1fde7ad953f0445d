import assert from "node:assert/strict";
import { isExperiment } from "../../src/experiments/experiment.ts";
import { DEFAULT_MODELS } from "../../streams/config.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { deployedModels, ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Service } from "../../streams/service.ts";
import { topicNames, topicSpecs } from "../../streams/topics.ts";
import { answersOn, OPTIONS, recordsOf, shopEvents, until, untilCommitted } from "./deployment.ts";

const topics = topicNames();
const VARIANTS = [{ model: "dien", modelConfig: DEFAULT_MODELS.dien }] as const;

Deno.test("Service learns and serves the model of a variant beside its own", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  const events = shopEvents(500, 40);
  const half = events.length / 2;
  await using service = await Service.start(log, { ...OPTIONS, partitions: 2, variants: VARIANTS });
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

Deno.test("Service.start() refuses a variant with the deployment's own model", async () => {
  const variants = [{ model: "base", modelConfig: DEFAULT_MODELS.base }] as const;
  await assert.rejects(Service.start(new MemoryLog(), { ...OPTIONS, variants }), /base is there twice/);
});
