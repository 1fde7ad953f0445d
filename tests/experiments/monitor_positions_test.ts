import assert from "node:assert/strict";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { lostFigures } from "../../streams/experiments/figures.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { monitorGroup, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { list } from "./lists.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { warnings } from "../log/warnings.ts";

const topics = topicNames();

/** A log with an experiment. */
async function deployment() {
  const log = new AdministeredLog();
  await log.createTopics(topicSpecs(topics, 1));
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
  await registry.start({
    name: "e",
    variants: [{ name: "A" }, { name: "B", policy: { name: "epsilon", epsilon: 0.1 } }],
  });
  return { log, registry };
}

/** Samples of users who saw variant A. */
async function append(log: AdministeredLog, from: number, to: number): Promise<void> {
  for (let u = from; u < to; u++) {
    const value = encodeSample(list(`u${u}`, 1, { time: 1000 + u, exposure: ["e", "A"] }));
    await log.append([{ topic: topics.samples, partition: 0, key: `u${u}`, value, time: 1000 + u }]);
  }
}

/** Runs a monitor once: it reads what there is, and writes down what has changed. */
async function live(log: AdministeredLog, registry: ExperimentRegistry) {
  const monitor = await ExperimentMonitor.open(log, topics, registry);
  await monitor.update();
  await using writer = await log.writer(monitorGroup(topics));
  const records = monitor.takeChanges();
  await writer.commit({ records, group: writer.id, offsets: monitor.positions });
  const { totals } = monitor.status()[0]!;
  return { users: totals.moments(0).users, lost: monitor.lost };
}

Deno.test("ExperimentMonitor reads recreated samples from their start, even when there are more than before", async () => {
  for (const more of [3, 20]) {
    const { log, registry } = await deployment();
    await append(log, 0, 10);
    assert.equal((await live(log, registry)).users, 10);
    await log.recreate(topics.samples);
    await append(log, 10, 10 + more);
    assert.deepEqual(await live(log, registry), { users: 10 + more, lost: 0 });
    assert.deepEqual(await live(log, registry), { users: 10 + more, lost: 0 }, "once");
  }
});

Deno.test("ExperimentMonitor counts what has replaced samples that it had counted, also more of it than before", async () => {
  for (const more of [3, 20]) {
    const { log, registry } = await deployment();
    await append(log, 0, 10);
    assert.equal((await live(log, registry)).users, 10);
    await log.lose(topics.samples);
    await append(log, 10, 10 + more);
    const said = await warnings(async () => {
      assert.deepEqual(await live(log, registry), { users: 10 + more, lost: 0 });
    });
    assert.match(said.join(), /samples\/0 has lost what the monitor had read from 0 on/);
    assert.deepEqual(await live(log, registry), { users: 10 + more, lost: 0 }, "once");
  }
});

Deno.test("ExperimentMonitor counts samples dropped before it read them, but not those before its first run", async () => {
  const { log, registry } = await deployment();
  await append(log, 0, 20);
  await log.trim(topics.samples, 0, 5);
  assert.deepEqual(await live(log, registry), { users: 15, lost: 0 });
  await append(log, 20, 40);
  await log.trim(topics.samples, 0, 30);
  assert.deepEqual(await live(log, registry), { users: 25, lost: 10 });
  assert.deepEqual(await live(log, registry), { users: 25, lost: 10 }, "also after a restart");
  assert.equal(await lostFigures(log, topics), 10);
});
