/** A default that changes during an experiment changes what its control is. */

import assert from "node:assert/strict";
import type { Experiment, Variant } from "../../src/assignment/experiment.ts";
import { agreeOn } from "../../scripts/run/agreement.ts";
import type { Config } from "../../streams/config/config.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();
const FLAGS = { model: "base", variants: [], partitions: 1, seed: 0 } as const;
const SOME: Variant = { name: "B", policy: { name: "epsilon", epsilon: 0.1 } };

async function deployment() {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await agreeOn(log, topics, {}, FLAGS);
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
  return {
    registry,
    start: (name: string, variants: readonly Variant[]) => registry.start({ name, layer: name, variants }),
    restartWith: (config: Config) => agreeOn(log, topics, config, FLAGS),
    phaseOf: async (name: string) => ((await registry.records()).get(name) as Experiment).phase ?? 0,
    changes: async () => (await log.bounds(topics.events, 0)).end,
  };
}

Deno.test("agreeOn() begins a new phase of experiments in which a changed default alters some variants only", async () => {
  for (
    const [variants, config, phase] of [
      [[{ name: "A" }, SOME], { policy: { name: "epsilon", epsilon: 0.5 } }, 1],
      [[{ ...SOME, name: "A" }, { ...SOME, name: "B", policy: { name: "greedy" } }], {
        policy: { name: "epsilon", epsilon: 0.5 },
      }, 0],
      [[{ name: "A" }, { name: "B" }, { ...SOME, name: "C", shadow: true }], {
        policy: { name: "epsilon", epsilon: 0.5 },
      }, 0],
      [[{ name: "A" }, SOME], { retrieval: { maxCandidates: 50 } }, 0],
      [[{ name: "A" }, { name: "B", maxCandidates: 20 }], { retrieval: { maxCandidates: 50 } }, 1],
      [[{ name: "A" }, { name: "B", retrieval: { list: "popular" } }], { ranking: "blend" }, 1],
      [[{ name: "A", retrieval: { ranking: "both" } }, { name: "B", retrieval: { list: "popular" } }], {
        ranking: "blend",
      }, 0],
      [[{ name: "A" }, SOME], { sequence: { window: 20 } }, 0],
    ] as [Variant[], Config, number][]
  ) {
    const { start, restartWith, phaseOf, changes } = await deployment();
    await start("e", variants);
    await restartWith({});
    const before = await changes();
    await restartWith(config);
    const what = JSON.stringify([variants, config]);
    assert.equal(await phaseOf("e"), phase, what);
    assert.equal(await changes() - before, phase, `${what}: tasks are told`);
    await restartWith(config);
    assert.equal(await phaseOf("e"), phase, "once");
  }
});

Deno.test("agreeOn() says why a phase begins", async () => {
  const { start, restartWith, registry } = await deployment();
  await start("e", [{ name: "A" }, SOME]);
  await restartWith({ policy: { name: "epsilon", epsilon: 0.5 } });
  const { reason } = (await registry.records()).get("e") as Experiment;
  assert.equal(reason, "begins a new phase: the deployment's policy changed, which it varies");
});

Deno.test("agreeOn() begins no phase for a default that a promotion overrides", async () => {
  const { start, restartWith, phaseOf, registry } = await deployment();
  await start("first", [{ name: "A" }, SOME]);
  await registry.promote("first", "B");
  await start("e", [{ name: "A" }, { name: "B", policy: { name: "greedy" } }]);
  await restartWith({ policy: { name: "epsilon", epsilon: 0.5 } });
  assert.equal(await phaseOf("e"), 0);
});

Deno.test("agreeOn() makes a stopped experiment begin a new phase when it starts again", async () => {
  const { start, restartWith, phaseOf, registry } = await deployment();
  await start("e", [{ name: "A" }, SOME]);
  await registry.stop("e", "later");
  await restartWith({ policy: { name: "epsilon", epsilon: 0.5 } });
  assert.equal(await phaseOf("e"), 0, "its figures stay");
  await start("e", [{ name: "A" }, SOME]);
  assert.equal(await phaseOf("e"), 1);
  await registry.stop("e", "later");
  await start("e", [{ name: "A" }, SOME]);
  assert.equal(await phaseOf("e"), 1);
});
